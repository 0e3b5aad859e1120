"""Every state change of tasks. Each records its event in the same transaction.

Locks are taken in one order, so that no two writers wait for each other: graph of the org, task, head of the log.
"""

import uuid
from collections.abc import Collection
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.db.models import F

from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import Organization
from tasks.details import attach
from tasks.models import MAX_DEPENDENCIES, MAX_LABEL, MAX_LABELS, Task, TaskDependency, TaskLabel
from tasks.states import check_transition


class TaskChanges(TypedDict, total=False):
    """What a caller may write; a field that is left out stays as it is."""

    title: str
    description: str
    priority: int
    assignee: str
    labels: Collection[str]
    depends_on: Collection[uuid.UUID]


@transaction.atomic
def create_task(
    *,
    actor: Actor,
    title: str,
    description: str = "",
    priority: int = 0,
    assignee: str = "",
    labels: Collection[str] = (),
    depends_on: Collection[uuid.UUID] = (),
) -> Task:
    """A new task, to do. Raises PermissionDenied and, for labels and dependencies, ValidationFailed (CONTRACT §3)."""
    actor.require("write")
    if depends_on:
        _lock_graph(actor.org_id)
    now = clock.now()
    task = Task.objects.create(
        org_id=actor.org_id, title=title, description=description, priority=priority, assignee=assignee,
        created_by=str(actor), created_at=now, updated_at=now,
    )  # fmt: skip
    if labels:
        _set_labels(task, labels)
    if depends_on:
        _set_dependencies(task, depends_on)
    if labels or depends_on:
        attach([task])
    else:  # nothing to read
        task.label_names, task.dependency_ids = [], []
    _record(actor, "task_created", task, title=task.title)
    return task


@transaction.atomic
def update_task(*, actor: Actor, task_id: uuid.UUID, version: int | None, **changes: Unpack[TaskChanges]) -> Task:
    """Write ``changes`` over the task at ``version`` (None: whichever it has) and leave the rest as it is.

    Raises PermissionDenied, NotFound, PreconditionFailed when another writer has won, ValidationFailed like create_task
    and for a dependency that would close a cycle.
    """
    actor.require("write")
    columns: dict[str, Any] = {**changes}
    labels, depends_on = columns.pop("labels", None), columns.pop("depends_on", None)
    if depends_on:
        _lock_graph(actor.org_id)
    task = _swap(actor, task_id, version, **columns)
    if labels is not None:
        _set_labels(task, labels)
    if depends_on is not None:
        _set_dependencies(task, depends_on)
    attach([task])
    _record(actor, "task_updated", task, fields=sorted(changes))
    return task


@transaction.atomic
def transition_task(*, actor: Actor, task_id: uuid.UUID, to: str, version: int | None = None) -> Task:
    """Move the task, at ``version`` when it is given, to the status ``to``. Of two racing same moves one wins.

    Raises PermissionDenied, NotFound, PreconditionFailed, and InvalidTransition by the table of CONTRACT §3.
    """
    actor.require("write")
    task = _swap(actor, task_id, version)
    old = task.status
    check_transition(old, to)
    Task.objects.filter(pk=task.pk).update(status=to)
    task.status = to
    attach([task])
    _record(actor, "task_transitioned", task, **{"from": old, "to": to})
    return task


@transaction.atomic
def delete_task(*, actor: Actor, task_id: uuid.UUID, version: int | None) -> None:
    """Remove the task at ``version`` (None: whichever it has).

    Raises PermissionDenied, NotFound, PreconditionFailed, and Conflict while other tasks depend on it.
    """
    actor.require("write")
    _lock_graph(actor.org_id)
    task = _swap(actor, task_id, version)
    if waiting := task.dependents.count():
        raise Conflict(f"Tasks that depend on this one: {waiting}.", details={"dependents": waiting})
    Task.objects.filter(pk=task.pk).delete()
    _record(actor, "task_deleted", task, title=task.title)


def _lock_graph(org_id: uuid.UUID) -> None:
    """Take the org's turn to add dependencies or to remove what they may name; it lasts until the transaction ends.

    Without it two writers could each add one half of a cycle, or one add an edge to what the other deletes. NO KEY,
    because a full row lock waits for every insert that names the org. On SQLite BEGIN IMMEDIATE gave the turn already.
    """
    Organization.objects.select_for_update(no_key=True).get(pk=org_id)


def _swap(actor: Actor, task_id: uuid.UUID, version: int | None, **columns: Any) -> Task:
    """Compare-and-swap: write ``columns`` and the next version. The row is ours until the transaction ends.

    Raises NotFound, and PreconditionFailed when the task is not at ``version`` any more.
    """
    rows = Task.objects.for_org(actor.org_id).filter(pk=task_id)
    expected = rows if version is None else rows.filter(version=version)
    if not expected.update(version=F("version") + 1, updated_at=clock.now(), **columns):
        raise PreconditionFailed if rows.exists() else NotFound
    task: Task = rows.get()
    return task


def _set_labels(task: Task, names: Collection[str]) -> None:
    wanted = {name.strip() for name in names}
    _check_count("labels", len(wanted), MAX_LABELS)
    if any(not 1 <= len(name) <= MAX_LABEL for name in wanted):
        raise ValidationFailed(details={"labels": [f"Each label has 1 to {MAX_LABEL} characters and is not blank."]})
    present = set(task.labels.values_list("name", flat=True))
    task.labels.filter(name__in=present - wanted).delete()
    TaskLabel.objects.bulk_create(
        TaskLabel(org_id=task.org_id, task=task, name=name) for name in sorted(wanted - present)
    )


def _set_dependencies(task: Task, ids: Collection[uuid.UUID]) -> None:
    wanted = set(ids)
    _check_count("depends_on", len(wanted), MAX_DEPENDENCIES)
    _check_dependencies(task, wanted)
    present = set(task.dependencies.values_list("depends_on", flat=True))
    task.dependencies.filter(depends_on__in=present - wanted).delete()
    TaskDependency.objects.bulk_create(
        TaskDependency(org_id=task.org_id, task=task, depends_on_id=other) for other in sorted(wanted - present)
    )


def _check_dependencies(task: Task, wanted: set[uuid.UUID]) -> None:
    """Raises ValidationFailed; another org's tasks are unknown in the same words as those that never were."""
    if task.pk in wanted:
        raise ValidationFailed(details={"depends_on": ["A task cannot depend on itself."]})
    known = Task.objects.for_org(task.org_id).filter(pk__in=wanted).values_list("pk", flat=True)
    if unknown := wanted.difference(known):
        named = ", ".join(str(other) for other in sorted(unknown))
        raise ValidationFailed(details={"depends_on": [f"There is no such task: {named}."]})
    if TaskDependency.objects.lead(wanted, task.pk):
        raise ValidationFailed(details={"depends_on": ["This would close a cycle: one of these waits for this task."]})


def _check_count(field: str, count: int, most: int) -> None:
    if count > most:
        raise ValidationFailed(details={field: [f"May have {most} entries at most, not {count}."]})


def _record(actor: Actor, event: str, task: Task, **details: Any) -> None:
    events.record(
        actor=actor, event=event, kind="tasks", target=f"task:{task.id}", details={**details, "version": task.version}
    )
