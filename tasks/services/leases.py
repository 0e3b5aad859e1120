"""The life of a lease once it is given: renewed, ended by its holder, taken away by time or by somebody who may.

Every write of a holder names the token that it was given. A lease that has ended or run out matches no row any more,
so that no late write of a holder that slept is ever accepted: Conflict, and nothing is changed.

Locks are taken in the order task, lease, head of the log. A renewal takes the lease's alone.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection, transaction

from agents.services import logs
from orchestrator.core import clock, sql
from orchestrator.core.canonical import canonical_document
from orchestrator.core.errors import Conflict, NotFound, ValidationFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from tasks.models import MAX_RESULT_BYTES, Task, TaskLease
from tasks.services import journal
from tasks.states import LeaseOutcome, Status, check_transition

BATCH: Final = 100
_LEASE: Final = "SELECT * FROM tasks_tasklease WHERE id = %s AND org_id = %s"
_ACTIVE: Final = "SELECT * FROM tasks_tasklease WHERE task_id = %s AND ended_at IS NULL"
_TASK: Final = "SELECT * FROM tasks_task WHERE id = %s AND org_id = %s"
_RENEW: Final = """
    UPDATE tasks_tasklease SET ttl_seconds = %s, renewed_at = %s, expires_at = %s
    WHERE id = %s AND token = %s AND ended_at IS NULL AND expires_at > %s
"""
_CLOSE: Final = """
    UPDATE tasks_tasklease SET ended_at = %s, outcome = %s, error = %s, result = %s WHERE id = %s AND ended_at IS NULL
"""
_RUNS: Final = _CLOSE + " AND expires_at > %s"
_HAS_RUN_OUT: Final = _CLOSE + " AND expires_at <= %s"
_MOVE: Final = "UPDATE tasks_task SET status = %s, attempts = %s, version = %s, updated_at = %s WHERE id = %s"
_LAST_RENEWAL: Final = "SELECT MAX(renewed_at) FROM tasks_tasklease WHERE org_id = %s AND ended_at IS NULL"


class Place(NamedTuple):
    """Where a task goes when its lease ends."""

    status: str
    attempts: int


def holder_of(runtime_agent_id: uuid.UUID) -> str:
    """Under which name a runtime agent holds leases."""
    return f"agent:{runtime_agent_id}"


def find_lease(actor: Actor, lease_id: uuid.UUID) -> TaskLease:
    """The org's lease; for a runtime agent, one that it holds. Raises NotFound."""
    lease = sql.instance(TaskLease, _LEASE, [lease_id, actor.org_id])
    if lease is None or (actor.is_agent and lease.holder != str(actor)):
        raise NotFound
    return lease


def active_lease(task: Task) -> TaskLease | None:
    """The lease that nobody has ended, though it may have run out."""
    return sql.instance(TaskLease, _ACTIVE, [task.id])


def revision(org_id: uuid.UUID) -> tuple[Any, ...]:
    """What the org's list of leases depends on: a renewal is no event, and a deleted task takes its leases along."""
    renewed = sql.row(_LAST_RENEWAL, [org_id])
    return events.revision(org_id, "leases"), events.revision(org_id, "tasks"), renewed


def heartbeat_lease(*, actor: Actor, lease_id: uuid.UUID, token: int, ttl_seconds: int | None = None) -> TaskLease:
    """Keep the lease for ``ttl_seconds`` from now (None: as long as the last time). One small write and no event.

    Raises PermissionDenied, NotFound, and Conflict when the lease is not the caller's any more.
    """
    actor.require("write")
    lease = find_lease(actor, lease_id)
    lease.ttl_seconds = ttl_seconds or lease.ttl_seconds
    with transaction.atomic():  # on SQLite: take a fair turn to write
        now = clock.now()
        lease.renewed_at, lease.expires_at = now, now + timedelta(seconds=lease.ttl_seconds)
        if not sql.run(_RENEW, [lease.ttl_seconds, now, lease.expires_at, lease.id, token, now]):
            raise _lost()
    return lease


@transaction.atomic
def complete_lease(
    *, actor: Actor, lease_id: uuid.UUID, token: int, status: str = Status.REVIEW, result: dict[str, Any] | None = None
) -> TaskLease:
    """The work is done: the task moves on to ``status``, and the lease keeps the ``result``.

    Raises PermissionDenied, NotFound, Conflict like heartbeat_lease, InvalidTransition by the table of CONTRACT §3, and
    ValidationFailed for a result that is too large or has no exact JSON form.
    """
    actor.require("write")
    lease = find_lease(actor, lease_id)
    check_transition(Status.IN_PROGRESS, status)
    if result is not None and len(canonical_document(result)) > MAX_RESULT_BYTES:
        raise ValidationFailed(details={"result": [f"May have {MAX_RESULT_BYTES} bytes of JSON at most."]})

    def onward(task: Task) -> Place:
        return Place(status, 0 if status == Status.TODO else task.attempts)

    return _hand_back(actor, lease, token, LeaseOutcome.COMPLETED, onward, result=result)


@transaction.atomic
def release_lease(*, actor: Actor, lease_id: uuid.UUID, token: int) -> TaskLease:
    """Give the task back unharmed: it goes to todo, and the attempt does not count.

    Raises PermissionDenied, NotFound and Conflict like heartbeat_lease.
    """
    actor.require("write")

    def back(task: Task) -> Place:
        return Place(Status.TODO, max(task.attempts - 1, 0))

    return _hand_back(actor, find_lease(actor, lease_id), token, LeaseOutcome.RELEASED, back)


