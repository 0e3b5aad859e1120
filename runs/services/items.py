"""Mapped nodes: one node, executed once for each item of a list, a few at a time.

The items are nodes of their own, called ``node[0]``, ``node[1]``…; the node itself waits for them. It keeps how many
there are, how many have been made ready and how many have ended, and nothing of the list: the expression gives the same
list again, because what it speaks of does not change once the node has been reached.
"""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from runs.engine.plan import NodeState
from runs.services import outputs
from runs.services.executions import Execution
from runs.services.outcomes import fault
from runs.states import NodeStatus, Phase
from runs.workflows.evaluation import EvaluationError, search

if TYPE_CHECKING:
    from runs.services.steps import Step

MOST_ITEMS: Final = 10_000
_ITEM: Final = re.compile(r"(.+)\[(\d+)\]")


def is_item(name: str) -> bool:
    return name.endswith("]")


def node_of(name: str) -> str:
    """The node's id, of an item, too."""
    return name.partition("[")[0]


def index_of(name: str) -> int | None:
    found = _ITEM.fullmatch(name)
    return int(found[2]) if found else None


def items_of(execution: Execution, name: str) -> list[Any]:
    """The list that the node is mapped over. Raises ValueError, whose text says what is wrong with it."""
    if name not in execution.lists:
        execution.lists[name] = _evaluated(execution, name)
    return execution.lists[name]


def _evaluated(execution: Execution, name: str) -> list[Any]:
    try:
        found = search(execution.graph.nodes[name]["map"]["over"], execution.variables)
    except EvaluationError as error:
        raise ValueError(f"What it is mapped over cannot be evaluated: {error}") from error
    if not isinstance(found, list):
        raise ValueError(f"What it is mapped over is no list but {type(found).__name__}.")
    if len(found) > MOST_ITEMS:
        raise ValueError(f"It is mapped over {len(found)} items; {MOST_ITEMS} is the most.")
    return found


def open_map(step: "Step", name: str) -> None:
    """Make the first items ready; a node without items is completed at once."""
    node = step.node(name)
    try:
        step.execution.lists.pop(name, None)
        total = len(items_of(step.execution, name))
    except ValueError as error:
        step.give_up(name, fault("bad_map", str(error)))
        return
    past = step.execution.past.get(name) or NodeState(NodeStatus.PENDING)
    step.set(name, replace(past, attempts=past.attempts + 1, started_at=step.now, due_at=step.now))
    step.note(name, Phase.STARTED, f"{total} items, {node['map'].get('concurrency', 10)} at a time.", {"items": total})
    if not total:
        _close(step, name, 0)
        return
    first = min(total, node["map"].get("concurrency", 10))
    on = {"kind": "items", "total": total, "made": first, "ended": 0, "bytes": 0}
    step.set(name, replace(step.state(name), status=NodeStatus.WAITING, waiting_on=on, due_at=None))
    for index in range(first):
        step.make_pending(f"{name}[{index}]")


def item_ended(step: "Step", name: str) -> None:
    """An item is done or has failed for good: the next one is made ready, or its node is completed."""
    parent = node_of(name)
    before, node = step.state(parent), step.node(parent)
    error = step.state(name).error
    if error is not None and node.get("on_failure") != "continue":
        _fail(step, parent, {**error, "item": index_of(name)}, f"{name} has failed")
        return
    on = dict(before.waiting_on or {})
    on["ended"] += 1
    on["bytes"] = on.get("bytes", 0) + outputs.size(step.state(name).output)
    if on["bytes"] > outputs.MOST:
        told = f"The outputs of its items have more than {outputs.MOST} bytes of JSON together."
        _fail(step, parent, fault("output_too_large", told), f"{parent} has failed")
        return
    if on["made"] < on["total"]:
        step.make_pending(f"{parent}[{on['made']}]")
        on["made"] += 1
    step.set(parent, replace(before, waiting_on=on))
    if on["ended"] == on["total"]:
        _close(step, parent, on["total"])


def _close(step: "Step", parent: str, total: int) -> None:
    """The node is completed with the outputs of its items, in their order; None stands for one that failed."""
    states = [step.state(f"{parent}[{index}]") for index in range(total)]
    failed = sum(state.error is not None for state in states)
    output = {"items": [state.output for state in states], "failed": failed}
    step.complete(parent, output, f"{total - failed} of {total} items done.")


def _fail(step: "Step", parent: str, error: dict[str, Any], why: str) -> None:
    for other in tuple(step.execution.moving):
        if is_item(other) and node_of(other) == parent:
            step.cancel(other, f"{why}.")
    step.fail(parent, error, f"{why}: {error.get('message', '')}")
