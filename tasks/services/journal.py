"""The events of this room. Call these last: they hold the head of the org's log until the transaction ends."""

from typing import Any

from orchestrator.core import clock
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from tasks.models import Task, TaskLease


def record_task(actor: Actor, event: str, task: Task, **details: Any) -> None:
    events.record(
        actor=actor, event=event, kind="tasks", target=f"task:{task.id}", details={**details, "version": task.version}
    )


def record_lease(actor: Actor, lease: TaskLease, **details: Any) -> None:
    """``lease_acquired`` or, when it has ended, ``lease_`` and its outcome."""
    named = {"task_id": str(lease.task_id), "holder": lease.holder, "token": lease.token}
    if lease.ended_at is None:
        named["expires_at"] = clock.rfc3339(lease.expires_at)
    events.record(
        actor=actor, event=f"lease_{lease.outcome or 'acquired'}", kind="leases", target=f"lease:{lease.id}",
        details={**named, **details},
    )  # fmt: skip
