"""Runs, their nodes, and their ordered logs."""

from typing import Final

from django.db import models
from django.db.models import F, Q

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import OrgQuerySet
from runs.jobs.models import Job, JobFire  # noqa: F401 - Django looks for models here
from runs.querysets import RunQuerySet
from runs.states import NodeStatus, PatchState, Phase, RunStatus
from versioning.models import Artifact

NODE_NAME: Final = 110  # a node's id of 100 characters, and the number of an item
# As the indexes have them, and the statements that use the indexes.
ACTIVE_STATUSES: Final = ["queued", "running", "waiting"]
MOVING_STATUSES: Final = ["pending", "running", "waiting"]
SCOPE: Final = 300  # "key:", a tag of 200 characters and a SHA-256


class Run(models.Model):
    """One execution of one frozen workflow version: ``artifact`` is the version that was asked for under the tag
    ``workflow``, ``snapshot`` the run_snapshot with its definition as of ``definition_version`` (each patch to the live
    run adds 1).

    ``next_sequence`` orders the run's log, and counts its changes: whoever changes the run or a node of it holds the
    row's lock and writes an event. ``waiting_on`` says why nothing moves. ``due_at`` is when the run's time is over, or
    the patience of a cancel. ``parent`` and ``parent_node``: the node of another run that this one is the work of.
    ``pins``: the versions that this run's own sub-workflows are frozen to, by node. ``limited``: it has rows in Slot.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    workflow = models.CharField(max_length=200)
    # RESTRICT, not PROTECT: an org may go with all that it has.
    artifact = models.ForeignKey(Artifact, on_delete=models.RESTRICT, related_name="+", db_index=False)
    snapshot = models.ForeignKey(Artifact, on_delete=models.RESTRICT, related_name="+", db_index=False)
    definition_version = models.PositiveIntegerField(default=1)
    inputs = models.JSONField(default=dict)
    priority = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)
    waiting_on = models.JSONField(null=True)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    recoveries = models.PositiveIntegerField(default=0)

    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="children", db_index=False)
    parent_node = models.CharField(max_length=NODE_NAME, blank=True, default="")
    depth = models.PositiveSmallIntegerField(default=0)
    pins = models.JSONField(default=dict)
    forked_from = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="forks", db_index=False)
    forked_at = models.CharField(max_length=100, blank=True, default="")

    next_sequence = models.PositiveIntegerField(default=0)
    last_event_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=80, blank=True, default="")
    due_at = models.DateTimeField(null=True)
    limited = models.BooleanField(null=True)  # no default: SQLite adds the column without making the table anew

    objects = RunQuerySet.as_manager()

    class Meta:
        # What references are checked by; its index also serves the whole list.
        constraints = [models.UniqueConstraint(fields=["org", "id"], name="run_of_org")]
        indexes = [
            models.Index(fields=["org", "status", "id"], name="run_by_status"),
            models.Index(fields=["org", "workflow", "id"], name="run_by_workflow"),
            # What charts of a day ask for, and nothing else is read; written once, at the run's end.
            models.Index(
                fields=["org", "finished_at", "status", "started_at"],
                name="run_by_end",
                condition=Q(finished_at__isnull=False),
            ),
            models.Index(fields=["artifact", "id"], name="run_by_artifact"),
            models.Index(fields=["snapshot", "id"], name="run_by_snapshot"),
            models.Index(fields=["parent", "id"], name="run_by_parent", condition=Q(parent__isnull=False)),
            models.Index(fields=["forked_from", "id"], name="run_by_origin", condition=Q(forked_from__isnull=False)),
            # The sweeper's: as small as the work in hand, however many runs are finished.
            models.Index(fields=["status", "id"], name="run_active", condition=Q(status__in=ACTIVE_STATUSES)),
            models.Index(fields=["due_at"], name="run_due", condition=Q(status__in=ACTIVE_STATUSES)),
            models.Index(
                fields=["-priority", "id"], name="run_offered", condition=Q(status="queued", waiting_on__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.id}"


class RunNode(models.Model):
    """A node that has been reached, or one item of a mapped node, which is called ``node[3]``.

    What the columns of the engine mean, runs.engine.plan.NodeState says. ``sequence`` is the place in the run's log at
    its last change: who knows the run as of an earlier place reads what has changed since.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="nodes", db_index=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    node = models.CharField(max_length=NODE_NAME)
    status = models.CharField(max_length=10, choices=NodeStatus.choices)
    attempts = models.PositiveIntegerField(default=0)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)
    recoveries = models.PositiveIntegerField(default=0)
    token = models.PositiveIntegerField(default=0)
    queue = models.CharField(max_length=50, blank=True, default="")
    waiting_on = models.JSONField(null=True)
    due_at = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=200, blank=True, default="")
    lease_expires_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    asks = models.CharField(max_length=200, blank=True, default="")
    sequence = models.PositiveIntegerField(default=0)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "node"], name="run_node_once")]
        indexes = [
            models.Index(fields=["run", "sequence"], name="run_node_by_change"),
            models.Index(fields=["due_at"], name="run_node_due", condition=Q(status__in=MOVING_STATUSES)),
            models.Index(fields=["lease_expires_at"], name="run_node_leased", condition=Q(status="running")),
            models.Index(fields=["org", "asks", "id"], name="run_node_asks", condition=~Q(asks="")),
        ]

    def __str__(self) -> str:
        return f"{self.node} of {self.run_id}"


