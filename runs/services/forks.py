"""Doing a run again: retry, replay, re-run, fork. Each is a new run that names the one it comes from.

What may be reused of the old run is found by the plan itself: the nodes that the new run comes to are looked at one
after the other, and one that the old run completed is completed. So a node that was skipped is decided anew, by the new
inputs, and nothing is reused that follows a node which is done again.
"""

import uuid
from typing import Any, Final

from django.db import transaction

from orchestrator.core.errors import Conflict, NotFound, ValidationFailed
from orchestrator.identity.actors import Actor
from runs import definitions
from runs.engine.changes import alike, does_the_same
from runs.engine.plan import Graph, NodeState, Unplannable, plan
from runs.models import Run, RunNode
from runs.services import executions, outputs
from runs.services.steps import Step
from runs.services.submission import Pins, create_run
from runs.snapshot import definition_in, graph_in
from runs.states import ACTIVE_RUN, NodeStatus, Phase, RunStatus
from versioning.documents import patch as json_patch, pointers
from versioning.services import artifacts
from versioning.services.pins import Pin

_NEVER_REUSED: Final = "approval"  # who decided then has not decided now


@transaction.atomic
def retry_run(*, actor: Actor, run_id: uuid.UUID) -> Run:
    """A run that failed or was cancelled, once more from where it came to: the same version and inputs, and what was
    completed is reused.

    Raises PermissionDenied, NotFound, and Conflict for a run that has not ended or has succeeded.
    """
    origin = _origin(actor, run_id)
    if origin.status in ACTIVE_RUN:
        raise Conflict("The run has not ended yet.", details={"status": origin.status})
    if origin.status == RunStatus.SUCCEEDED:
        raise Conflict(
            "The run has succeeded: replay it, or fork it from one of its nodes.", details={"status": origin.status}
        )
    run = _again(actor, origin, _as_it_was(origin), pinned=origin.pins)
    _reuse(actor, run, origin)
    return run


@transaction.atomic
def replay_run(*, actor: Actor, run_id: uuid.UUID) -> Run:
    """The same version with the same inputs, all of it anew. Raises PermissionDenied and NotFound."""
    origin = _origin(actor, run_id)
    return _again(actor, origin, _as_it_was(origin), pinned=origin.pins)


@transaction.atomic
def rerun(*, actor: Actor, run_id: uuid.UUID, ref: str | None = None) -> Run:
    """The workflow as it is now (its tag's head, or what ``ref`` names) with the same inputs.

    Raises PermissionDenied, NotFound, and ValidationFailed for a workflow that is not there or does not take these
    inputs.
    """
    origin = _origin(actor, run_id)
    return _again(actor, origin, definitions.pin(actor, origin.workflow, ref))


@transaction.atomic
def fork_run(
    *,
    actor: Actor,
    run_id: uuid.UUID,
    from_node: str,
    inputs: dict[str, Any] | None = None,
    patch: list[dict[str, Any]] | None = None,
    ref: str | None = None,
) -> Run:
    """A run that does ``from_node`` and all that follows it anew, and reuses what the old one, which may still be going
    on, has completed of the rest. ``inputs`` take the place of the old ones, ``ref`` names another version, ``patch``
    (RFC 6902) changes the definition of this run alone.

    Raises PermissionDenied, NotFound, ValidationFailed, and Conflict for a failing ``test`` and for nodes that would be
    reused but are not the same in both versions.
    """
    origin = _origin(actor, run_id)
    pin = _as_it_was(origin) if ref is None else definitions.pin(actor, origin.workflow, ref)
    if patch is not None:
        pin = _patched(actor, pin, patch)
    graph = graph_in(pin.snapshot_id)
    if from_node not in graph.nodes:
        raise ValidationFailed(details={"from_node": [f"There is no node {from_node!r}."]})
    pinned = _still_pinned(origin, graph) if ref is None else None
    run = _again(actor, origin, pin, inputs=inputs, pinned=pinned, forked_at=from_node)
    _reuse(actor, run, origin, but=from_node)
    return run


def _origin(actor: Actor, run_id: uuid.UUID) -> Run:
    actor.require("write")
    run: Run | None = Run.objects.for_org(actor.org_id).filter(pk=run_id).first()
    if run is None:
        raise NotFound
    return run


def _as_it_was(run: Run) -> Pin:
    return Pin(run.artifact_id, run.snapshot_id)


def _patched(actor: Actor, pin: Pin, operations: list[dict[str, Any]]) -> Pin:
    definition = json_patch.apply(pointers.clone(definition_in(pin.snapshot_id)), operations)
    return Pin(pin.artifact_id, artifacts.freeze(actor, artifacts.prepare_root(definition)))


def _still_pinned(origin: Run, graph: Graph) -> Pins:
    before = graph_in(origin.snapshot_id)
    return {name: pin for name, pin in origin.pins.items() if does_the_same(before, graph, name)}


def _again(
    actor: Actor, origin: Run, pin: Pin, *, inputs: dict[str, Any] | None = None, pinned: Pins | None = None,
    forked_at: str = "",
) -> Run:  # fmt: skip
    return create_run(
        actor=actor, workflow=origin.workflow, pin=pin, inputs=origin.inputs if inputs is None else inputs,
        priority=origin.priority, pinned=pinned, forked_from=origin, forked_at=forked_at,
    )  # fmt: skip


def _reuse(actor: Actor, run: Run, origin: Run, *, but: str = "") -> None:
    """Complete nodes of the new run as the old one did. Raises Conflict for those that differ."""
    execution = executions.open_locked(run.id)
    assert execution is not None, "made in this transaction"
    step, before, after = Step(execution, actor=actor), graph_in(origin.snapshot_id), execution.graph
    done = {
        name: output
        for name, output in _completed(origin).items()
        if name in after.nodes and name != but and after.nodes[name]["type"] != _NEVER_REUSED
    }
    for name in _come_to(step, origin, done):
        step.note(name, Phase.COMPLETED, f"Reused from run {origin.id}.", done[name])
    if differing := [name for name in step.touched if not alike(before, after, name)]:
        told = "Nodes that would be reused are not the same in both versions: fork from an earlier node."
        raise Conflict(told, details={"nodes": differing})
    if step.touched:
        step.commit()


def _completed(run: Run) -> dict[str, dict[str, Any]]:
    """The outputs. Those of items are in their node's."""
    rows = RunNode.objects.filter(run=run, status=NodeStatus.COMPLETED).exclude(node__endswith="]")
    return {name: output or {} for name, output in rows.values_list("node", "output")}


def _come_to(step: Step, origin: Run, done: dict[str, dict[str, Any]]) -> list[str]:
    """The nodes of ``done`` that the new run comes to without executing any other, in their order; they are completed
    in ``step``. What is skipped on the way is left to the run to say.
    """
    execution = step.execution
    found, states = list[str](), dict[str, NodeState]()
    fresh: list[str] | None = None
    while fresh is None or fresh:
        try:
            planned = plan(execution.graph, states, execution.variables, fresh)
        except Unplannable:  # the run will come to it, and fail there
            break
        states |= {name: NodeState(NodeStatus.SKIPPED) for name in planned.skipped}
        fresh = [name for name in planned.ready if name in done]
        for name in fresh:
            outputs.copy(done[name], origin=origin, to=execution.run, mapped="map" in execution.graph.nodes[name])
            done_before = NodeState(NodeStatus.COMPLETED, output=done[name], finished_at=step.now)
            states[name] = step.set(name, done_before)
        found.extend(fresh)
    return found
