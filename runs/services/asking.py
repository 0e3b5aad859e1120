"""Nodes that wait for an agent's answer (the node type ``agent``): handed out as prompts, one agent at a time.

The node waits from its start to its end; ``waiting_on`` says whom it asks, at which attempt, and who has the prompt in
hand. The prompt is the agent's lease: when that lapses, or its answer is a failure, the node asks anew until
``max_attempts`` are used up. Locks are taken in the order prompt, agent, run.
"""

import uuid
from dataclasses import replace
from typing import Any, Final

import jsonschema_rs
import orjson
from django.db import transaction

from agents.models import Prompt, RuntimeAgent, usd
from agents.services import instances, prompts
from agents.states import PromptStatus, PromptType
from orchestrator.core.errors import Conflict
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from runs.engine.plan import NodeState
from runs.models import RunNode
from runs.services import executions, progress
from runs.services.executions import Execution
from runs.services.outcomes import Outcome, failed, fault
from runs.services.steps import Step
from runs.states import ACTIVE_RUN, NodeStatus, Phase
from runs.workflows.inputs import compiled

DEFAULT_ATTEMPTS: Final = 3
_TRIES: Final = 5
_UNWANTED: Final = "The run does not wait for this answer any more."


def take_prompt(*, actor: Actor, instance: RuntimeAgent, ttl_seconds: int) -> Prompt | None:
    """The prompt of the node that has waited longest, of the runs with the highest priority, for an agent of the
    instance's definition; leased to the instance. None when no node waits for one.

    Raises PermissionDenied, and Conflict when the instance is not live.
    """
    for _ in range(_TRIES):
        found = _longest_waiting(actor.org_id, instance.agent.name)
        if found is None:
            return None
        if prompt := _hand_out(actor, instance, *found, ttl_seconds):
            return prompt
    return None


def settle_prompt(prompt: Prompt, lapsed: bool) -> None:
    """What the end of a prompt means for the node that waits for it; for ``prompts.on_end``.

    Raises Conflict for an answer that nobody waits for, or that is not what was asked for.
    """
    place = _place_of(prompt.source)
    if place is None:
        return
    run_id, name = place
    execution = executions.open_locked(run_id)
    answered = not lapsed and prompt.status == PromptStatus.COMPLETED
    state = execution.states.get(name) if execution is not None else None
    if execution is None or state is None or not _waits_for(execution, state, prompt):
        if answered:
            raise Conflict(_UNWANTED)
        return
    step = Step(execution)
    if answered:
        _complete(step, name, state, prompt)
    else:
        _try_again(step, name, state, prompt, lapsed)
    step.commit()
    executions.keep(execution)


def source_of(run_id: uuid.UUID, name: str) -> str:
    """What a prompt says of the node that waits for its answer."""
    return f"run:{run_id}:{name}"


def _longest_waiting(org_id: uuid.UUID, agent: str) -> tuple[uuid.UUID, str] | None:
    rows = RunNode.objects.for_org(org_id).filter(asks=agent).exclude(asks="")
    return rows.order_by("-run__priority", "id").values_list("run_id", "node").first()


@transaction.atomic
def _hand_out(actor: Actor, instance: RuntimeAgent, run_id: uuid.UUID, name: str, ttl_seconds: int) -> Prompt | None:
    """None when another agent was faster, or nobody waits any more."""
    instances.locked(actor, instance.id)
    execution = executions.open_locked(run_id)
    state = execution.states.get(name) if execution is not None else None
    if execution is None or state is None or not state.asks or execution.run.status not in ACTIVE_RUN:
        return None
    asked = dict(state.waiting_on or {})
    step = Step(execution, actor=actor)
    prompt = prompts.hand_out(
        actor=actor, instance_id=instance.id, prompt_type=asked.get("prompt_type", PromptType.COMMAND),
        prompt_name=asked.get("prompt_name", ""), prompt_text=asked["prompt"], ttl_seconds=ttl_seconds,
        source=source_of(run_id, name),
    )  # fmt: skip
    on = {
        **asked, "attempt": asked.get("attempt", 0) + 1, "prompt_id": str(prompt.id),
        "runtime_agent_id": str(instance.id),
    }  # fmt: skip
    attempts = max(state.attempts, on["attempt"])
    step.set(name, replace(state, waiting_on=on, asks="", attempts=attempts))
    told = f"{instance.name} has it in hand (attempt {on['attempt']} of {_most(asked)})."
    step.note(name, Phase.WAITING, told, {"prompt_id": on["prompt_id"], "runtime_agent_id": on["runtime_agent_id"]})
    step.commit()
    executions.keep(execution)
    return prompt


def _place_of(source: str) -> tuple[uuid.UUID, str] | None:
    kind, _, rest = source.partition(":")
    run_id, _, name = rest.partition(":")
    found = parse_uuid(run_id)
    return (found, name) if kind == "run" and found is not None else None


def _waits_for(execution: Execution, state: NodeState, prompt: Prompt) -> bool:
    waiting = execution.run.status in ACTIVE_RUN and state.status == NodeStatus.WAITING
    return waiting and (state.waiting_on or {}).get("prompt_id") == str(prompt.id)


def _complete(step: Step, name: str, state: NodeState, prompt: Prompt) -> None:
    output: dict[str, Any] = {
        "text": prompt.response_text, "prompt_id": str(prompt.id), "runtime_agent_id": str(prompt.runtime_agent_id),
        "model": prompt.model, "input_tokens": prompt.input_tokens, "output_tokens": prompt.output_tokens,
        "cost_usd": usd(prompt.cost_usd),
    }  # fmt: skip
    if (schema := (state.waiting_on or {}).get("schema")) is not None:
        output["json"] = _parsed(prompt.response_text, schema)
    progress.settle(step, name, Outcome(f"{prompt.runtime_agent.name} has answered.", output=output))


def _parsed(text: str, schema: dict[str, Any]) -> Any:
    """The answer as JSON. Raises Conflict, which the agent is told, when it is not what the node asks for."""
    try:
        found = orjson.loads(text)
        fault = next(compiled(schema).iter_errors(found), None)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise Conflict("The answer must be JSON that suits the schema that the node asks by.") from error
    if fault is not None:
        place = "/".join(str(part) for part in fault.instance_path)
        raise Conflict("The answer does not suit the schema.", details={"pointer": f"/{place}", "fault": fault.message})
    return found


def _try_again(step: Step, name: str, state: NodeState, prompt: Prompt, lapsed: bool) -> None:
    asked = dict(state.waiting_on or {})
    code = "agent_lost" if lapsed else f"agent_{prompt.status}"
    told = prompt.error or f"{prompt.runtime_agent.name} did not answer."
    details = {"prompt_id": str(prompt.id), "runtime_agent_id": str(prompt.runtime_agent_id)}
    if asked["attempt"] >= _most(asked):
        message = f"Given up after {asked['attempt']} attempts. {told}"
        progress.settle(step, name, failed(code, message, details, permanent=True))
        return
    on = {key: value for key, value in asked.items() if key not in ("prompt_id", "runtime_agent_id")}
    step.set(name, replace(state, waiting_on=on, asks=asked["agent"]))
    payload = {"error": fault(code, told, details), "attempt": asked["attempt"]}
    step.note(name, Phase.RETRYING, f"Asked anew: {told}", payload)


def _most(asked: dict[str, Any]) -> int:
    return int(asked.get("max_attempts", DEFAULT_ATTEMPTS))