class RunPin(models.Model):
    """A version that the run's ``pins`` name, or did before a patch: it stays as long as the run, which may come to it
    late, be done again, or have the patch reverted.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", db_index=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    artifact = models.ForeignKey(Artifact, on_delete=models.RESTRICT, related_name="+")

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "artifact"], name="run_pin_once")]

    def __str__(self) -> str:
        return f"{self.artifact_id} for {self.run_id}"


class RunOutput(models.Model):
    """An output of a node that is too large for the node's row, by the SHA-256 of its JSON."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="outputs", db_index=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=71)
    content = models.TextField()

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "digest"], name="run_output_once")]

    def __str__(self) -> str:
        return f"output {self.digest[:19]} of {self.run_id}"


class RunEvent(models.Model):
    """One row of a run's log: dense sequence from 0, times strictly increasing, both within the run."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No index of its own for either: the ones below begin with the run, and no query asks by org alone.
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    timestamp = models.DateTimeField()
    sequence = models.PositiveIntegerField()
    node = models.CharField(max_length=NODE_NAME)
    phase = models.CharField(max_length=10, choices=Phase.choices)
    summary = models.CharField(max_length=500)
    payload = models.JSONField(default=dict)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "sequence"], name="run_event_sequence_once")]
        indexes = [models.Index(fields=["run", "timestamp"], name="run_event_by_time")]

    def __str__(self) -> str:
        return f"{self.sequence} {self.node} {self.phase}"


class RunPatch(models.Model):
    """A patch (RFC 6902) to the definition of one live run, numbered from 1 within the run in the order of asking.

    ``base`` is the snapshot that it was last checked on and ``result`` the one that it came to; both stay when it is
    reverted. ``definition_version`` is the run's that it made. ``base_pins``: the run's pins before it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="patches", db_index=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveIntegerField()
    operations = models.JSONField()
    message = models.CharField(max_length=1000, blank=True, default="")
    state = models.CharField(max_length=8, choices=PatchState.choices)
    base = models.ForeignKey(Artifact, on_delete=models.RESTRICT, related_name="+")
    result = models.ForeignKey(Artifact, on_delete=models.RESTRICT, null=True, related_name="+")
    base_pins = models.JSONField(default=dict)
    definition_version = models.PositiveIntegerField(null=True)
    comment = models.CharField(max_length=1000, blank=True, default="")
    created_by = models.CharField(max_length=80)
    decided_by = models.CharField(max_length=80, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now)
    decided_at = models.DateTimeField(null=True)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="run_patch_number_once")]

    def __str__(self) -> str:
        return f"{self.number} of {self.run_id}"


class Slot(models.Model):
    """One run's place within a limit: the ``number`` of the slot that it holds, or none while it waits for one.

    ``scope`` names what is counted: ``workflow:<tag>``, ``key:<tag>:<SHA-256 of the key's value>`` or ``org``. No two
    runs have the same number, and no number is beyond ``capacity``: the database itself keeps one too many out. Those
    that wait are served by ``priority``, then ``turn``, then age. ``lane`` is what turns are shared out between.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="slots", db_index=False)
    scope = models.CharField(max_length=SCOPE)
    lane = models.CharField(max_length=SCOPE)
    policy = models.CharField(max_length=20)
    priority = models.PositiveSmallIntegerField()
    turn = models.IntegerField(default=0)
    capacity = models.PositiveIntegerField()
    number = models.PositiveIntegerField(null=True)
    taken_at = models.DateTimeField(null=True)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "scope"], name="slot_once"),
            # Of those that hold one: SQLite would read the whole line by it otherwise, and sort it.
            models.UniqueConstraint(
                fields=["org", "scope", "number"], name="slot_number_once", condition=Q(number__isnull=False)
            ),
            models.CheckConstraint(condition=Q(number__gte=1, number__lte=F("capacity")), name="slot_within_capacity"),
        ]
        indexes = [
            models.Index(
                fields=["org", "scope", "-priority", "turn", "run"], name="slot_line", condition=Q(number__isnull=True)
            ),
            models.Index(fields=["org", "scope", "lane", "priority", "turn"], name="slot_turn"),
            models.Index(fields=["run"], name="slot_held", condition=Q(number__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.number or 'awaited'}"


class OrgLimits(models.Model):
    """What an org may do at once. Without a row, or where it says None, the server's default counts."""

    org = models.OneToOneField(Organization, on_delete=models.CASCADE, primary_key=True, related_name="+")
    max_running_runs = models.PositiveIntegerField(null=True)
    version = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(default=clock.now)

    objects = OrgQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "org limits"

    def __str__(self) -> str:
        return f"limits of {self.org_id}"
