"""Patches to a live run: RFC 6902 on the part of its definition that has not started.

A patch is checked whole before it counts: its operations apply, the result is a valid workflow, and no node is touched
that has started. What it made may be taken back, the last one first, as long as that is so. Agents propose; people and
their keys decide.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from django.db import transaction

from orchestrator.core.errors import Conflict, NotFound, PermissionDenied, ValidationFailed
from orchestrator.identity.actors import Actor
from runs.engine.changes import differing, does_the_same
from runs.engine.plan import Graph, NodeState
from runs.models import Run, RunPatch
from runs.services import executions
from runs.services.steps import Step
from runs.services.submission import Pins, hold_pins, pins_of
from runs.snapshot import definition_in, graph_in
from runs.states import ACTIVE_RUN, NodeStatus, PatchState, Phase, RunStatus
from versioning.documents import patch as json_patch
from versioning.documents.pointers import ABSENT, clone, same
from versioning.services import artifacts
from versioning.services.artifacts import Prepared

Operations = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Draft:
    """What operations make of the definition of a snapshot."""

    base_id: uuid.UUID
    prepared: Prepared
    graph: Graph


def submit_patch(
    *, actor: Actor, run_id: uuid.UUID, operations: Operations, message: str = "", propose: bool = False
) -> RunPatch:
    """The patch, accepted and in force; an agent's, or one that is to ``propose``, is checked in the same way and waits
    for a decision.

    Raises PermissionDenied, NotFound; ValidationFailed for operations that cannot be applied and, with every fault, for
    a result that is no valid workflow; Conflict for a failing ``test``, for nodes that have started (``details`` names
    them), and when the run has ended or is being cancelled; PayloadTooLarge.
    """
    actor.require("write")
    # Before the transaction: this is the costly part, and the run's workers need not wait for it.
    early = _draft(_visible(actor, run_id).snapshot_id, operations)
    with _step(actor, run_id) as step:
        draft, nodes = _checked(step, operations, early)
        patch = RunPatch(
            run=step.run, org_id=step.run.org_id, number=RunPatch.objects.filter(run=step.run).count() + 1,
            operations=operations, message=message, created_by=str(actor), created_at=step.now,
        )  # fmt: skip
        if propose or actor.kind == "agent":
            patch.state, patch.base_id = PatchState.PROPOSED, draft.base_id
            _record(step, patch, nodes, "run_patch_proposed", "proposed", message)
        else:
            _accept(step, patch, draft, nodes)
        return patch


def accept_patch(*, actor: Actor, run_id: uuid.UUID, number: int, comment: str = "") -> RunPatch:
    """A proposed patch comes into force, checked anew on the run as it is now.

    Raises as submit_patch does, and Conflict for a patch that is not proposed.
    """
    _require_decider(actor)
    with _step(actor, run_id) as step:
        patch = _patch(step, number, PatchState.PROPOSED)
        draft, nodes = _checked(step, patch.operations)
        _accept(step, patch, draft, nodes, comment)
        return patch


def reject_patch(*, actor: Actor, run_id: uuid.UUID, number: int, comment: str = "") -> RunPatch:
    """A proposed patch is not wanted.

    Raises PermissionDenied, NotFound, and Conflict for a patch that is not proposed or a run that has ended.
    """
    _require_decider(actor)
    with _step(actor, run_id) as step:
        patch = _patch(step, number, PatchState.PROPOSED)
        _decide(step, patch, PatchState.REJECTED, comment)
        _record(step, patch, [], "run_patch_rejected", "rejected", comment)
        return patch


def revert_patch(*, actor: Actor, run_id: uuid.UUID, number: int, comment: str = "") -> RunPatch:
    """The run goes on by the definition that it had before the patch, as one more version of it.

    Raises PermissionDenied, NotFound, and Conflict for a patch that is not accepted, that is not the last one accepted,
    or of which something has started, and for a run that has ended.
    """
    _require_decider(actor)
    with _step(actor, run_id) as step:
        patch = _patch(step, number, PatchState.ACCEPTED)
        later = RunPatch.objects.filter(
            run=step.run, state=PatchState.ACCEPTED, definition_version__gt=patch.definition_version
        )
        if last := later.order_by("-definition_version").first():
            raise Conflict(f"Patch {last.number} was accepted later: revert that first.", details={"last": last.number})
        before = graph_in(patch.base_id)
        nodes = _untouched(step, before)
        _decide(step, patch, PatchState.REVERTED, comment)
        _record(step, patch, nodes, "run_patch_reverted", "reverted", comment)
        _go_on_by(step, patch.base_id, before, patch.base_pins, nodes)
        return patch


def _require_decider(actor: Actor) -> None:
    actor.require("write")
    if actor.kind == "agent":
        raise PermissionDenied("An agent may propose a patch; people decide on it.")


def _visible(actor: Actor, run_id: uuid.UUID) -> Run:
    run: Run | None = Run.objects.seen_by(actor).filter(pk=run_id).first()
    if run is None:
        raise NotFound
    return run


@contextmanager
def _step(actor: Actor, run_id: uuid.UUID) -> Iterator[Step]:
    """A step of the run, committed in the end. Raises NotFound, and Conflict when the run has ended or is about to."""
    with transaction.atomic():
        execution = executions.open_seen(Run.objects.seen_by(actor), run_id)
        run = execution.run
        if run.status not in ACTIVE_RUN:
            raise Conflict(f"The run has already {run.status}.", details={"status": run.status})
        if run.cancel_requested_at is not None:
            raise Conflict("The run is being cancelled.", details={"status": run.status})
        step = Step(execution, actor=actor)
        yield step
        step.commit()
        executions.keep(execution)


def _patch(step: Step, number: int, state: PatchState) -> RunPatch:
    """The run's patch of that number, which must be in this state."""
    patch: RunPatch | None = RunPatch.objects.filter(run=step.run, number=number).first()
    if patch is None:
        raise NotFound
    if patch.state != state:
        raise Conflict(f"The patch is {patch.state}, not {state}.", details={"state": patch.state})
    return patch


