"""A picture of a run's graph: its nodes in columns, each after all that it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runs.engine.plan import Graph
from runs.models import Run, RunNode
from runs.snapshot import reached
from runs.states import ACTIVE_RUN, NodeStatus


@dataclass(frozen=True, slots=True)
class NodeView:
    """``state`` is the node's status, or ``unreached`` when the run ended before its turn. ``after``: what it needs,
    where the column before it does not say so.
    """

    name: str
    type: str
    state: str
    after: str
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None


def columns(run: Run, graph: Graph) -> list[list[NodeView]]:
    """The nodes by their distance from the start, longest way first. One query."""
    fields = ("node", "status", "attempts", "started_at", "finished_at")
    rows = {row.node: row for row in reached(run).only(*fields)}
    levels = _levels(graph)
    names_at: list[list[str]] = [[] for _ in range(max(levels.values(), default=-1) + 1)]
    for name, level in levels.items():
        names_at[level].append(name)
    unreached = "pending" if run.status in ACTIVE_RUN else "unreached"
    return [
        [_view(name, graph.nodes[name], rows.get(name), before, unreached) for name in names]
        for before, names in zip([[], *names_at], names_at, strict=False)
    ]


def progress(graph: list[list[NodeView]]) -> tuple[int, int]:
    """How many nodes are behind the run, and how many there are."""
    nodes = [node for column in graph for node in column]
    passed = (NodeStatus.COMPLETED, NodeStatus.SKIPPED)
    return sum(node.state in passed for node in nodes), len(nodes)


def _levels(graph: Graph) -> dict[str, int]:
    levels: dict[str, int] = {}
    for name in graph.order:
        needs = graph.needs(name)
        levels[name] = 1 + max((levels[need] for need in needs), default=-1)
    return levels


def _view(name: str, node: Mapping[str, Any], row: RunNode | None, before: list[str], unreached: str) -> NodeView:
    needs = node.get("needs", [])
    after = "" if set(needs) == set(before) else ", ".join(needs)
    if row is None:
        return NodeView(name, node["type"], unreached, after)
    return NodeView(name, node["type"], row.status, after, row.attempts, row.started_at, row.finished_at)
