"""Reusable definitions of agents."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.db.models import F

from agents.models import Agent, RuntimeAgent
from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor


class AgentFields(TypedDict, total=False):
    """What a caller may write."""

    name: str
    description: str
    agent_type: str
    capabilities: list[str]
    default_model: str
    system_prompt: str
    config: dict[str, Any]


@transaction.atomic
def create_agent(*, actor: Actor, **fields: Unpack[AgentFields]) -> Agent:
    """A new definition. Raises PermissionDenied, and Conflict when the name is taken."""
    actor.require("write")
    now = clock.now()
    agent = Agent(org_id=actor.org_id, created_by=str(actor), created_at=now, updated_at=now, **fields)
    with _named(fields.get("name", "")):
        agent.save(force_insert=True)
    _record(actor, "agent_defined", agent, agent_type=agent.agent_type)
    return agent


@transaction.atomic
def update_agent(*, actor: Actor, agent_id: uuid.UUID, version: int | None, **changes: Unpack[AgentFields]) -> Agent:
    """Write ``changes`` over the definition at ``version`` (None: whichever it has).

    Raises PermissionDenied, NotFound, PreconditionFailed when another writer has won, Conflict for a taken name.
    """
    actor.require("write")
    with _named(changes.get("name", "")):
        agent = _swap(actor, agent_id, version, **changes)
    _record(actor, "agent_redefined", agent, fields=sorted(changes))
    return agent


@transaction.atomic
def archive_agent(*, actor: Actor, agent_id: uuid.UUID, version: int | None) -> None:
    """Take the definition out of use; its instances and their history stay, and its name is free again.

    Raises PermissionDenied, NotFound, PreconditionFailed, and Conflict while an instance is live.
    """
    actor.require("write")
    agent = _swap(actor, agent_id, version, archived_at=clock.now())
    if live := RuntimeAgent.objects.filter(agent=agent).live().count():
        raise Conflict(f"Instances of this agent that are live: {live}. Stop them first.", details={"live": live})
    _record(actor, "agent_archived", agent)


def _swap(actor: Actor, agent_id: uuid.UUID, version: int | None, **columns: Any) -> Agent:
    """Compare-and-swap: write ``columns`` and the next version. The row is ours until the transaction ends."""
    rows = Agent.objects.for_org(actor.org_id).current().filter(pk=agent_id)
    expected = rows if version is None else rows.filter(version=version)
    if not expected.update(version=F("version") + 1, updated_at=clock.now(), **columns):
        raise PreconditionFailed if rows.exists() else NotFound
    return Agent.objects.get(pk=agent_id)


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Inside, a name that is taken is a Conflict."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict(f"There is an agent {name!r} already.") from error


def _record(actor: Actor, event: str, agent: Agent, **details: Any) -> None:
    details = {"definition_id": str(agent.id), "name": agent.name, "version": agent.version, **details}
    events.record(actor=actor, event=event, kind="agents", target=f"agent:{agent.id}", details=details)
