"""What is asked of runtime agents, and what it cost.

A prompt that is handed out is under a lease: whoever has it in hand renews it or answers, or it lapses and its late
answer is refused. What waits for the answer is a room above this one's; it listens by ``on_end``.

Locks are taken in the order prompt, instance, whatever the listeners lock, head of the org's log. ``hand_out`` locks
the instance: who locks more for it locks the instance first (``instances.locked``), or skips what others hold.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.db import transaction

from agents.models import Prompt, RuntimeAgent
from agents.services import instances, logs
from agents.states import FINAL, LIVE, PROMPT_FINAL, PromptStatus, check_prompt
from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound, PermissionDenied, PreconditionFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor


class Answer(TypedDict, total=False):
    """What a caller may write of a prompt. Tokens, cost and latency are the prompt's own totals, not additions."""

    status: str
    response_text: str
    error: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    latency_ms: int


Listener = Callable[[Prompt, bool], None]

_listeners: list[Listener] = []


def on_end(listener: Listener) -> None:
    """Have ``listener(prompt, lapsed)`` called in the transaction in which a prompt with a ``source`` ends.

    ``lapsed`` is False when its answer, or somebody who cancelled it, ended it. Then the listener may raise Conflict,
    which refuses that and undoes it. A lapse that it raises in is undone, and tried again by the next sweep.
    """
    _listeners.append(listener)


@transaction.atomic
def create_prompt(
    *,
    actor: Actor,
    runtime_agent_id: uuid.UUID,
    prompt_type: str,
    prompt_text: str,
    prompt_name: str = "",
    model: str = "",
) -> Prompt:
    """Ask something of a runtime agent.

    Raises PermissionDenied, NotFound for the agent, Conflict when it has ended.
    """
    actor.require("write")
    instance = _addressee(actor, runtime_agent_id)
    if instance.status in FINAL:
        raise Conflict(f"This agent is {instance.status}: nothing can be asked of it.")
    return _created(
        actor, instance, prompt_type=prompt_type, prompt_text=prompt_text, prompt_name=prompt_name, model=model
    )


@transaction.atomic
def hand_out(
    *,
    actor: Actor,
    instance_id: uuid.UUID,
    prompt_type: str,
    prompt_text: str,
    ttl_seconds: int,
    source: str,
    prompt_name: str = "",
    model: str = "",
) -> Prompt:
    """Ask something of an instance that has just said that it is ready, under a lease of ``ttl_seconds``. ``source``
    names what waits for the answer (up to 300 characters), for the listeners of ``on_end``.

    Raises PermissionDenied, NotFound for the instance, Conflict when it is not live.
    """
    actor.require("write")
    instance = _addressee(actor, instance_id)
    if instance.status not in LIVE:
        raise Conflict(f"This agent is {instance.status}: nothing can be handed to it.")
    now = clock.now()
    return _created(
        actor, instance, prompt_type=prompt_type, prompt_text=prompt_text, prompt_name=prompt_name, model=model,
        source=source, ttl_seconds=ttl_seconds, leased_at=now, lease_expires_at=now + timedelta(seconds=ttl_seconds),
    )  # fmt: skip


@transaction.atomic
def answer_prompt(
    *, actor: Actor, prompt_id: uuid.UUID, version: int | None = None, **answer: Unpack[Answer]
) -> Prompt:
    """Write what came of the prompt; what it cost more than before is added to its agent. It renews the lease, if there
    is one. An answer that has ended the prompt may be sent again: it changes nothing.

    Raises PermissionDenied, NotFound, PreconditionFailed, InvalidTransition by the table; Conflict for another answer
    to a prompt that has ended, for one whose lease has run out or whose agent is lost, and as a listener says.
    """
    actor.require("write")
    prompt = _locked(actor, prompt_id)
    if version is not None and prompt.version != version:
        raise PreconditionFailed
    if prompt.status in PROMPT_FINAL and all(getattr(prompt, name) == value for name, value in answer.items()):
        return prompt
    if "status" in answer and answer["status"] != prompt.status:
        check_prompt(prompt.status, answer["status"])
    if prompt.status in PROMPT_FINAL:
        raise Conflict(f"This prompt is {prompt.status}: its answer stands.")
    if prompt.lease_expires_at is not None and prompt.lease_expires_at <= clock.now():
        raise Conflict("The lease of this prompt has run out.")
    return _answered(actor, prompt, answer)


def cancel_prompt(*, actor: Actor, prompt_id: uuid.UUID) -> Prompt:
    """Nobody waits for an answer any more. Raises as answer_prompt does."""
    return answer_prompt(actor=actor, prompt_id=prompt_id, status=PromptStatus.CANCELLED)


