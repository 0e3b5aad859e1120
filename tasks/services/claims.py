"""Taking work: a lease of one task by its id, or of the best one that waits."""

import re
import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.db import connection, transaction

from orchestrator.core import clock, sql
from orchestrator.core.errors import Conflict, LeaseHeld, NotFound, PermissionDenied
from orchestrator.core.ids import uuid7
from orchestrator.identity.actors import Actor
from tasks.details import attach
from tasks.models import DEFAULT_LEASE_SECONDS, Task, TaskLease
from tasks.services import journal
from tasks.services.leases import active_lease, lock_task, reclaim_lease, row_lock
from tasks.states import Status

_UNFINISHED: Final = """
    SELECT edge.depends_on_id FROM tasks_taskdependency edge JOIN tasks_task other ON other.id = edge.depends_on_id
    WHERE edge.task_id = tasks_task.id AND other.status <> 'done'
"""
# The status is a literal, as SQLite uses a partial index (task_queue) for literals only.
_CLAIMABLE: Final = f"tasks_task.status = 'todo' AND attempts < max_attempts AND NOT EXISTS ({_UNFINISHED})"
_PICK: Final = """
    SELECT tasks_task.id FROM tasks_task WHERE tasks_task.org_id = %s AND {conditions}
    ORDER BY priority DESC, tasks_task.id LIMIT 1
"""
_FREE: Final = "assignee IN ('', %s)"
_LABELLED: Final = "EXISTS (SELECT 1 FROM tasks_tasklabel WHERE task_id = tasks_task.id AND name = %s)"
_CLAIM: Final = f"""
    UPDATE tasks_task SET status = 'in_progress', attempts = attempts + 1, lease_token = lease_token + 1,
    version = version + 1, updated_at = %s WHERE id = %s AND {_CLAIMABLE} RETURNING *
"""  # noqa: S608 - constants
_INSERT: Final = """
    INSERT INTO tasks_tasklease (id, org_id, task_id, holder, token, ttl_seconds, acquired_at, renewed_at, expires_at,
    outcome, error, created_by) VALUES {rows}
"""
_RECLAIMED_AT_ONCE: Final = 10  # by one claim, before it looks
_EXPIRED: Final = """
    SELECT * FROM tasks_tasklease WHERE org_id = %s AND ended_at IS NULL AND expires_at <= %s
    ORDER BY expires_at LIMIT 1
"""


class Wanted(NamedTuple):
    """What a queue's asker may have, as the statement that finds the best of it."""

    statement: str
    values: list[Any]


def acquire_lease(
    *,
    actor: Actor,
    holder: str,
    ttl_seconds: int = DEFAULT_LEASE_SECONDS,
    task_id: uuid.UUID | None = None,
    labels: Collection[str] = (),
    assignee: str | None = None,
    q: str = "",
) -> TaskLease | None:
    """Take the task ``task_id``, or else the best that may be claimed; it goes to in_progress, attached to the lease.

    May be claimed what is todo, waits for nothing that is not done, and has an attempt left. The best is the oldest of
    the highest priority that has all ``labels``, mentions ``q``, and is assigned to ``assignee`` (None: the holder) or
    to nobody; None when there is none. Of any number of holders one gets a task.

    Raises PermissionDenied, also for a runtime agent that asks in another's name; with ``task_id`` also NotFound,
    LeaseHeld, and Conflict, which says what is in the way.
    """
    actor.require("write")
    if actor.is_agent and holder != str(actor):
        raise PermissionDenied(f"An agent takes tasks in its own name: {actor}.")
    if task_id is not None:
        with transaction.atomic():
            return _grant(actor, _claim_named(actor.org_id, task_id), holder, ttl_seconds)
    wanted = _wanted(actor.org_id, labels, holder if assignee is None else assignee, q)
    if not _promising(actor.org_id, wanted):
        return None
    with transaction.atomic():
        task = _claim_best(actor.org_id, wanted)
        return None if task is None else _grant(actor, task, holder, ttl_seconds)


