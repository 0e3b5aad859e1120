"""The worker's writes. Each is one transaction: a node's outcome, its events, what starts next, and the end of the run.

Every one of them names the lease token that the worker was given. When somebody else has taken the run over, or
cancelled it, the token has moved on, no row matches, and Fenced undoes the whole transaction: no late write is ever
accepted.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from jmespath.exceptions import JMESPathError

from agents.services import logs
from orchestrator.core import clock, metrics
from orchestrator.core.ids import uuid7
from orchestrator.identity.actors import Actor
from runs.engine.plan import NodeState, Unplannable, evaluate, plan
from runs.models import Run
from runs.nodes import registry
from runs.services import statements
from runs.services.journal import Entry, prepare, record_run, write
from runs.services.statements import NodeRow
from runs.snapshot import definition_of, node_states
from runs.states import NodeStatus, Phase, RunStatus


class Fenced(Exception):
    """The lease was lost: somebody else holds the run, or it has ended. What the worker did is not accepted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt at a node ended: with an output, or with an error ``{code, message, details}``."""

    summary: str
    output: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


@dataclass(slots=True)
class Execution:
    """A claimed run in a worker's hands, as of its last commit. After any exception it must be thrown away."""

    run: Run
    definition: dict[str, Any]
    states: dict[str, NodeState]
    current: str | None = None  # the node to execute now
    started_at: datetime | None = None  # when its attempt began


@transaction.atomic
def begin(run_id: uuid.UUID, holder: str, *, dead_holder: str | None = None) -> Execution | None:
    """Claim the run and start its first ready node; None when it is not to be had.

    A queued run may be claimed, and a running one whose lease has run out, was given back, or belongs to
    ``dead_holder``. A node that was running when its worker was lost is tried again.
    """
    run = _claim(run_id, holder, dead_holder)
    if run is None:
        return None
    # A run without events is at its beginning and has no nodes to read.
    execution = Execution(run, definition_of(run), node_states(run) if run.next_sequence else {})
    interrupted = [name for name, state in execution.states.items() if state.status == NodeStatus.RUNNING]
    _advance(execution, [], [], again=interrupted[0] if interrupted else None)
    return execution


@transaction.atomic
def finish_node(execution: Execution, outcome: Outcome, *, halt: bool = False) -> None:
    """Commit the current node's outcome and start the next one, or end the run. ``halt`` gives the lease back instead
    of starting.

    Raises Fenced.
    """
    name, now = execution.current, clock.now()
    assert name is not None, "nothing is running"
    failed = outcome.error is not None
    status = NodeStatus.FAILED if failed else NodeStatus.COMPLETED
    attempts = execution.states[name].attempts
    execution.states[name] = NodeState(status, attempts, outcome.output)
    execution.current = None
    payload = {"error": outcome.error} if failed else outcome.output or {}
    entries = [Entry(name, Phase.FAILED if failed else Phase.COMPLETED, outcome.summary, payload)]
    row = _row(
        execution, name, output=outcome.output, error=outcome.error, started_at=execution.started_at, finished_at=now
    )
    _advance(execution, entries, [row], failure=outcome.error and {"node": name, **outcome.error}, halt=halt)


def renew_leases(holder: str) -> None:
    """Keep what ``holder`` is working on, for another LEASE_SECONDS."""
    mine = Run.objects.filter(lease_holder=holder, status=RunStatus.RUNNING).extra(where=[statements.ACTIVE])  # noqa: S610
    mine.update(lease_expires_at=_lease_end())


def _claim(run_id: uuid.UUID, holder: str, dead_holder: str | None) -> Run | None:
    now = clock.now()
    if statements.claim_queued(run_id, holder, _lease_end(), now):
        event = "run_started"
    elif statements.claim_ownerless(run_id, holder, _lease_end(), now, dead_holder or ""):
        event = "run_recovered"
    else:
        return None
    run = Run.objects.get(pk=run_id)
    if event == "run_recovered":
        told = f"A run of {run.workflow} lost its worker and was taken over."
        logs.report(org_id=run.org_id, component="engine", level="WARNING", message=told, run_id=str(run.id))
    record_run(Actor.system(run.org_id), event, run)
    return run


def _lease_end() -> datetime:
    return clock.now() + timedelta(seconds=settings.LEASE_SECONDS)


