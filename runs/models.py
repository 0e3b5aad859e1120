"""Runs, their nodes, and their ordered logs."""

from django.db import models
from django.db.models import Q

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import OrgQuerySet
from runs.states import NodeStatus, Phase, RunStatus
from versioning.models import Artifact


class Run(models.Model):
    """One execution of one frozen workflow version: ``artifact`` is the version that was asked for under the tag
    ``workflow``, ``snapshot`` the run_snapshot with its definition.

    ``lease_token`` is the fence: every claim and every cancel adds 1, and a worker's write names the one that it holds.
    ``next_sequence`` and ``last_event_at`` order the run's log; whoever writes an event holds the row's lock or the
    lease.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    workflow = models.CharField(max_length=200)
    # RESTRICT, not PROTECT: an org may go with all that it has.
    artifact = models.ForeignKey(Artifact, on_delete=models.RESTRICT, related_name="+", db_index=False)
    snapshot = models.ForeignKey(Artifact, on_delete=models.RESTRICT, related_name="+", db_index=False)
    inputs = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    recoveries = models.PositiveIntegerField(default=0)

    next_sequence = models.PositiveIntegerField(default=0)
    last_event_at = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=200, blank=True)
    lease_token = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)

    objects = OrgQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["org", "id"], name="run_by_org"),
            models.Index(fields=["org", "status", "id"], name="run_by_status"),
            models.Index(fields=["org", "workflow", "id"], name="run_by_workflow"),
            models.Index(fields=["artifact", "id"], name="run_by_artifact"),
            models.Index(fields=["snapshot", "id"], name="run_by_snapshot"),
            # The sweeper's: as small as the work in hand, however many runs are finished.
            models.Index(fields=["status", "id"], name="run_active", condition=Q(status__in=["queued", "running"])),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.id}"


class RunNode(models.Model):
    """A node that has left ``pending``; one without a row has not been reached."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="nodes")
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    node = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=NodeStatus.choices)
    attempts = models.PositiveIntegerField(default=0)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node"], name="run_node_once")]

    def __str__(self) -> str:
        return f"{self.node} of {self.run_id}"


class RunEvent(models.Model):
    """One row of a run's log: dense sequence from 0, times strictly increasing, both within the run."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    timestamp = models.DateTimeField()
    sequence = models.PositiveIntegerField()
    node = models.CharField(max_length=100)
    phase = models.CharField(max_length=10, choices=Phase.choices)
    summary = models.CharField(max_length=500)
    payload = models.JSONField(default=dict)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "sequence"], name="run_event_sequence_once")]
        indexes = [models.Index(fields=["run", "timestamp"], name="run_event_by_time")]

    def __str__(self) -> str:
        return f"{self.sequence} {self.node} {self.phase}"
