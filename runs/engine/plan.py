"""The pure plan: from a definition and the states of its nodes to what is ready. No database, no clock.

A node is ready when all that it needs has finished, at least one of them completed, and its ``when`` (JMESPath over
``inputs`` and ``nodes``, the outputs by node id) holds. When ``when`` does not hold, or all that it needs was skipped,
it is skipped.
"""

import functools
import graphlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from runs.states import NodeStatus


@dataclass(frozen=True, slots=True)
class NodeState:
    """What the plan must know of a node that has left ``pending``."""

    status: str
    attempts: int = 0
    output: dict[str, Any] | None = None


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

    def __init__(self, node: str, error: JMESPathError) -> None:
        super().__init__(f"The condition of {node!r} cannot be evaluated: {error}")
        self.node = node


def plan(definition: Mapping[str, Any], inputs: Mapping[str, Any], states: Mapping[str, NodeState]) -> Plan:
    """Walks the graph once in its stable order. A node that is ``running`` in ``states`` is neither ready nor finished.

    Raises Unplannable.
    """
    nodes, known = definition["nodes"], dict(states)
    ready: list[str] = []
    skipped: dict[str, str] = {}
    for name in order(definition):
        if name in known:
            continue
        needs = nodes[name].get("needs", ())
        if not all(need in known and known[need].status in _PASSABLE for need in needs):
            continue
        if reason := _reason_to_skip(name, nodes[name], inputs, known):
            skipped[name] = reason
            known[name] = NodeState(NodeStatus.SKIPPED)
        else:
            ready.append(name)
    return Plan(tuple(ready), skipped, finished=len(known) == len(nodes) and _all_passed(known))


def order(definition: Mapping[str, Any]) -> tuple[str, ...]:
    """The node ids so that each comes after what it needs; among equals, as the definition names them.

    Raises graphlib.CycleError, which names the cycle.
    """
    return _order(tuple((name, tuple(node.get("needs", ()))) for name, node in definition["nodes"].items()))


def outputs(states: Mapping[str, NodeState]) -> dict[str, dict[str, Any]]:
    """The outputs of the completed nodes; skipped ones have none."""
    return {name: state.output or {} for name, state in states.items() if state.status == NodeStatus.COMPLETED}


def evaluate(expression: str, inputs: Mapping[str, Any], states: Mapping[str, NodeState]) -> Any:
    """A JMESPath expression over the run so far."""
    return _compiled(expression).search({"inputs": inputs, "nodes": outputs(states)})


_PASSABLE = frozenset({NodeStatus.COMPLETED, NodeStatus.SKIPPED})


def _reason_to_skip(
    name: str, node: Mapping[str, Any], inputs: Mapping[str, Any], known: Mapping[str, NodeState]
) -> str:
    needs = node.get("needs", ())
    if needs and all(known[need].status == NodeStatus.SKIPPED for need in needs):
        return f"All that it needs was skipped: {', '.join(needs)}."
    try:
        if "when" in node and not evaluate(node["when"], inputs, known):
            return "Not needed: its condition does not hold."
    except JMESPathError as error:
        raise Unplannable(name, error) from error
    return ""


def _all_passed(known: Mapping[str, NodeState]) -> bool:
    return all(state.status in _PASSABLE for state in known.values())


@functools.lru_cache(maxsize=1024)
def _order(graph: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[str, ...]:
    sorter = graphlib.TopologicalSorter(dict(graph))
    sorter.prepare()
    rank, found = {name: position for position, (name, _) in enumerate(graph)}, []
    while sorter.is_active():
        batch = sorted(sorter.get_ready(), key=rank.__getitem__)
        found.extend(batch)
        sorter.done(*batch)
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)