# --- what is checked -------------------------------------------------------------------------------------------------


def _draft(base_id: uuid.UUID, operations: Operations) -> Draft:
    before = definition_in(base_id)
    after = json_patch.apply(clone(before), operations)
    prepared = artifacts.prepare_root(after)
    if not same(before.get("inputs", ABSENT), after.get("inputs", ABSENT)):
        sentence = "The run has its inputs already: leave their schema as it is, or fork the run."
        raise ValidationFailed(details={"/inputs": [sentence]})
    return Draft(base_id, prepared, Graph(orjson.loads(prepared.definition)))


def _checked(step: Step, operations: Operations, early: Draft | None = None) -> tuple[Draft, list[str]]:
    """What the operations make of the run as it is now, and the nodes that they touch."""
    draft = early if early and early.base_id == step.run.snapshot_id else _draft(step.run.snapshot_id, operations)
    return draft, _untouched(step, draft.graph)


def _untouched(step: Step, after: Graph) -> list[str]:
    """The nodes that the run would find changed. Raises Conflict when one of them has started."""
    nodes = differing(step.execution.graph, after)
    if started := [name for name in nodes if _has_started(step.execution.states.get(name))]:
        raise Conflict("Nodes that have started cannot be changed any more.", details={"nodes": started})
    return nodes


def _has_started(state: NodeState | None) -> bool:
    """Not that which is ready, and not what was pushed back: its attempts are of an earlier time."""
    return state is not None and (state.status != NodeStatus.PENDING or state.started_at is not None)


# --- what is done ----------------------------------------------------------------------------------------------------


def _accept(step: Step, patch: RunPatch, draft: Draft, nodes: list[str], comment: str = "") -> None:
    run, actor = step.run, step.actor
    assert actor is not None
    _decide(step, patch, PatchState.ACCEPTED, comment)
    snapshot_id = artifacts.freeze(actor, draft.prepared)
    patch.base_id, patch.result_id, patch.base_pins = draft.base_id, snapshot_id, run.pins
    patch.definition_version = run.definition_version + 1
    before = step.execution.graph
    kept: Pins = {name: pin for name, pin in run.pins.items() if does_the_same(before, draft.graph, name)}
    pins = pins_of(actor, draft.graph.definition, kept)
    _record(step, patch, nodes, "run_patched", "accepted", comment or patch.message)
    _go_on_by(step, snapshot_id, draft.graph, pins, nodes)


def _decide(step: Step, patch: RunPatch, state: PatchState, comment: str) -> None:
    patch.state, patch.comment = state, comment
    patch.decided_by, patch.decided_at = str(step.actor), step.now


def _record(step: Step, patch: RunPatch, nodes: list[str], event: str, told: str, said: str) -> None:
    """The patch's row, and its entries in both logs. The run's stands at the first node that is touched."""
    patch.save()
    payload = {
        "number": patch.number, "state": patch.state, "operations": patch.operations, "nodes": nodes,
        "by": str(step.actor),
    }  # fmt: skip
    node = nodes[0] if nodes else step.execution.graph.order[0]
    summary = f"Patch {patch.number} {told} by {step.actor}{f': {said}' if said else '.'}"
    step.note(node, Phase.PATCHED, summary, payload)
    step.tell(event, number=patch.number, nodes=nodes)


def _go_on_by(step: Step, snapshot_id: uuid.UUID, graph: Graph, pins: Mapping[str, Any], nodes: list[str]) -> None:
    """From now on the run is one of this definition. What was ready of the changed nodes is not reached any more, and
    the plan says anew what is.
    """
    run, execution, before = step.run, step.execution, step.execution.graph.definition
    for name in nodes:
        if name in execution.states:
            step.reset(name)
        if name not in graph.nodes:
            execution.variables["nodes"].pop(name, None)  # what was said when it was pushed back
    execution.graph = graph
    run.snapshot_id, run.pins = snapshot_id, dict(pins)
    run.definition_version += 1
    run.version += 1
    hold_pins(run)
    # The statement of every step leaves these alone.
    Run.objects.filter(pk=run.pk).update(
        snapshot_id=snapshot_id, pins=run.pins, definition_version=run.definition_version
    )
    if run.status == RunStatus.QUEUED:
        return
    if before.get("timeout_seconds") != (limit := graph.definition.get("timeout_seconds")):
        run.due_at = run.started_at + timedelta(seconds=limit) if limit and run.started_at else None
    step.advance(None)
    if run.status == RunStatus.FAILED:
        why = (run.error or {}).get("message", "")
        raise ValidationFailed(f"The run would fail at once. {why}", details={"operations": [why]})
