"""The org's append-only log."""

from django.db import models

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import OrgQuerySet


class EventHead(models.Model):
    """The last sequence number of an org's log. Its row lock gives the log one order: see services.record."""

    org = models.OneToOneField(Organization, on_delete=models.CASCADE, primary_key=True, related_name="+")
    seq = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.org_id} at {self.seq}"


class Event(models.Model):
    """One row of the log.

    ``kind`` names the list that the event changed ("tasks", "runs", …; empty for a caller's own event).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    seq = models.BigIntegerField()
    event = models.CharField(max_length=100)
    kind = models.CharField(max_length=32, blank=True)
    target = models.CharField(max_length=200)
    details = models.JSONField(default=dict)
    actor = models.CharField(max_length=80)
    request_id = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org", "seq"], name="event_seq_once")]
        indexes = [
            models.Index(fields=["org", "kind", "seq"], name="event_by_kind"),
            models.Index(fields=["org", "event", "seq"], name="event_by_name"),
            models.Index(fields=["org", "target", "seq"], name="event_by_target"),
            models.Index(fields=["org", "actor", "seq"], name="event_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.event} {self.target}"
