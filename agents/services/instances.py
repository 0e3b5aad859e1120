"""Live instances: their statuses, and the proof that they are alive.

A heartbeat is one small write and no event, and none at all while the last one is young. What watchers see are changes
of status; each records an event of kind ``runtime_agents`` with what a watcher needs, so that nobody must read the row.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from agents.models import Agent, RuntimeAgent, usd
from agents.services import logs
from agents.states import FINAL, LIVE, RuntimeStatus, check_runtime
from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor

_STARTED: Final = frozenset({RuntimeStatus.PLANNING, RuntimeStatus.EXECUTING, RuntimeStatus.REVIEWING})
_MOVED: Final = (
    "status", "status_before_lost", "updated_at", "last_heartbeat_at", "started_at", "completed_at", "version",
)  # fmt: skip
_USAGE: Final = ("input_tokens", "output_tokens", "cost_usd")


_departures: list[Callable[[uuid.UUID, uuid.UUID], None]] = []


def on_departure(let_go: Callable[[uuid.UUID, uuid.UUID], None]) -> None:
    """Have ``let_go(org_id, instance_id)`` called in the transaction in which an instance is lost or ends: rooms above
    this one take back what it held.
    """
    _departures.append(let_go)


@transaction.atomic
def create_instance(
    *,
    actor: Actor,
    agent_id: uuid.UUID,
    session_id: str,
    parent_id: uuid.UUID | None = None,
    name: str = "",
    config: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> RuntimeAgent:
    """A live instance of a definition, initializing.

    Raises PermissionDenied, NotFound for a definition or parent that is not there.
    """
    actor.require("write")
    # Locked, so that it is not archived in the same moment.
    current = Agent.objects.for_org(actor.org_id).current().select_for_update(no_key=True)
    agent = current.filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(f"There is no agent {str(agent_id)!r}.")
    if parent_id is not None and not RuntimeAgent.objects.for_org(actor.org_id).filter(pk=parent_id).exists():
        raise NotFound(f"There is no runtime agent {str(parent_id)!r}.")
    now = clock.now()
    instance = RuntimeAgent.objects.create(
        org_id=actor.org_id, agent=agent, parent_id=parent_id, session_id=session_id, name=name or agent.name,
        config=config or {}, metadata=metadata or {}, created_by=str(actor), created_at=now, updated_at=now,
        last_heartbeat_at=now,
    )  # fmt: skip
    _record(actor, "agent_created", instance, status=instance.status)
    return instance


@transaction.atomic
def set_status(
    *, actor: Actor, instance_id: uuid.UUID, status: str, version: int | None = None, reason: str = ""
) -> RuntimeAgent:
    """Move the instance to ``status``; it is a sign of life, too.

    Raises PermissionDenied, NotFound, PreconditionFailed, InvalidTransition by the table, ValidationFailed for "lost",
    which only the platform says.
    """
    actor.require("write")
    if status == RuntimeStatus.LOST:
        raise ValidationFailed(details={"status": ["Only the platform says that an agent is lost."]})
    instance = locked(actor, instance_id, version)
    check_runtime(instance.status, status)
    return _move(actor, instance, status, reason=reason)


@transaction.atomic
def stop_instance(*, actor: Actor, instance_id: uuid.UUID, status: str = RuntimeStatus.CANCELLED) -> RuntimeAgent:
    """End the instance; one that has ended stays as it is.

    Raises PermissionDenied, NotFound, and InvalidTransition by the table: what is lost or has never begun is not
    completed.
    """
    actor.require("write")
    instance = locked(actor, instance_id)
    if instance.status in FINAL:
        return instance
    check_runtime(instance.status, status)
    return _move(actor, instance, status, reason="stopped")


def heartbeat(*, actor: Actor, instance_id: uuid.UUID) -> RuntimeAgent:
    """A sign of life. It is written when the last one is older than a sixth of AGENT_TIMEOUT_SECONDS, and brings a lost
    instance back.

    Raises PermissionDenied, NotFound, and Conflict from an instance that has ended.
    """
    actor.require("write")
    instance = RuntimeAgent.objects.seen_by(actor).filter(pk=instance_id).first()
    if instance is None:
        raise NotFound
    _check_alive(instance)
    if instance.status == RuntimeStatus.LOST:
        return _found_again(actor, instance_id)
    now = clock.now()
    if instance.last_heartbeat_at < now - _timeout() / 6:
        if not RuntimeAgent.objects.live().filter(pk=instance_id).update(last_heartbeat_at=now):
            return heartbeat(actor=actor, instance_id=instance_id)  # it ended or was lost in this very moment
        instance.last_heartbeat_at = now
    return instance


def lose_silent(limit: int = 100) -> int:
    """The sweeper's: instances that have been silent past AGENT_TIMEOUT_SECONDS are lost. Each in a transaction of its
    own, so that ten sweepers may run at once. How many it found.
    """
    silent = RuntimeAgent.objects.live().filter(last_heartbeat_at__lt=clock.now() - _timeout())
    rows = list(silent.order_by("last_heartbeat_at").values_list("id", "org_id")[:limit])
    return sum(_lose(org_id, instance_id) for instance_id, org_id in rows)


def cancel_instance(*, actor: Actor, instance_id: uuid.UUID) -> RuntimeAgent:
    """End the instance as cancelled. Raises PermissionDenied, NotFound, and InvalidTransition when it has ended."""
    return set_status(actor=actor, instance_id=instance_id, status=RuntimeStatus.CANCELLED, reason="cancelled")


@transaction.atomic
def mark_lost(*, actor: Actor, instance_id: uuid.UUID) -> RuntimeAgent:
    """An operator's word that the instance is gone. Raises PermissionDenied, NotFound, InvalidTransition."""
    actor.require("admin")
    instance = locked(actor, instance_id)
    check_runtime(instance.status, RuntimeStatus.LOST)
    return _move(actor, instance, RuntimeStatus.LOST, reason="marked by an operator", alive=False)


