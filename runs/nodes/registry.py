"""The node types that a workflow may name."""

from runs.nodes import intent, planner, repair, responder, selector, synth, tool_exec, verifier
from runs.nodes.base import NodeType


class UnknownNodeType(LookupError):
    """No node type has this name."""


_types: dict[str, NodeType] = {}


def get(name: str) -> NodeType:
    """The node type of this name. Raises ``UnknownNodeType``, whose text lists the names there are."""
    try:
        return _types[name]
    except KeyError:
        raise UnknownNodeType(f'There is no node type "{name}". Known types: {", ".join(names())}.') from None


def names() -> list[str]:
    """The registered names, sorted."""
    return sorted(_types)


def register(node_type: NodeType) -> None:
    """Adds a node type. Doing it twice is harmless; raises ``ValueError`` when another type has the name."""
    if _types.setdefault(node_type.name, node_type) != node_type:
        raise ValueError(f'Another node type is already called "{node_type.name}".')


for _module in (intent, planner, selector, tool_exec, verifier, repair, synth, responder):
    register(_module.NODE)