def _advance(
    execution: Execution,
    entries: list[Entry],
    rows: list[NodeRow],
    *,
    again: str | None = None,
    failure: dict[str, Any] | None = None,
    halt: bool = False,
) -> None:
    """Plan, then write all of it. The order of locks is always run, nodes and events, head of the org's log."""
    ending: dict[str, Any] | None = None
    if failure:
        ending = {"status": RunStatus.FAILED, "error": failure}
    elif again:
        _start(execution, again, entries, rows)
    else:
        ending = _start_next(execution, entries, rows, halt)
    _save(execution, entries, rows, ending, halt)
    if ending:
        run = execution.run
        why = {"error": ending["error"]} if "error" in ending else {}
        record_run(Actor.system(run.org_id), f"run_{run.status}", run, **why)
        transaction.on_commit(lambda: metrics.runs_finished.labels(run.status).inc())


def _start_next(execution: Execution, entries: list[Entry], rows: list[NodeRow], halt: bool) -> dict[str, Any] | None:
    """Start what the plan says, or return how the run ends."""
    try:
        step = plan(execution.definition, execution.run.inputs, execution.states)
    except Unplannable as problem:
        return _give_up(execution, problem, entries, rows)
    for name, reason in step.skipped.items():
        execution.states[name] = NodeState(NodeStatus.SKIPPED)
        entries.append(Entry(name, Phase.SKIPPED, reason))
        rows.append(_row(execution, name, finished_at=clock.now()))
    if step.finished:
        return _result(execution)
    if step.ready and not halt:
        _start(execution, step.ready[0], entries, rows)
    return None


def _result(execution: Execution) -> dict[str, Any]:
    expression = execution.definition.get("output")
    try:
        output = evaluate(expression, execution.run.inputs, execution.states) if expression else None
    except JMESPathError as problem:
        return {"status": RunStatus.FAILED, "error": _error(f"The run's output cannot be evaluated: {problem}")}
    return {"status": RunStatus.SUCCEEDED, "output": output}


def _give_up(execution: Execution, problem: Unplannable, entries: list[Entry], rows: list[NodeRow]) -> dict[str, Any]:
    """The node whose condition makes no sense fails, and the run with it: raising would undo the step, to be tried for
    ever.
    """
    error = _error(str(problem))
    execution.states[problem.node] = NodeState(NodeStatus.FAILED)
    entries.append(Entry(problem.node, Phase.FAILED, str(problem), {"error": error}))
    rows.append(_row(execution, problem.node, error=error, finished_at=clock.now()))
    return {"status": RunStatus.FAILED, "error": {"node": problem.node, **error}}


def _error(message: str) -> dict[str, Any]:
    return {"code": "expression_error", "message": message, "details": {}}


def _start(execution: Execution, name: str, entries: list[Entry], rows: list[NodeRow]) -> None:
    before = execution.states.get(name)
    attempts = (before.attempts if before else 0) + 1
    execution.states[name] = NodeState(NodeStatus.RUNNING, attempts)
    execution.current, execution.started_at = name, clock.now()
    summary = _announcement(execution.definition["nodes"][name]["type"])
    phase = Phase.STARTED
    if before:
        phase, summary = Phase.RETRYING, f"Its worker was lost; attempt {attempts}. {summary}"
    entries.append(Entry(name, phase, summary, {"attempt": attempts}))
    rows.append(_row(execution, name, started_at=execution.started_at))


def _announcement(node_type: str) -> str:
    try:
        return registry.get(node_type).started
    except registry.UnknownNodeType as error:
        return str(error)  # its attempt fails; raising here would undo the step, and the run would try it for ever


def _row(
    execution: Execution,
    name: str,
    *,
    output: dict[str, Any] | None = None,
    error: dict[str, Any] | None = None,
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
) -> NodeRow:
    state, run = execution.states[name], execution.run
    place = (uuid7(), run.id, run.org_id, name)
    return NodeRow(*place, state.status, state.attempts, output, error, started_at, finished_at)


def _save(
    execution: Execution, entries: list[Entry], rows: list[NodeRow], ending: dict[str, Any] | None, halt: bool
) -> None:
    run = execution.run
    events = prepare(run, entries)
    if not statements.move_run(run, clock.now() if halt else _lease_end()):
        raise Fenced
    if halt and not ending:  # nobody's: a keeper of this holder must not renew what has just been given back
        Run.objects.filter(pk=run.pk).update(lease_holder="")
    if ending:
        run.version += 1
        run.status = ending["status"]
        Run.objects.filter(pk=run.pk).update(**ending, finished_at=run.last_event_at, version=run.version)
    write(run, events)
    statements.upsert_nodes(rows)
