"""A run as a worker knows it, kept in memory from one step to the next and brought up to date under the run's lock."""

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from orchestrator.core.errors import NotFound
from runs.engine.plan import Graph, NodeState, learn, variables_of
from runs.models import Run
from runs.services import outputs, statements
from runs.snapshot import graph_in
from runs.states import FINAL_NODE, NodeStatus, RunStatus

_KEPT: Final = 64


@dataclass(slots=True)
class Execution:
    """A run, its graph, and what has become of its nodes, as of the run's ``next_sequence``. One thread at a time has
    it. After any exception it must be thrown away.

    ``moving`` names the nodes and items that have been reached and not ended, the oldest first; ``past`` has what was
    reached once and then reset. ``variables`` is what expressions may speak of.
    """

    run: Run
    graph: Graph
    states: dict[str, NodeState] = field(default_factory=dict)
    moving: dict[str, None] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    past: dict[str, NodeState] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)  # what nodes are mapped over, once evaluated

    def put(self, name: str, state: NodeState) -> None:
        """The node's new state. One that is pending and not due at any time was reset: it is not reached any more."""
        if name in self.graph.nodes:
            output = outputs.whole(self.run.id, state.output, mapped="map" in self.graph.nodes[name])
            learn(self.variables, self.graph, name, state if output is state.output else replace(state, output=output))
        known = self.states.get(name) or self.past.get(name)
        if known is not None and known.token != state.token:  # it was reset since, and maybe reached again
            self.lists.pop(name, None)
        if state.status == NodeStatus.PENDING and state.due_at is None:
            self.states.pop(name, None)
            self.moving.pop(name, None)
            self.past[name] = state
            return
        self.past.pop(name, None)
        self.states[name] = state
        if state.status in FINAL_NODE:
            self.moving.pop(name, None)
        else:
            self.moving.setdefault(name)

    def row(self, name: str) -> NodeState:
        """What the database is to keep of the node."""
        return self.states.get(name) or self.past[name]


def open_locked(run_id: uuid.UUID) -> Execution | None:
    """The run as it is now, its row locked until the transaction ends: from what this process knows already, and what
    has changed since. None when there is no such run.
    """
    known = _take(run_id)
    return lock(known) if known is not None else _read(statements.lock_run(run_id))


def open_seen(runs: QuerySet[Run], run_id: uuid.UUID) -> Execution:
    """The same for somebody who sees ``runs``. Raises NotFound."""
    execution = open_locked(run_id) if runs.filter(pk=run_id).exists() else None
    if execution is None:
        raise NotFound
    return execution


def lock(known: Execution) -> Execution | None:
    """The same for a run that the caller has in hand."""
    place = statements.lock_place(known.run.id)
    # Of a queued run that is not all: its place in a line changes without an event.
    if place != known.run.next_sequence or known.run.status == RunStatus.QUEUED:
        run = statements.lock_run(known.run.id)
        if run is None or run.snapshot_id != known.run.snapshot_id:
            return _read(run)
        for name, state in statements.read_nodes(run.id, known.run.next_sequence):
            known.put(name, state)
        known.run = run
    _hear_of_subruns(known)
    return known


def keep(execution: Execution) -> None:
    """Remember it for the next step of the run, by whichever thread of this process, once the transaction is
    committed.
    """
    transaction.on_commit(lambda: _keep(execution))


def forget() -> None:
    """For tests: another database stands behind the same ids."""
    with _lock:
        _kept.clear()


_kept: OrderedDict[uuid.UUID, list[Execution]] = OrderedDict()
_lock = threading.Lock()


def _keep(execution: Execution) -> None:
    with _lock:
        _kept.setdefault(execution.run.id, []).append(execution)
        _kept.move_to_end(execution.run.id)
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)


def _take(run_id: uuid.UUID) -> Execution | None:
    with _lock:
        found = _kept.get(run_id)
        if not found:
            return None
        execution = found.pop()
        if not found:
            del _kept[run_id]
        return execution


def _hear_of_subruns(known: Execution) -> None:
    """The end of a run within this one makes the node due that waits for it, and moves nothing else: it does not take
    this run's row (statements.wake_parent).
    """
    if any((known.states[name].waiting_on or {}).get("kind") == "run" for name in known.moving):
        for name, due_at in statements.read_due(known.run.id):
            known.put(name, replace(known.states[name], due_at=due_at))


def _read(run: Run | None) -> Execution | None:
    if run is None:
        return None
    graph = graph_in(run.snapshot_id)
    about = {"id": str(run.id), "workflow": run.workflow}
    execution = Execution(run, graph, variables=variables_of(graph, run.inputs, {}, about))
    # A queued run has nodes only if it took some over from another, and then it has their events. One that has begun
    # may have nodes before it has events.
    reached = run.status != RunStatus.QUEUED or run.next_sequence
    for name, state in statements.read_nodes(run.id) if reached else ():
        execution.put(name, state)
    return execution