@transaction.atomic
def lapse(*, prompt_id: uuid.UUID) -> bool:
    """Cancel a prompt whose lease has run out or whose agent is gone: its late answer is refused, and what waits for it
    is told. False when that is not so (any more), or somebody writes it just now.

    Raises what a listener raises; then nothing is changed.
    """
    rows = Prompt.objects.leased().select_related("runtime_agent").filter(pk=prompt_id)
    prompt: Prompt | None = rows.select_for_update(of=("self",), no_key=True, skip_locked=True).first()
    if prompt is None:
        return False
    actor = Actor.system(prompt.org_id)
    agent = instances.locked(actor, prompt.runtime_agent_id)
    reason = _reason_to_lapse(prompt, agent)
    if not reason:
        return False
    _write(prompt, {"status": PromptStatus.CANCELLED, "error": reason})
    _tell(prompt, lapsed=True)
    _record(actor, "prompt_lapsed", prompt, reason=reason)
    told = f"A prompt that {agent.name} had in hand lapsed. {reason}"
    logs.report(
        org_id=prompt.org_id, component="sweeper", level="WARNING", message=told, prompt_id=str(prompt.id),
        agent_id=str(agent.id), source=prompt.source,
    )  # fmt: skip
    return True


def _reason_to_lapse(prompt: Prompt, agent: RuntimeAgent) -> str:
    if agent.status not in LIVE:
        return f"Its agent is {agent.status}."
    ran_out = prompt.lease_expires_at is not None and prompt.lease_expires_at <= clock.now()
    return "The lease ran out." if ran_out else ""


def _addressee(actor: Actor, instance_id: uuid.UUID) -> RuntimeAgent:
    """Whom the actor asks; locked, so that it does not end in the same moment. Raises NotFound."""
    rows = RuntimeAgent.objects.asked_by(actor).select_for_update(no_key=True)
    instance: RuntimeAgent | None = rows.filter(pk=instance_id).first()
    if instance is None:
        raise NotFound(f"There is no runtime agent {str(instance_id)!r}.")
    return instance


def _created(actor: Actor, instance: RuntimeAgent, **fields: Any) -> Prompt:
    now = clock.now()
    prompt: Prompt = Prompt.objects.create(
        org_id=actor.org_id, runtime_agent=instance, created_by=str(actor), created_at=now, updated_at=now, **fields
    )
    waiting = {"source": prompt.source} if prompt.source else {}
    _record(actor, "prompt_created", prompt, prompt_type=prompt.prompt_type, **waiting)
    return prompt


def _locked(actor: Actor, prompt_id: uuid.UUID) -> Prompt:
    """The prompt's row, ours until the transaction ends. Raises NotFound, and PermissionDenied for an agent that was
    not asked itself.
    """
    rows = Prompt.objects.seen_by(actor).select_related("runtime_agent").filter(pk=prompt_id)
    prompt: Prompt | None = rows.select_for_update(of=("self",), no_key=True).first()
    if prompt is None:
        raise NotFound
    if actor.is_agent and prompt.runtime_agent_id != actor.id:
        raise PermissionDenied("Only the agent that was asked can answer.")
    return prompt


def _answered(actor: Actor, prompt: Prompt, answer: Answer) -> Prompt:
    before = _usage(prompt)
    _write(prompt, {**answer})
    if prompt.status in PROMPT_FINAL and prompt.source:
        agent = instances.locked(actor, prompt.runtime_agent_id)
        if agent.status not in LIVE:
            raise Conflict(f"Its agent is {agent.status}: what it had in hand goes back.")
        _tell(prompt, lapsed=False)
    after = _usage(prompt)
    instances.add_usage(
        actor=actor, instance_id=prompt.runtime_agent_id, input_tokens=after[0] - before[0],
        output_tokens=after[1] - before[1], cost_usd=after[2] - before[2],
    )  # fmt: skip
    _record(actor, "prompt_answered", prompt, status=prompt.status, fields=sorted(answer))
    return prompt


def _write(prompt: Prompt, columns: dict[str, Any]) -> None:
    """The columns of a locked prompt, with its stamps: its lease is renewed, or over when it ends."""
    for name, value in columns.items():
        setattr(prompt, name, value)
    prompt.updated_at, prompt.version = clock.now(), prompt.version + 1
    if prompt.status in PROMPT_FINAL:
        prompt.completed_at, prompt.lease_expires_at = prompt.updated_at, None
    elif prompt.lease_expires_at is not None and prompt.ttl_seconds:
        prompt.leased_at = prompt.updated_at
        prompt.lease_expires_at = prompt.updated_at + timedelta(seconds=prompt.ttl_seconds)
    prompt.save(update_fields=[*columns, "updated_at", "version", "completed_at", "lease_expires_at", "leased_at"])


def _tell(prompt: Prompt, *, lapsed: bool) -> None:
    if prompt.source:
        for listener in _listeners:
            listener(prompt, lapsed)


def _usage(prompt: Prompt) -> tuple[int, int, Decimal]:
    return prompt.input_tokens, prompt.output_tokens, prompt.cost_usd


def _record(actor: Actor, event: str, prompt: Prompt, **details: Any) -> None:
    agent = prompt.runtime_agent
    details = {
        "agent_id": str(agent.id), "session_id": agent.session_id, "prompt_id": str(prompt.id),
        "version": prompt.version, **details,
    }  # fmt: skip
    events.record(actor=actor, event=event, kind="prompts", target=f"prompt:{prompt.id}", details=details)
