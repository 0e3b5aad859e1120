"""Fallbacks: nodes that are executed in place of one that has failed. What the graph asks of them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from runs.workflows.shape import is_id
from runs.workflows.wording import Speller, pointer, shown
from versioning.rules import Fault

Nodes = Mapping[str, Any]
_OWN_MEMBERS: Final = ("needs", "when", "map")


def fallback_of(node: Any) -> str | None:
    """The id of the node that steps in when this one has failed."""
    on_failure = node.get("on_failure") if isinstance(node, dict) else None
    name = on_failure.get("fallback") if isinstance(on_failure, dict) else None
    return name if is_id(name) else None


def fallback_edges(nodes: Nodes) -> dict[str, list[str]]:
    """Of each fallback the nodes that it steps in for: it waits for them, as if it needed them."""
    edges: dict[str, list[str]] = {}
    for name, node in nodes.items():
        fallback = fallback_of(node)
        if fallback is not None and fallback in nodes and fallback != name:
            edges.setdefault(fallback, []).append(name)
    return edges


def fallback_faults(nodes: Nodes) -> Iterator[Fault]:
    """A fallback is another node that is there, of one node only, and nothing but that node's failure starts it."""
    first: dict[str, str] = {}
    closest = Speller(nodes)
    for name, node in nodes.items():
        if (fallback := fallback_of(node)) is None:
            continue
        if fallback == name:
            told = f"{shown(name)} cannot step in for itself: name another node."
        elif fallback not in nodes:
            told = f"There is no node {shown(fallback)}: add it, or name another one.{closest(fallback)}"
        elif (other := first.setdefault(fallback, name)) != name:
            told = f"{shown(fallback)} is the fallback of {shown(other)} already: each node has one of its own."
        else:
            yield from _own_faults(fallback, nodes[fallback], name)
            continue
        yield Fault(pointer(("nodes", name, "on_failure", "fallback")), told)


def _own_faults(name: str, node: Any, of: str) -> Iterator[Fault]:
    if not isinstance(node, dict):
        return
    for member in _OWN_MEMBERS:
        if node.get(member):
            told = f"{shown(name)} is the fallback of {shown(of)} and starts when that has failed: leave this out."
            yield Fault(pointer(("nodes", name, member)), told)
    if fallback_of(node):
        told = f"{shown(name)} is the fallback of {shown(of)} itself: let it fail or continue."
        yield Fault(pointer(("nodes", name, "on_failure")), told)
