"""The node types that a workflow may name: ours, and those of packages with entry points in ``orchestrator.nodes``."""

import logging
import threading
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import jsonschema_rs

from runs.nodes import (
    agent,
    approval,
    command,
    http,
    intent,
    llm,
    planner,
    repair,
    responder,
    selector,
    synth,
    tool_exec,
    transform,
    verifier,
    wait,
    workflow,
)
from runs.nodes.base import NodeType

log = logging.getLogger(__name__)
GROUP: Final = "orchestrator.nodes"


class UnknownNodeType(LookupError):
    """No node type has this name."""


_types: dict[str, NodeType] = {}
_plug_ins_loaded = False
_loading = threading.RLock()


def get(name: str) -> NodeType:
    """The node type of this name. Raises ``UnknownNodeType``, whose text lists the names there are."""
    _load_plug_ins()
    try:
        return _types[name]
    except KeyError:
        raise UnknownNodeType(f'There is no node type "{name}". Known types: {", ".join(names())}.') from None


def names() -> list[str]:
    """The registered names, sorted."""
    _load_plug_ins()
    return sorted(_types)


def register(node_type: NodeType) -> None:
    """Adds a node type. Doing it twice is harmless; raises ``ValueError`` when another type has the name."""
    if _types.setdefault(node_type.name, node_type) != node_type:
        raise ValueError(f'Another node type is already called "{node_type.name}".')


def _load_plug_ins() -> None:
    """Once a process, at the first use. A plug-in that cannot be used is logged by its name, and left out."""
    global _plug_ins_loaded
    with _loading:
        if _plug_ins_loaded:
            return
        _plug_ins_loaded = True  # before it is true: a plug-in may ask for names while it is imported
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
            try:
                register(_loaded(entry))
            except (Exception, SystemExit):
                log.exception("The node type %r of %s cannot be used.", entry.name, entry.value)


def _loaded(entry: EntryPoint) -> NodeType:
    node_type = entry.load()
    if not isinstance(node_type, NodeType):
        raise TypeError(f"{entry.value} is no NodeType.")
    if not jsonschema_rs.meta.is_valid(dict(node_type.schema)):
        raise ValueError("Its schema is no JSON Schema.")
    return node_type


for _module in (
    intent, planner, selector, tool_exec, verifier, repair, synth, responder,
    transform, workflow, approval, agent, wait, http, llm, command,
):  # fmt: skip
    register(_module.NODE)
