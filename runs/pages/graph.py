"""A run's graph: its nodes as rows, and as a drawing with their states."""

import functools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.web.graphs import Drawing, Layout, Shown, layout
from orchestrator.web.templatetags.formats import duration
from runs.engine.plan import Graph
from runs.models import Run, RunNode
from runs.pages.waits import sentences
from runs.snapshot import graph_in, reached
from runs.states import ACTIVE_RUN, FINAL_NODE, NodeStatus

_ROW = ("node", "status", "attempts", "recoveries", "error", "waiting_on", "started_at", "finished_at")


@dataclass(frozen=True, slots=True)
class NodeView:
    """``state`` is the node's status, or ``unreached`` when the run ended before its turn."""

    name: str
    type: str
    state: str
    needs: tuple[str, ...] = ()
    attempts: int = 0
    recoveries: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str = ""
    waiting_on: Mapping[str, Any] = field(default_factory=dict)

    @property
    def waits_for(self) -> str:
        return sentences([dict(self.waiting_on)])[0] if self.waiting_on and self.state not in FINAL_NODE else ""

    @property
    def asks(self) -> bool:
        """Somebody must decide on it."""
        return self.state == NodeStatus.WAITING and self.waiting_on.get("kind") == "approval"

    @property
    def items(self) -> tuple[int, int] | None:
        """Of a mapped node that is being executed: how many items have ended, and how many there are."""
        if self.waiting_on.get("kind") != "items":
            return None
        return int(self.waiting_on.get("ended", 0)), int(self.waiting_on.get("total", 0))


def node_views(run: Run, graph: Graph) -> list[NodeView]:
    """The nodes in the order of the graph. One query."""
    rows = {row.node: row for row in reached(run).only(*_ROW)}
    unreached = "pending" if run.status in ACTIVE_RUN else "unreached"
    return [view_of(name, graph, rows.get(name), unreached) for name in graph.order]


def view_of(name: str, graph: Graph, row: RunNode | None, unreached: str) -> NodeView:
    kind, needs = graph.nodes[name]["type"], graph.needs(name)
    if row is None:
        return NodeView(name, kind, unreached, needs)
    return NodeView(
        name, kind, row.status, needs, row.attempts, row.recoveries, row.started_at, row.finished_at,
        error_text(row.error), row.waiting_on or {},
    )  # fmt: skip


def error_text(error: Any) -> str:
    return str(error.get("message") or error.get("code") or "") if isinstance(error, dict) else ""


def progress(nodes: list[NodeView]) -> tuple[int, int]:
    """How many nodes are behind the run, and how many there are."""
    passed = (NodeStatus.COMPLETED, NodeStatus.SKIPPED)
    return sum(node.state in passed for node in nodes), len(nodes)


def drawing(run: Run, nodes: list[NodeView]) -> Drawing | None:
    """Each box leads to the node's row. None when the graph is too large to be drawn: the rows have all of it."""
    known = {node.name: node for node in nodes}
    placed = layout_of(run.snapshot_id)
    if placed is None:
        return None
    boxes = [
        Shown(box, f"#node-{box.name}", known[box.name].state, _note(known[box.name]), _title(known[box.name]))
        for box in placed.boxes
    ]
    return Drawing("The graph of the run, from left to right", placed, boxes)


@functools.lru_cache(maxsize=256)
def layout_of(snapshot_id: uuid.UUID) -> Layout | None:
    """Where the nodes of a run_snapshot stand. It never changes."""
    graph = graph_in(snapshot_id)
    helped = graph.fallback_for
    return layout({name: [*graph.needs(name), *([helped[name]] if name in helped else [])] for name in graph.order})


def _note(node: NodeView) -> str:
    if node.items:
        return f"{node.state} · {node.items[0]} of {node.items[1]} items"
    took = duration(node.started_at, node.finished_at)
    again = f" · attempt {node.attempts}" if node.attempts > 1 else ""
    return f"{node.state}{f' · {took}' if took else ''}{again}"


def _title(node: NodeView) -> str:
    return f"{node.name} ({node.type}): {node.error or node.waits_for or node.state}"
