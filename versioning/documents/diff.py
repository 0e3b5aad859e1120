"""What two documents differ in: as operations that a machine applies, and as changes of a graph that a person reads."""

from collections.abc import Iterator
from typing import Any

from versioning.documents import graph
from versioning.documents.pointers import ABSENT, MAX_DEPTH, clone, join, same


def operations(a: Any, b: Any) -> list[dict[str, Any]]:
    """The JSON Patch (RFC 6902) that makes ``b`` of ``a``; shares nothing with them, always in the same order.

    Objects are compared member by member. Arrays are replaced as a whole: what matters in a definition has a name.
    """
    return list(_operations((), a, b))


def _operations(path: tuple[str, ...], a: Any, b: Any) -> Iterator[dict[str, Any]]:
    if a is ABSENT:
        yield {"op": "add", "path": join(*path), "value": clone(b)}
    elif b is ABSENT:
        yield {"op": "remove", "path": join(*path)}
    elif isinstance(a, dict) and isinstance(b, dict) and len(path) < MAX_DEPTH:
        for name in sorted(a.keys() | b.keys()):
            yield from _operations((*path, name), a.get(name, ABSENT), b.get(name, ABSENT))
    elif not same(a, b):
        yield {"op": "replace", "path": join(*path), "value": clone(b)}


def changes(a: Any, b: Any) -> dict[str, Any]:
    """Nodes, edges and other fields that came, went or differ between two definitions.

    ``{"nodes": {"added", "removed", "changed"}, "edges": {"added", "removed"}, "fields"}``. Total: a node that is not
    an object on both sides is removed and added; ``nodes`` of which neither side holds a node is a field like others;
    of two documents that are not both objects the field ``""`` is all there is to say.
    """
    if not (isinstance(a, dict) and isinstance(b, dict)):
        fields = {} if same(a, b) else {"": _from_to(a, b)}
        a = b = {}
    else:
        fields = _fields(a, b)
        if graph.nodes(a) or graph.nodes(b):
            fields.pop("nodes", None)
    return {"nodes": _node_changes(graph.nodes(a), graph.nodes(b)), "edges": _edge_changes(a, b), "fields": fields}


def is_empty(found: dict[str, Any]) -> bool:
    """Whether ``changes`` found none: then, and only then, the documents are the same. Edges follow their nodes."""
    return not found["fields"] and not any(found["nodes"].values())


def _node_changes(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    both = {node_id for node_id in a.keys() & b.keys() if _comparable(a[node_id], b[node_id])}
    fields = {node_id: _fields(a[node_id], b[node_id]) for node_id in sorted(both) if isinstance(a[node_id], dict)}
    return {
        "added": {node_id: clone(b[node_id]) for node_id in sorted(b.keys() - both)},
        "removed": {node_id: clone(a[node_id]) for node_id in sorted(a.keys() - both)},
        "changed": {node_id: {"fields": found} for node_id, found in fields.items() if found},
    }


def _comparable(a: Any, b: Any) -> bool:
    return (isinstance(a, dict) and isinstance(b, dict)) or same(a, b)


def _edge_changes(a: Any, b: Any) -> dict[str, Any]:
    before, after = graph.edges(a), graph.edges(b)
    return {"added": _as_json(after - before), "removed": _as_json(before - after)}


def _as_json(edges: set[graph.Edge]) -> list[dict[str, str]]:
    return [{"from": needed, "to": needing} for needed, needing in sorted(edges)]


def _fields(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    pairs = ((name, a.get(name, ABSENT), b.get(name, ABSENT)) for name in sorted(a.keys() | b.keys()))
    return {name: _from_to(before, after) for name, before, after in pairs if not same(before, after)}


def _from_to(a: Any, b: Any) -> dict[str, Any]:
    return {side: clone(value) for side, value in (("from", a), ("to", b)) if value is not ABSENT}
