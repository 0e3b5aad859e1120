"""Drawings of definitions: one alone, or two laid over each other with what differs between them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from orchestrator.web.graphs import Drawing, Layout, Shown, layout
from versioning.documents import graph

ADDED: Final = "added"
REMOVED: Final = "removed"
CHANGED: Final = "changed"

Needs = dict[str, list[str]]


def drawing_of(definition: Any, label: str) -> Drawing | None:
    """The graph, each node with a link to its row ``#node-<name>``; None when it is too large to be drawn."""
    nodes, laid = graph.nodes(definition), layout(needs_of(definition))
    if laid is None:
        return None
    boxes = [Shown(box, f"#node-{box.name}", note=_type(nodes[box.name]), title=box.name) for box in laid.boxes]
    return Drawing(label, laid, boxes)


def difference(old: Any, new: Any, found: Mapping[str, Any], elsewhere: str) -> Drawing | None:
    """Both graphs in one, by ``found`` (documents.diff.changes): words beside the colours say what changed.

    What is the same links to its row on the page ``elsewhere``, the rest to one on this page.
    """
    nodes = {**graph.nodes(old), **graph.nodes(new)}
    laid = _laid(old, new)
    if laid is None:
        return None
    states = {box.name: _state(box.name, found) for box in laid.boxes}
    boxes = [
        Shown(
            box, f"{'' if states[box.name] else elsewhere}#node-{box.name}", states[box.name],
            _note(states[box.name], nodes[box.name]), box.name,
        )
        for box in laid.boxes
    ]  # fmt: skip
    return Drawing("Both versions in one graph", _with_edges(laid, found), boxes)


def needs_of(definition: Any) -> Needs:
    """Each node with what it needs, the definition's order kept."""
    needs: Needs = {name: [] for name in graph.nodes(definition)}
    for needed, name in sorted(graph.edges(definition)):
        needs[name].append(needed)
    return needs


def _laid(old: Any, new: Any) -> Layout | None:
    before, after = needs_of(old), needs_of(new)
    both = {name: [*before.get(name, ()), *after.get(name, ())] for name in {**before, **after}}
    try:
        return layout(both)
    except ValueError:  # an edge was turned around: what is gone between nodes that stay is left out
        return layout({name: after[name] if name in after else before[name] for name in both})


def _with_edges(laid: Layout, found: Mapping[str, Any]) -> Layout:
    states = {(edge["from"], edge["to"]): state for state in (ADDED, REMOVED) for edge in found["edges"][state]}
    edges = [replace(edge, state=states.get((edge.source, edge.target), "")) for edge in laid.edges]
    return replace(laid, edges=edges)


def _state(name: str, found: Mapping[str, Any]) -> str:
    nodes = found["nodes"]
    both_ways = name in nodes[ADDED] and name in nodes[REMOVED]
    return CHANGED if both_ways else next((state for state in (ADDED, REMOVED, CHANGED) if name in nodes[state]), "")


def _note(state: str, node: Any) -> str:
    return f"{state}: {_type(node)}" if state else _type(node)


def _type(node: Any) -> str:
    return str(node.get("type", "")) if isinstance(node, dict) else ""
