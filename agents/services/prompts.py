"""What is asked of runtime agents, and what it cost."""

import uuid
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.db import transaction

from agents.models import Prompt
from agents.services import instances
from agents.states import FINAL, PROMPT_FINAL, PromptStatus, check_prompt
from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed
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
    try:
        instance = instances.locked(actor, runtime_agent_id)  # so that it does not end in the same moment
    except NotFound as error:
        raise NotFound(f"There is no runtime agent {str(runtime_agent_id)!r}.") from error
    if instance.status in FINAL:
        raise Conflict(f"This agent is {instance.status}: nothing can be asked of it.")
    now = clock.now()
    prompt = Prompt.objects.create(
        org_id=actor.org_id, runtime_agent=instance, prompt_type=prompt_type, prompt_name=prompt_name,
        prompt_text=prompt_text, model=model, created_by=str(actor), created_at=now, updated_at=now,
    )  # fmt: skip
    _record(actor, "prompt_created", prompt, prompt_type=prompt_type)
    return prompt


@transaction.atomic
def answer_prompt(
    *, actor: Actor, prompt_id: uuid.UUID, version: int | None = None, **answer: Unpack[Answer]
) -> Prompt:
    """Write what came of the prompt; what it cost more than before is added to its agent. An answer that has ended the
    prompt may be sent again: it changes nothing.

    Raises PermissionDenied, NotFound, PreconditionFailed, InvalidTransition by the table; Conflict for another answer
    to a prompt that has ended.
    """
    actor.require("write")
    rows = Prompt.objects.for_org(actor.org_id).select_related("runtime_agent")
    prompt = rows.select_for_update(of=("self",), no_key=True).filter(pk=prompt_id).first()
    if prompt is None:
        raise NotFound
    if version is not None and prompt.version != version:
        raise PreconditionFailed
    if prompt.status in PROMPT_FINAL and all(getattr(prompt, name) == value for name, value in answer.items()):
        return prompt
    if "status" in answer and answer["status"] != prompt.status:
        check_prompt(prompt.status, answer["status"])
    if prompt.status in PROMPT_FINAL:
        raise Conflict(f"This prompt is {prompt.status}: its answer stands.")
    return _answered(actor, prompt, answer)


def cancel_prompt(*, actor: Actor, prompt_id: uuid.UUID) -> Prompt:
    """Nobody waits for an answer any more. Raises as answer_prompt does."""
    return answer_prompt(actor=actor, prompt_id=prompt_id, status=PromptStatus.CANCELLED)


def _answered(actor: Actor, prompt: Prompt, answer: Answer) -> Prompt:
    before = _usage(prompt)
    columns: dict[str, Any] = {**answer}
    for name, value in columns.items():
        setattr(prompt, name, value)
    prompt.updated_at, prompt.version = clock.now(), prompt.version + 1
    if prompt.status in PROMPT_FINAL:
        prompt.completed_at = prompt.updated_at
    prompt.save(update_fields=[*columns, "updated_at", "version", "completed_at"])
    after = _usage(prompt)
    instances.add_usage(
        actor=actor, instance_id=prompt.runtime_agent_id, input_tokens=after[0] - before[0],
        output_tokens=after[1] - before[1], cost_usd=after[2] - before[2],
    )  # fmt: skip
    _record(actor, "prompt_answered", prompt, status=prompt.status, fields=sorted(columns))
    return prompt


def _usage(prompt: Prompt) -> tuple[int, int, Decimal]:
    return prompt.input_tokens, prompt.output_tokens, prompt.cost_usd


def _record(actor: Actor, event: str, prompt: Prompt, **details: Any) -> None:
    agent = prompt.runtime_agent
    details = {
        "agent_id": str(agent.id), "session_id": agent.session_id, "prompt_id": str(prompt.id),
        "version": prompt.version, **details,
    }  # fmt: skip
    events.record(actor=actor, event=event, kind="prompts", target=f"prompt:{prompt.id}", details=details)
