"""What the API itself must remember."""

from django.db import models

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization


class IdempotencyRecord(models.Model):
    """The answer to the first request with one Idempotency-Key; ``status_code`` is null while that request runs."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    actor = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    holder = models.UUIDField()
    locked_until = models.DateTimeField()
    status_code = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org", "actor", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.actor} {self.key}"
