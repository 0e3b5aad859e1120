"""The rules of the graph that a schema cannot say. What has the wrong shape is passed over: shape.py tells that."""

from collections.abc import Iterator
from typing import Any

from runs.nodes import registry
from runs.workflows.circles import Graph, backwards, circle, drawn, knots
from runs.workflows.expressions import expression_fault
from runs.workflows.shape import MAX_NEEDS, is_delay, is_expression, is_id, is_type, nodes_of
from runs.workflows.wording import Speller, pointer, shown
from versioning.rules import Fault

Nodes = dict[str, Any]


def graph_faults(definition: dict[str, Any]) -> Iterator[Fault]:
    """All that is wrong with what the nodes name and with how they hang together."""
    found = nodes_of(definition)
    nodes = {name: node for name, node in found.items() if isinstance(node, dict)}
    yield from _type_faults(nodes)
    yield from _retry_faults(nodes)
    yield from _expression_faults(definition, nodes)
    needs = {name: _needs_of(node) for name, node in found.items()}
    yield from _need_faults(needs)
    edges = {name: _edges(name, needs) for name in needs}
    if tied := knots(edges):
        yield from _circle_faults(tied, edges, needs)
        yield from _end_faults(edges, {name for knot in tied for name in knot})


def _type_faults(nodes: Nodes) -> Iterator[Fault]:
    names = registry.names()
    known, closest = frozenset(names), Speller(names)
    for name, node in nodes.items():
        kind = node.get("type")
        if is_type(kind) and kind not in known:
            told = f"There is no node type {shown(kind)}, only {', '.join(names)}.{closest(kind)}"
            yield Fault(pointer(("nodes", name, "type")), told)


def _retry_faults(nodes: Nodes) -> Iterator[Fault]:
    for name, node in nodes.items():
        if isinstance(retry := node.get("retry"), dict):
            least, most = retry.get("delay_seconds"), retry.get("max_delay_seconds")
            if least is not None and most is not None and is_delay(least) and is_delay(most) and most < least:
                told = f"The longest delay is less than the first one: make it {least} or more, or leave it out."
                yield Fault(pointer(("nodes", name, "retry", "max_delay_seconds")), told)


def _expression_faults(definition: dict[str, Any], nodes: Nodes) -> Iterator[Fault]:
    if "output" in definition and is_expression(definition["output"]):
        if told := expression_fault(definition["output"]):
            yield Fault("/output", told)
    for name, node in nodes.items():
        if "when" in node and is_expression(node["when"]):
            if told := expression_fault(node["when"]):
                yield Fault(pointer(("nodes", name, "when")), told)


def _needs_of(node: Any) -> list[Any]:
    needs = node.get("needs") if isinstance(node, dict) else None
    return needs if isinstance(needs, list) and len(needs) <= MAX_NEEDS else []


def _need_faults(needs: dict[str, list[Any]]) -> Iterator[Fault]:
    closest = Speller(needs)
    for name, needed in needs.items():
        for position, need in enumerate(needed):
            if need == name:
                told = f"{shown(name)} needs itself: leave that out."
            elif not is_id(need) or need in needs:
                continue
            else:
                told = f"There is no node {shown(need)}: add it, or leave it out here.{closest(need)}"
            yield Fault(pointer(("nodes", name, "needs", position)), told)


def _edges(name: str, needs: dict[str, list[Any]]) -> list[str]:
    """The needs that a node may have: an unknown one and the node itself are told of already, and once is enough."""
    return [need for need in needs[name] if isinstance(need, str) and need in needs and need != name]


def _circle_faults(tied: list[list[str]], edges: Graph, needs: dict[str, list[Any]]) -> Iterator[Fault]:
    for knot in tied:
        found = circle(knot, edges)
        following = found[1]  # a node that needs itself is no circle here
        place = ("nodes", found[0], "needs", needs[found[0]].index(following))
        told = f"Each of these nodes waits for the next: {drawn(found)}. Take one of these needs out."
        yield Fault(pointer(place), told)


def _end_faults(edges: Graph, circular: set[str]) -> Iterator[Fault]:
    """Only a graph with a circle can lack a beginning or an end, or have nodes that are never reached."""
    entries = [name for name, needed in edges.items() if not needed]
    if not entries:
        yield Fault("/nodes", "No node can be the first: let at least one need no other.")
    if not edges.keys() - {need for needed in edges.values() for need in needed}:
        yield Fault("/nodes", "No node can be the last: let at least one be needed by no other.")
    for name in sorted(edges.keys() - circular - _reached(entries, edges)):
        told = f"{shown(name)} is never reached: all that it needs waits for a circle. Break the circle."
        yield Fault(pointer(("nodes", name)), told)


def _reached(entries: list[str], edges: Graph) -> set[str]:
    behind, found, seen = backwards(edges), list(entries), set(entries)
    for name in found:  # grows as it goes
        fresh = [other for other in behind[name] if other not in seen]
        seen.update(fresh)
        found.extend(fresh)
    return seen
