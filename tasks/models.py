"""Shared work: tasks, their labels, what they wait for, and who works on them."""

import uuid
from typing import Final

from django.db import models
from django.db.models import F, Q

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import OrgQuerySet
from tasks.querysets import TaskDependencyQuerySet, TaskLeaseQuerySet, TaskQuerySet
from tasks.states import LeaseOutcome, Status

MAX_TITLE: Final = 200
MAX_DESCRIPTION: Final = 20_000
MAX_PRIORITY: Final = 100
MAX_ASSIGNEE: Final = 200
MAX_LABEL: Final = 50
MAX_LABELS: Final = 100
MAX_DEPENDENCIES: Final = 100
MAX_ATTEMPTS: Final = 100
DEFAULT_MAX_ATTEMPTS: Final = 3
MAX_HOLDER: Final = 200
MAX_LEASE_SECONDS: Final = 3600
DEFAULT_LEASE_SECONDS: Final = 60
MAX_ERROR: Final = 10_000
MAX_RESULT_BYTES: Final = 100_000


class Task(models.Model):
    """A unit of shared work that people and agents pick up. A higher ``priority`` goes first.

    ``lease_token`` is the last fencing token that was given for it. ``attempts`` counts the leases since it was last
    put into ``todo`` by hand, but for those that were given back.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No index of its own: those below begin with it.
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    title = models.CharField(max_length=MAX_TITLE)
    description = models.TextField(max_length=MAX_DESCRIPTION, blank=True, default="")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.TODO)
    priority = models.PositiveSmallIntegerField(default=0)
    assignee = models.CharField(max_length=MAX_ASSIGNEE, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0, editable=False)
    max_attempts = models.PositiveSmallIntegerField(default=DEFAULT_MAX_ATTEMPTS)
    lease_token = models.PositiveBigIntegerField(default=0, editable=False)
    created_by = models.CharField(max_length=80, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    # Set by tasks.details.attach.
    label_names: list[str]
    dependency_ids: list[uuid.UUID]

    objects = TaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(priority__lte=MAX_PRIORITY), name="task_priority_in_range"),
            models.CheckConstraint(
                condition=Q(max_attempts__gte=1, max_attempts__lte=MAX_ATTEMPTS), name="task_max_attempts_in_range"
            ),
            # What references are checked by; its index also serves the whole list.
            models.UniqueConstraint(fields=["org", "id"], name="task_of_org"),
        ]
        indexes = [
            models.Index(fields=["org", "status", "id"], name="task_by_status"),
            models.Index(fields=["org", "assignee", "id"], name="task_by_assignee"),
            # The queue in its order: however many tasks are done, a claim reads the first row that it may have.
            models.Index(fields=["org", "-priority", "id"], condition=Q(status=Status.TODO), name="task_queue"),
        ]

    def __str__(self) -> str:
        return self.title


class TaskLabel(models.Model):
    """One label of one task. ``org`` repeats the task's, for the index that the list filter reads."""

    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="labels", db_index=False)
    name = models.CharField(max_length=MAX_LABEL)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "name"], name="task_label_once")]
        indexes = [models.Index(fields=["org", "name", "task"], name="task_label_by_name")]

    def __str__(self) -> str:
        return self.name


class TaskDependency(models.Model):
    """``task`` waits for ``depends_on``; both are of the same org."""

    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="dependencies", db_index=False)
    # RESTRICT, not PROTECT: it lets an org go with all its tasks, and still never leaves an edge without its end.
    depends_on = models.ForeignKey(Task, on_delete=models.RESTRICT, related_name="dependents")

    objects = TaskDependencyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "task dependencies"
        constraints = [
            models.UniqueConstraint(fields=["task", "depends_on"], name="task_dependency_once"),
            models.CheckConstraint(condition=~Q(task=F("depends_on")), name="task_not_on_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} waits for {self.depends_on_id}"


class TaskLease(models.Model):
    """The time-limited right of one ``holder`` to work on one task, until ``ended_at`` is set with the ``outcome``.

    ``token`` is the task's ``lease_token`` as of its making. ``renewed_at`` is the last sign of life; each one writes
    it, ``expires_at`` and nothing else.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="leases", db_index=False)
    holder = models.CharField(max_length=MAX_HOLDER)
    token = models.PositiveBigIntegerField()
    ttl_seconds = models.PositiveSmallIntegerField()
    acquired_at = models.DateTimeField(default=clock.now)
    renewed_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=LeaseOutcome.choices, blank=True, default=LeaseOutcome.ACTIVE)
    error = models.TextField(max_length=MAX_ERROR, blank=True, default="")
    result = models.JSONField(null=True)
    created_by = models.CharField(max_length=80)

    objects = TaskLeaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task"], condition=Q(ended_at=None), name="task_lease_one_active"),
            models.UniqueConstraint(fields=["task", "token"], name="task_lease_token_once"),
            models.CheckConstraint(
                condition=Q(ended_at=None, outcome="") | (Q(ended_at__isnull=False) & ~Q(outcome="")),
                name="task_lease_ends_with_outcome",
            ),
        ]
        indexes = [
            models.Index(fields=["org", "id"], name="task_lease_by_org"),
            models.Index(fields=["org", "holder", "id"], name="task_lease_by_holder"),
            # Few rows: what the sweeper looks for, and when an org's active leases were last renewed.
            models.Index(fields=["expires_at"], condition=Q(ended_at=None), name="task_lease_expiring"),
            models.Index(fields=["org", "renewed_at"], condition=Q(ended_at=None), name="task_lease_renewed"),
        ]

    def __str__(self) -> str:
        return f"{self.holder} on {self.task_id}"
