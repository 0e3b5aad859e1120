"""Decisions of people on nodes that wait for one (the node type ``approval``)."""

import uuid
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
from django.db import transaction

from orchestrator.core.canonical import is_exact
from orchestrator.core.errors import Conflict, NotFound, PermissionDenied, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import User
from runs.engine.plan import Graph
from runs.models import Run
from runs.services import executions, progress
from runs.services.items import is_item, node_of
from runs.services.outcomes import Outcome, failed
from runs.services.steps import Step
from runs.states import ACTIVE_RUN, NodeStatus, Phase
from runs.workflows.inputs import compiled


def approve(
    *, actor: Actor, run_id: uuid.UUID, node: str, answer: dict[str, Any] | None = None, comment: str = ""
) -> Run:
    """The node completes with the ``answer``, which must suit its schema; the run goes on.

    Raises PermissionDenied for who is not among the approvers, NotFound, Conflict when nobody is asked (any more), and
    ValidationFailed.
    """

    def decide(step: Step, asked: dict[str, Any]) -> None:
        _check_answer(asked.get("schema"), answer)
        output = {"approved": True, "by": str(actor), "answer": answer, "comment": comment}
        progress.settle(step, node, Outcome(f"Approved by {actor}.", output=output))

    return _decide(actor, run_id, node, "node_approved", decide)


def reject(*, actor: Actor, run_id: uuid.UUID, node: str, comment: str, to: str | None = None) -> Run:
    """The node fails with the code ``rejected``, and ``on_failure`` says what becomes of the run. With ``to`` it is
    pushed back instead: that earlier node, and all that follows it, is done again, with the comment to be read under
    ``nodes.<approval>.comment``, and then the decision is asked for anew.

    Raises as approve does, and ValidationFailed when ``to`` is no node that the decision came after.
    """

    def decide(step: Step, asked: dict[str, Any]) -> None:
        if to is not None:
            _push_back(step, node, to, actor, comment)
            return
        told = f"Rejected by {actor}: {comment}"
        details = {"by": str(actor), "comment": comment}
        progress.settle(step, node, failed("rejected", told, details, permanent=True))

    return _decide(actor, run_id, node, "node_rejected", decide)


@transaction.atomic
def _decide(actor: Actor, run_id: uuid.UUID, node: str, event: str, decide: Any) -> Run:
    actor.require("write")
    execution = executions.open_seen(Run.objects.for_org(actor.org_id), run_id)
    if node_of(node) not in execution.graph.nodes:
        raise NotFound
    step = Step(execution, actor=actor)
    state = execution.states.get(node)
    asked = (state.waiting_on or {}) if state is not None else {}
    waits = state is not None and state.status == NodeStatus.WAITING and asked.get("kind") == "approval"
    if not waits or step.run.status not in ACTIVE_RUN:
        raise Conflict(
            f"Nobody is asked to decide on {node!r}.", details={"status": state.status if state else "pending"}
        )
    _check_approver(actor, asked.get("approvers") or {})
    step.tell(event, node=node)
    decide(step, asked)
    step.commit()
    executions.keep(execution)
    return step.run


def is_asked(actor: Actor, approvers: dict[str, Any], email: str) -> bool:
    """Whether the decision is up to ``actor``, whose address is ``email``. Nobody named: all who may write."""
    roles, users = approvers.get("roles") or (), approvers.get("users") or ()
    if actor.kind == "agent" or not actor.may("write"):
        return False
    return (not roles and not users) or actor.role in roles or (bool(email) and email in map(str.lower, users))


def _check_approver(actor: Actor, approvers: dict[str, Any]) -> None:
    if actor.kind == "agent":
        raise PermissionDenied("An agent cannot decide for people.")
    if not is_asked(actor, approvers, email_of(actor) if approvers.get("users") else ""):
        raise PermissionDenied("You are not among those who are asked to decide.")


def email_of(actor: Actor) -> str:
    """The address by which a person may be asked; empty for who is none."""
    if actor.kind != "user":
        return ""
    return str(User.objects.filter(pk=str(actor.id)).values_list("email", flat=True).first() or "")


def _check_answer(schema: dict[str, Any] | None, answer: dict[str, Any] | None) -> None:
    faults: dict[str, list[str]] = {}
    if not is_exact(answer):
        faults["answer"] = ["A number is beyond 2^53 - 1; send it as a string."]
    for fault in () if schema is None else _errors(schema, {} if answer is None else answer):
        place = "/".join(str(part) for part in ("answer", *fault.instance_path))
        faults.setdefault(place, []).append(fault.message)
    if faults:
        raise ValidationFailed(details=faults)


def _errors(schema: dict[str, Any], answer: dict[str, Any]) -> Iterator[jsonschema_rs.ValidationError]:
    try:
        yield from compiled(schema).iter_errors(answer)
    except ValueError as error:
        raise ValidationFailed(details={"answer": ["The schema that it must suit is none."]}) from error


def _push_back(step: Step, node: str, to: str, actor: Actor, comment: str) -> None:
    graph = step.execution.graph
    behind = _followers(graph, to) if to in graph.nodes else set()
    if node_of(node) not in behind or is_item(node):
        raise ValidationFailed(details={"to": [f"Name a node that {node!r} comes after."]})
    said = {"approved": False, "by": str(actor), "answer": None, "comment": comment}
    told = f"Pushed back to {to!r} by {actor}: {comment}"
    step.note(node, Phase.RETRYING, told, {"to": to, "comment": comment})
    for name in [name for name in step.execution.states if node_of(name) in behind | {to}]:
        step.reset(name, said if name == node else None)
    step.advance(_needed_by(graph, to))


def _followers(graph: Graph, name: str) -> set[str]:
    """All that comes after the node."""
    found, left = set[str](), [name]
    for each in left:  # grows as it goes
        fresh = [other for other in graph.followers[each] if other not in found]
        found.update(fresh)
        left.extend(fresh)
    return found


def _needed_by(graph: Graph, name: str) -> list[str] | None:
    """After whose end the node is looked at; None, which is all of the graph, when it needs nothing."""
    return list(graph.needs(name)) or None