@transaction.atomic
def fail_lease(*, actor: Actor, lease_id: uuid.UUID, token: int, error: str) -> TaskLease:
    """The attempt failed: the task goes to todo or, with no attempt left, to blocked; the lease keeps the ``error``.

    Raises PermissionDenied, NotFound and Conflict like heartbeat_lease.
    """
    actor.require("write")
    lease = find_lease(actor, lease_id)
    return _hand_back(actor, lease, token, LeaseOutcome.FAILED, _after_a_failure, error=error)


@transaction.atomic
def revoke_lease(*, actor: Actor, lease_id: uuid.UUID) -> TaskLease:
    """Take the task away from its holder and put it back into todo, its attempts counted anew.

    Raises PermissionDenied, NotFound, and Conflict when the lease has ended.
    """
    actor.require("write")
    lease = find_lease(actor, lease_id)
    task = lock_task(actor.org_id, lease.task_id)
    if not _close(lease, _CLOSE, LeaseOutcome.SUPERSEDED):
        raise Conflict("The lease has ended already.")
    _move(actor, task, lease, lambda _: Place(Status.TODO, 0))
    return lease


def close_active(task: Task, outcome: LeaseOutcome) -> TaskLease | None:
    """End whatever lease the task has, which the caller has locked and moved; its event is left to the caller."""
    lease = active_lease(task)
    return lease if lease is not None and _close(lease, _CLOSE, outcome) else None


def reclaim_expired(*, now: datetime, limit: int = BATCH) -> int:
    """Return the tasks of the leases that had run out at ``now``, the oldest first; how many it returned.

    Each is a transaction of its own. Any number of callers at once share the work.
    """
    expired = TaskLease.objects.active().filter(expires_at__lte=now).order_by("expires_at")[:limit]
    return sum(reclaim_lease(lease, now) for lease in expired)


def sweep() -> None:
    """Reclaim all that has run out."""
    while reclaim_expired(now=clock.now(), limit=BATCH) == BATCH:
        pass


@transaction.atomic
def reclaim_lease(lease: TaskLease, now: datetime) -> bool:
    """End a lease that had run out at ``now``; False when somebody else did, does, or has renewed it."""
    task = lock_task(lease.org_id, lease.task_id, wait=False)
    if task is None or not _close(lease, _HAS_RUN_OUT, LeaseOutcome.RECLAIMED, now):
        return False
    _move(Actor.system(lease.org_id), task, lease, _after_a_failure)
    told = f"The lease of {lease.holder} on {task.title!r} ran out: the task goes back."
    logs.report(org_id=lease.org_id, component="sweeper", level="WARNING", message=told, task_id=str(task.id))
    return True


def lapse_of(holder: str, org_id: uuid.UUID) -> None:
    """Reclaim all that ``holder``, who is gone, had in hand, before its time; in the caller's transaction."""
    for lease in TaskLease.objects.for_org(org_id).active().filter(holder=holder):
        task = lock_task(org_id, lease.task_id, wait=False)
        # A task that somebody is writing stays; its lease runs out by itself.
        if task is not None and _close(lease, _CLOSE, LeaseOutcome.RECLAIMED):
            _move(Actor.system(org_id), task, lease, _after_a_failure)


def lock_task(org_id: uuid.UUID, task_id: uuid.UUID, *, wait: bool = True) -> Task | None:
    """The task, ours until the transaction ends; None when it is not there or, without ``wait``, somebody else's."""
    return sql.instance(Task, _TASK + row_lock(wait=wait), [task_id, org_id])


def row_lock(*, wait: bool) -> str:
    """The end of a SELECT that locks its rows. NO KEY, because a full lock waits for every insert that names the task.

    On SQLite it is empty: BEGIN IMMEDIATE has locked everything.
    """
    if not connection.features.has_select_for_update:
        return ""
    return " FOR NO KEY UPDATE" if wait else " FOR NO KEY UPDATE SKIP LOCKED"


def _hand_back(
    actor: Actor,
    lease: TaskLease,
    token: int,
    outcome: LeaseOutcome,
    place: Callable[[Task], Place],
    **kept: Any,
) -> TaskLease:
    """End a lease in its holder's name. Raises Conflict."""
    task = lock_task(actor.org_id, lease.task_id)
    if lease.token != token or not _close(lease, _RUNS, outcome, clock.now(), **kept):
        raise _lost()
    _move(actor, task, lease, place)
    return lease


def _close(
    lease: TaskLease,
    statement: str,
    outcome: LeaseOutcome,
    *moment: datetime,
    error: str = "",
    result: dict[str, Any] | None = None,
) -> bool:
    ended_at = clock.now()
    if not sql.run(statement, [ended_at, outcome, error, result, lease.id, *moment]):
        return False
    lease.ended_at, lease.outcome, lease.error, lease.result = ended_at, outcome, error, result
    return True


def _move(actor: Actor, task: Task | None, lease: TaskLease, place: Callable[[Task], Place]) -> None:
    """Move the locked task out of in_progress, and record that and the lease's end."""
    if task is not None and task.status == Status.IN_PROGRESS:
        task.status, task.attempts = place(task)
        task.version, task.updated_at = task.version + 1, clock.now()
        sql.run(_MOVE, [task.status, task.attempts, task.version, task.updated_at, task.id])
        moved = {"from": str(Status.IN_PROGRESS), "to": str(task.status), "lease_id": str(lease.id)}
        journal.record_task(actor, "task_transitioned", task, **moved)
    journal.record_lease(actor, lease)


def _after_a_failure(task: Task) -> Place:
    """Back into the queue; a task that nobody survives is parked."""
    return Place(Status.TODO if task.attempts < task.max_attempts else Status.BLOCKED, task.attempts)


def _lost() -> Conflict:
    return Conflict("The lease is not yours any more.")
