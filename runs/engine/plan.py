"""The pure plan: from a graph and the states of its nodes to what is ready. No database, no clock.

A node is ready when all that it needs has passed, at least one of them was not skipped, and its ``when`` (JMESPath over
the variables of the run) holds. When ``when`` does not hold, or all that it needs was skipped, it is skipped.

A node has passed when it is completed or skipped; a failed one when its ``on_failure`` lets the run go on, or when its
fallback has passed. A fallback is ready when its node has failed, and is skipped when its node need not be helped.
"""

import graphlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runs.states import FINAL_NODE, NodeStatus
from runs.workflows.evaluation import EvaluationError, search


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node that has been reached. The plan looks at the first four; the rest is the engine's bookkeeping.

    ``token`` fences: each start of an attempt, and each taking away, adds 1. ``due_at`` is when a pending node may
    start, a running one is out of time, and a waiting one has waited long enough. ``asks`` names the agent definition
    whose instances may take the node's prompt.
    """

    status: str
    attempts: int = 0
    output: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    recoveries: int = 0
    token: int = 0
    queue: str = ""
    waiting_on: dict[str, Any] | None = None
    due_at: datetime | None = None
    lease_holder: str = ""
    lease_expires_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    asks: str = ""


class Graph:
    """A definition with what is asked of it again and again worked out once. Nobody writes to it.

    ``order``: each node after what it needs, among equals as the definition names them. ``followers``: the nodes that
    may become ready when a node ends. Raises graphlib.CycleError, which names the cycle.
    """

    __slots__ = ("definition", "fallback_for", "followers", "nodes", "order")

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.definition = definition
        self.nodes: Mapping[str, Any] = definition["nodes"]
        self.fallback_for = {
            fallback: name for name, node in self.nodes.items() if (fallback := fallback_of(node)) is not None
        }
        needs = {name: self._waits_for(name) for name in self.nodes}
        self.order = _sorted(needs)
        behind: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name in self.order:
            for need in needs[name]:
                behind[need].append(name)
        for fallback in self.order:  # a fallback's own fallback after it
            if (helped := self.fallback_for.get(fallback)) is not None:  # what follows the one follows the other
                behind[fallback] = [*behind[fallback], *(each for each in behind[helped] if each != fallback)]
        self.followers: Mapping[str, tuple[str, ...]] = {name: tuple(found) for name, found in behind.items()}

    def needs(self, name: str) -> tuple[str, ...]:
        return tuple(self.nodes[name].get("needs", ()))

    def _waits_for(self, name: str) -> tuple[str, ...]:
        helped = self.fallback_for.get(name)
        return self.needs(name) if helped is None else (*self.needs(name), helped)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next.

    ``ready`` may start now, in this order; ``skipped`` maps nodes to the reason why they never will.
    """

    ready: tuple[str, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    finished: bool = False


class Unplannable(Exception):
    """A node's ``when`` cannot be evaluated over what the run has so far; the text says why."""

    def __init__(self, node: str, error: EvaluationError) -> None:
        super().__init__(f"The condition of {node!r} cannot be evaluated: {error}")
        self.node = node


def plan(
    graph: Graph,
    states: Mapping[str, NodeState],
    variables: Mapping[str, Any],
    after: Iterable[str] | None = None,
) -> Plan:
    """What is ready, in the graph's stable order. With ``after``, only what may have become so by the end of these
    nodes. A node that has a state is never ready again.

    Raises Unplannable.
    """
    known = dict(states)
    ready: list[str] = []
    skipped: dict[str, str] = {}
    left = list(graph.order) if after is None else [each for name in after for each in graph.followers[name]]
    for name in left:  # grows as nodes are skipped
        if name in known or name in ready or not _is_reached(graph, known, name):
            continue
        if reason := _reason_to_skip(graph, name, known, variables):
            skipped[name] = reason
            known[name] = NodeState(NodeStatus.SKIPPED)
            if after is not None:
                left.extend(graph.followers[name])
        else:
            ready.append(name)
    return Plan(tuple(ready), skipped, finished=_is_finished(graph, known))


def fallback_of(node: Mapping[str, Any]) -> str | None:
    """The node that helps when this one has failed."""
    found = node.get("on_failure")
    return str(found["fallback"]) if isinstance(found, Mapping) else None


def passes(graph: Graph, states: Mapping[str, NodeState], name: str) -> bool:
    """Whether the node is behind the run: what needs it may go on."""
    state = states.get(name)
    if state is None or state.status not in FINAL_NODE:
        return False
    if state.status != NodeStatus.FAILED:
        return state.status in _PASSABLE
    fallback = fallback_of(graph.nodes[name])
    if fallback is None:
        return bool(graph.nodes[name].get("on_failure") == "continue")
    # A fallback that was not wanted has not helped: the failure stands.
    return passes(graph, states, fallback) and states[fallback].status != NodeStatus.SKIPPED


def variables_of(
    graph: Graph, inputs: Mapping[str, Any], states: Mapping[str, NodeState], run: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What expressions may speak of: ``inputs``, ``nodes`` (outputs by id; that of a fallback also under the node that
    it helped), ``errors`` of the nodes that failed, ``run``.
    """
    found: dict[str, Any] = {"inputs": inputs, "nodes": {}, "errors": {}, "run": run or {}}
    for name, state in states.items():
        learn(found, graph, name, state)
    return found


def learn(variables: dict[str, Any], graph: Graph, name: str, state: NodeState) -> None:
    """Bring ``variables`` up to date with the new state of one node."""
    nodes, errors = variables["nodes"], variables["errors"]
    nodes.pop(name, None)  # it may have been reset, and have ended otherwise since
    errors.pop(name, None)
    if state.status == NodeStatus.FAILED:
        error = state.error or {}
        errors[name] = {"code": error.get("code"), "message": error.get("message")}
    elif state.status == NodeStatus.COMPLETED or state.output is not None:
        nodes[name] = state.output or {}
    helped = graph.fallback_for.get(name)
    while helped is not None and state.status not in (NodeStatus.SKIPPED, NodeStatus.CANCELLED):
        nodes.pop(helped, None)
        if state.status == NodeStatus.COMPLETED:
            nodes[helped] = state.output or {}
        helped = graph.fallback_for.get(helped)


_PASSABLE = frozenset({NodeStatus.COMPLETED, NodeStatus.SKIPPED})


def _is_reached(graph: Graph, known: Mapping[str, NodeState], name: str) -> bool:
    helped = graph.fallback_for.get(name)
    if helped is not None and (helped not in known or known[helped].status not in (*_PASSABLE, NodeStatus.FAILED)):
        return False
    return all(passes(graph, known, need) for need in graph.needs(name))


def _reason_to_skip(graph: Graph, name: str, known: Mapping[str, NodeState], variables: Mapping[str, Any]) -> str:
    helped, needs = graph.fallback_for.get(name), graph.needs(name)
    if helped is not None and known[helped].status != NodeStatus.FAILED:
        return f"Not needed: {helped!r} did not fail."
    if needs and all(known[need].status == NodeStatus.SKIPPED for need in needs):
        return f"All that it needs was skipped: {', '.join(needs)}."
    try:
        if (condition := graph.nodes[name].get("when")) and not search(condition, variables):
            return "Not needed: its condition does not hold."
    except EvaluationError as error:
        raise Unplannable(name, error) from error
    return ""


def _is_finished(graph: Graph, known: Mapping[str, NodeState]) -> bool:
    return len(known) >= len(graph.nodes) and all(passes(graph, known, name) for name in graph.order)


def _sorted(needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    sorter = graphlib.TopologicalSorter(needs)
    sorter.prepare()
    rank, found = {name: position for position, name in enumerate(needs)}, []
    while sorter.is_active():
        batch = sorted(sorter.get_ready(), key=rank.__getitem__)
        found.extend(batch)
        sorter.done(*batch)
    return tuple(found)
