"""How a node reads its surroundings: the outputs of earlier nodes and its own ``with`` settings.

By default the node of a role has the role's name (``planner`` reads the node ``intent``). A workflow that
calls its nodes otherwise says so: ``"with": {"reads": {"intent": "find_city"}}``.
"""

from collections.abc import Mapping
from typing import Any

from runs.nodes.base import NodeContext, NodeFailure


def output_of(ctx: NodeContext, role: str, key: str) -> Mapping[str, Any]:
    """The output of the node that plays ``role``. Raises ``missing_upstream`` when none has ``key``."""
    output = optional_output_of(ctx, role)
    if output is None or key not in output:
        node = _node_of(ctx, role)
        message = f'The node "{ctx.node}" needs "{key}" from a finished node "{node}" of type {role}.'
        raise NodeFailure("missing_upstream", message, {"node": node, "key": key})
    return output


def optional_output_of(ctx: NodeContext, role: str) -> Mapping[str, Any] | None:
    """The output of the node that plays ``role``, or None when it was skipped or is not in the graph."""
    return ctx.outputs.get(_node_of(ctx, role))


def whole_number(values: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """The integer under ``name``, None if absent or null. Raises ``invalid_input`` when out of range."""
    value = values.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        message = f"{name} must be a whole number from {low} to {high}."
        raise NodeFailure("invalid_input", message, {"field": name})
    return value


def one_of(values: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str | None:
    """The text under ``name``, None when absent or null. Raises ``invalid_input`` for none of the choices."""
    value = values.get(name)
    if value is not None and value not in choices:
        raise NodeFailure("invalid_input", f"{name} must be one of {', '.join(choices)}.", {"field": name})
    return value


def _node_of(ctx: NodeContext, role: str) -> str:
    reads = ctx.config.get("reads")
    return str(reads.get(role, role)) if isinstance(reads, Mapping) else role
