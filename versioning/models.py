"""Immutable documents by their content."""

from django.db import models

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import OrgQuerySet


class Blob(models.Model):
    """Canonical JSON (RFC 8785) under its SHA-256, once an org: never readable, not even guessable, across orgs."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=71, editable=False)  # "sha256:" and 64 hex digits
    content = models.TextField(editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org", "digest"], name="blob_once_per_org")]

    def __str__(self) -> str:
        return self.digest
