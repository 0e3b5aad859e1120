"""The graph that a definition draws. Total: what has not the shape of nodes and needs is not counted."""

from typing import Any

Edge = tuple[str, str]


def nodes(definition: Any) -> dict[str, Any]:
    """The nodes by their ids, the definition's own values; none when it has no such object."""
    found = definition.get("nodes") if isinstance(definition, dict) else None
    return found if isinstance(found, dict) else {}


def edges(definition: Any) -> set[Edge]:
    """Each pair (from, to) of which ``to`` needs ``from``, whether or not there is a node ``from``."""
    return {(need, node_id) for node_id, node in nodes(definition).items() for need in _needs(node)}


def counts(definition: Any) -> tuple[int, int]:
    """How many nodes, how many edges."""
    return len(nodes(definition)), len(edges(definition))


def _needs(node: Any) -> list[str]:
    found = node.get("needs") if isinstance(node, dict) else None
    return [need for need in found if isinstance(need, str)] if isinstance(found, list) else []