def _wanted(org_id: uuid.UUID, labels: Collection[str], assignee: str, q: str) -> Wanted:
    conditions, values = [_CLAIMABLE, _FREE], [org_id, assignee]
    for name in sorted({name.strip() for name in labels}):
        conditions.append(_LABELLED)
        values.append(name)
    if q:
        matches = connection.operators["iregex"]  # type: ignore[attr-defined]  # not in the stubs
        conditions.append(f"(title {matches} OR description {matches})")
        values += [re.escape(q)] * 2
    return Wanted(_PICK.format(conditions=" AND ".join(conditions)), values)


def _promising(org_id: uuid.UUID, wanted: Wanted) -> bool:
    """Whether there is anything to be had: who asks an empty queue again and again must not take turns to write."""
    return _expired(org_id) is not None or sql.row(wanted.statement, wanted.values) is not None


def _expired(org_id: uuid.UUID) -> TaskLease | None:
    return sql.instance(TaskLease, _EXPIRED, [org_id, clock.now()])


def _claim_best(org_id: uuid.UUID, wanted: Wanted) -> Task | None:
    for _ in range(_RECLAIMED_AT_ONCE):
        lease = _expired(org_id)
        if lease is None or not reclaim_lease(lease, clock.now()):
            break
    while (best := sql.row(wanted.statement + row_lock(wait=False), wanted.values)) is not None:
        # It fails, on PostgreSQL, when a dependency was added between look and lock; then it is not found again.
        if task := sql.instance(Task, _CLAIM, [clock.now(), best[0]]):
            return task
    return None


def _claim_named(org_id: uuid.UUID, task_id: uuid.UUID) -> Task:
    task = lock_task(org_id, task_id)
    if task is None:
        raise NotFound
    lease = active_lease(task)
    if lease is not None and not reclaim_lease(lease, clock.now()):
        raise LeaseHeld(details={"holder": lease.holder, "expires_at": clock.rfc3339(lease.expires_at)})
    claimed = sql.instance(Task, _CLAIM, [clock.now(), task_id])
    if claimed is None:
        raise _in_the_way(Task.objects.get(pk=task_id))
    return claimed


def _in_the_way(task: Task) -> Conflict:
    """Why a task that nobody holds cannot be claimed."""
    if task.status != Status.TODO:
        return Conflict(f"A task that is {task.status} cannot be leased, only one that is todo.")
    if task.attempts >= task.max_attempts:
        return Conflict(f"The task's attempts are used up: {task.attempts} of {task.max_attempts}.")
    waiting = task.dependencies.exclude(depends_on__status=Status.DONE).order_by("depends_on_id")
    waits_for = [str(other) for other in waiting.values_list("depends_on_id", flat=True)]
    return Conflict(f"The task waits for others that are not done: {len(waits_for)}.", details={"waits_for": waits_for})


def _grant(actor: Actor, task: Task, holder: str, ttl_seconds: int) -> TaskLease:
    """The lease of a task that has just been claimed."""
    now = clock.now()
    lease = TaskLease(
        id=uuid7(), org_id=task.org_id, task=task, holder=holder, token=task.lease_token, ttl_seconds=ttl_seconds,
        acquired_at=now, renewed_at=now, expires_at=now + timedelta(seconds=ttl_seconds), created_by=str(actor),
    )  # fmt: skip
    sql.insert(_INSERT, [(
        lease.id, lease.org_id, task.id, holder, lease.token, ttl_seconds, now, now, lease.expires_at, lease.outcome,
        lease.error, lease.created_by,
    )])  # fmt: skip
    attach([task])
    moved = {"from": str(Status.TODO), "to": str(task.status), "lease_id": str(lease.id)}
    journal.record_task(actor, "task_transitioned", task, **moved)
    journal.record_lease(actor, lease, attempt=task.attempts)
    return lease
