"""Shared work: tasks, their labels and what they wait for."""

import uuid
from typing import Final

from django.db import models
from django.db.models import F, Q

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import OrgQuerySet
from tasks.querysets import TaskDependencyQuerySet, TaskQuerySet
from tasks.states import Status

MAX_TITLE: Final = 200
MAX_DESCRIPTION: Final = 20_000
MAX_PRIORITY: Final = 100
MAX_ASSIGNEE: Final = 200
MAX_LABEL: Final = 50
MAX_LABELS: Final = 100
MAX_DEPENDENCIES: Final = 100


class Task(models.Model):
    """A unit of shared work that people and agents pick up. A higher ``priority`` goes first."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No index of its own: each of the three below begins with it.
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    title = models.CharField(max_length=MAX_TITLE)
    description = models.TextField(max_length=MAX_DESCRIPTION, blank=True, default="")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.TODO)
    priority = models.PositiveSmallIntegerField(default=0)
    assignee = models.CharField(max_length=MAX_ASSIGNEE, blank=True, default="")
    created_by = models.CharField(max_length=80, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    # Set by tasks.details.attach.
    label_names: list[str]
    dependency_ids: list[uuid.UUID]

    objects = TaskQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(priority__lte=MAX_PRIORITY), name="task_priority_in_range")]
        indexes = [
            models.Index(fields=["org", "id"], name="task_by_org"),
            models.Index(fields=["org", "status", "id"], name="task_by_status"),
            models.Index(fields=["org", "assignee", "id"], name="task_by_assignee"),
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