def locked(actor: Actor, instance_id: uuid.UUID, version: int | None = None) -> RuntimeAgent:
    """The instance's row, ours until the transaction ends. Raises NotFound and PreconditionFailed."""
    rows = RuntimeAgent.objects.seen_by(actor).select_for_update(no_key=True)
    instance: RuntimeAgent | None = rows.filter(pk=instance_id).first()
    if instance is None:
        raise NotFound
    if version is not None and instance.version != version:
        raise PreconditionFailed
    return instance


def fault_of(org_id: uuid.UUID, instance_id: uuid.UUID) -> str | None:
    """Why no key of the org can be bound to the instance; None when one can."""
    instance = RuntimeAgent.objects.for_org(org_id).filter(pk=instance_id).first()
    if instance is None:
        return "There is no such runtime agent."
    return f"This agent is {instance.status}." if instance.status in FINAL else None


@transaction.atomic
def _found_again(actor: Actor, instance_id: uuid.UUID) -> RuntimeAgent:
    instance = locked(actor, instance_id)
    _check_alive(instance)
    if instance.status != RuntimeStatus.LOST:  # another heartbeat was faster
        return instance
    return _move(actor, instance, instance.status_before_lost or RuntimeStatus.IDLE, reason="a heartbeat came")


def _check_alive(instance: RuntimeAgent) -> None:
    if instance.status in FINAL:
        raise Conflict(f"This agent is {instance.status}: it has no heart to beat.")


@transaction.atomic
def _lose(org_id: uuid.UUID, instance_id: uuid.UUID) -> bool:
    actor = Actor.system(org_id)
    instance = locked(actor, instance_id)
    if instance.status not in LIVE or instance.last_heartbeat_at >= clock.now() - _timeout():
        return False
    was, reason = instance.status, f"no heartbeat for {settings.AGENT_TIMEOUT_SECONDS} seconds"
    _move(actor, instance, RuntimeStatus.LOST, reason=reason, alive=False)
    logs.report(
        org_id=org_id, component="sweeper", level="WARNING", message=f"The agent {instance.name} is lost: {reason}.",
        agent_id=str(instance_id), session_id=instance.session_id, was=was,
    )  # fmt: skip
    return True


def _move(actor: Actor, instance: RuntimeAgent, status: str, *, reason: str, alive: bool = True) -> RuntimeAgent:
    """The new status with its stamps and its event. The caller holds the row and has asked the table."""
    now, old = clock.now(), instance.status
    instance.status_before_lost = old if status == RuntimeStatus.LOST else ""
    instance.status, instance.updated_at = status, now
    if alive:
        instance.last_heartbeat_at = now
    if status in _STARTED and instance.started_at is None:
        instance.started_at = now
    if status in FINAL:
        instance.completed_at = now
    instance.version += 1
    instance.save(update_fields=_MOVED)
    if status not in LIVE:
        for let_go in _departures:
            let_go(instance.org_id, instance.id)
    _record(actor, "agent_status_changed", instance, old_status=old, new_status=status, reason=reason)
    return instance


@transaction.atomic
def add_usage(
    *, actor: Actor, instance_id: uuid.UUID, input_tokens: int, output_tokens: int, cost_usd: Decimal
) -> None:
    """Add to the instance's sums, in the transaction of the prompt that cost it. Added here and not by the database:
    SQLite would add dollars as floats.
    """
    if not (input_tokens or output_tokens or cost_usd):
        return
    instance = locked(actor, instance_id)
    instance.input_tokens += input_tokens
    instance.output_tokens += output_tokens
    instance.cost_usd += cost_usd
    instance.version, instance.updated_at = instance.version + 1, clock.now()
    instance.save(update_fields=[*_USAGE, "version", "updated_at"])
    sums = {"input_tokens": instance.input_tokens, "output_tokens": instance.output_tokens}
    _record(actor, "agent_updated", instance, **sums, cost_usd=usd(instance.cost_usd))


def _timeout() -> timedelta:
    return timedelta(seconds=settings.AGENT_TIMEOUT_SECONDS)


def _record(actor: Actor, event: str, instance: RuntimeAgent, **details: Any) -> None:
    details = {
        "agent_id": str(instance.id), "definition_id": str(instance.agent_id), "name": instance.name,
        "session_id": instance.session_id, "version": instance.version, **details,
    }  # fmt: skip
    events.record(
        actor=actor, event=event, kind="runtime_agents", target=f"runtime_agent:{instance.id}", details=details
    )
