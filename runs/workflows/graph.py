"""The rules of the graph that a schema cannot say. What has the wrong shape is passed over: shape.py tells that."""

from collections.abc import Iterator
from typing import Any

from runs.nodes import registry
from runs.nodes.base import ANY_SETTINGS
from runs.workflows.circles import Graph, backwards, circle, drawn, knots
from runs.workflows.expressions import expression_fault
from runs.workflows.fallbacks import fallback_edges, fallback_faults
from runs.workflows.settings import Room, settings_faults
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
    yield from _settings_faults(nodes)
    needs = {name: _needs_of(node) for name, node in found.items()}
    yield from _need_faults(needs)
    yield from fallback_faults(found)
    stepping_in = fallback_edges(found)
    edges = {name: [*_edges(name, needs), *stepping_in.get(name, ())] for name in needs}
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
    yield from _expression_fault(definition, "output")
    yield from _expression_fault(definition.get("concurrency"), "key", "concurrency")
    for name, node in nodes.items():
        yield from _expression_fault(node, "when", "nodes", name)
        yield from _expression_fault(node.get("map"), "over", "nodes", name, "map")


def _expression_fault(holder: Any, member: str, *place: str) -> Iterator[Fault]:
    text = holder.get(member) if isinstance(holder, dict) else None
    if isinstance(text, str) and is_expression(text) and (told := expression_fault(text)):
        yield Fault(pointer((*place, member)), told)


def _settings_faults(nodes: Nodes) -> Iterator[Fault]:
    schemas = {name: registry.get(name).schema for name in registry.names()}
    room = Room()
    for name, node in nodes.items():
        settings, kind = node.get("with", {}), node.get("type")
        if isinstance(settings, dict):
            schema = schemas.get(kind, ANY_SETTINGS) if isinstance(kind, str) else ANY_SETTINGS
            yield from settings_faults(schema, settings, ("nodes", name, "with"), room)


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
        if following in needs[found[0]]:
            place: tuple[str | int, ...] = (found[0], "needs", needs[found[0]].index(following))
            mend = "Take one of these needs out."
        else:  # it steps in for the one that follows
            place = (following, "on_failure", "fallback")
            mend = "Take one of these needs out, or name another fallback."
        yield Fault(pointer(("nodes", *place)), f"Each of these nodes waits for the next: {drawn(found)}. {mend}")


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
