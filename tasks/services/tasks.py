"""The changes of a task itself, its end included."""

import uuid
from collections.abc import Collection
from typing import Any, TypedDict, Unpack

from django.db import transaction
from django.db.models import F

from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import Organization
from tasks.details import attach
from tasks.models import DEFAULT_MAX_ATTEMPTS, Task
from tasks.services import journal, leases
from tasks.services.relations import set_dependencies, set_labels
from tasks.states import LeaseOutcome, Status, check_transition


class TaskChanges(TypedDict, total=False):
    """What a caller may write; a field that is left out stays as it is."""

    title: str
    description: str
    priority: int
    assignee: str
    max_attempts: int
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
    max_attempts: int = DEFAULT_MAX_ATTEMPTS,
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
        max_attempts=max_attempts, created_by=str(actor), created_at=now, updated_at=now,
    )  # fmt: skip
    if labels:
        set_labels(task, labels)
    if depends_on:
        set_dependencies(task, depends_on)
    if labels or depends_on:
        attach([task])
    else:  # nothing to read
        task.label_names, task.dependency_ids = [], []
    journal.record_task(actor, "task_created", task, title=task.title)
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
        set_labels(task, labels)
    if depends_on is not None:
        set_dependencies(task, depends_on)
    attach([task])
    journal.record_task(actor, "task_updated", task, fields=sorted(changes))
    return task


@transaction.atomic
def transition_task(*, actor: Actor, task_id: uuid.UUID, to: str, version: int | None = None) -> Task:
    """Move the task, at ``version`` when it is given, to the status ``to``. Of two racing same moves one wins.

    Whoever moves a task by this wins over who works on it: a lease ends as superseded. Back in todo its attempts are
    counted anew, so that a person can give a parked task another chance.
    Raises PermissionDenied, NotFound, PreconditionFailed, and InvalidTransition by the table of CONTRACT §3.
    """
    actor.require("write")
    task = _swap(actor, task_id, version)
    old = task.status
    check_transition(old, to)
    task.status, task.attempts = to, 0 if to == Status.TODO else task.attempts
    Task.objects.filter(pk=task.pk).update(status=to, attempts=task.attempts)
    lease = leases.close_active(task, LeaseOutcome.SUPERSEDED) if old == Status.IN_PROGRESS else None
    attach([task])
    journal.record_task(actor, "task_transitioned", task, **{"from": old, "to": to})
    if lease is not None:
        journal.record_lease(actor, lease)
    return task


@transaction.atomic
def delete_task(*, actor: Actor, task_id: uuid.UUID, version: int | None) -> None:
    """Remove the task at ``version`` (None: whichever it has).

    Raises PermissionDenied, NotFound, PreconditionFailed, and Conflict while other tasks depend on it or somebody holds
    a lease of it.
    """
    actor.require("write")
    _lock_graph(actor.org_id)
    task = _swap(actor, task_id, version)
    if lease := leases.active_lease(task):
        raise Conflict(
            "Somebody works on this task; move it out of in_progress first.", details={"holder": lease.holder}
        )
    if waiting := task.dependents.count():
        raise Conflict(f"Tasks that depend on this one: {waiting}.", details={"dependents": waiting})
    Task.objects.filter(pk=task.pk).delete()
    journal.record_task(actor, "task_deleted", task, title=task.title)


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
