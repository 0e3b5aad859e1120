"""Executes one run, node after node, until it ends, waits, is taken away or the process stops."""

import asyncio
import logging
import re
import threading
import uuid
from typing import Any, Final

import orjson
from django.conf import settings

from runs.engine.plan import outputs
from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeFailure
from runs.services import progress
from runs.services.progress import Execution, Fenced, Outcome

log = logging.getLogger(__name__)

# These end a thread when nobody catches them, and a node of somebody else's may raise them.
_STRANGERS: Final = (Exception, SystemExit, asyncio.CancelledError)
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def execute(
    run_id: uuid.UUID, holder: str, *, stop: threading.Event | None = None, dead_holder: str | None = None
) -> bool:
    """Claim the run and carry it as far as it goes; False when it was not to be had.

    When ``stop`` is set, the node in hand is finished and committed, and the lease given back.
    """
    stop = stop or threading.Event()
    execution = progress.begin(run_id, holder, dead_holder=dead_holder)
    if execution is None:
        return False
    try:
        while execution.current is not None:
            if settings.RUN_PACE_SECONDS:
                stop.wait(settings.RUN_PACE_SECONDS)
            progress.finish_node(execution, run_node(execution), halt=stop.is_set())
    except Fenced:
        log.info("The run was cancelled or taken over; this worker leaves it.", extra={"run_id": str(run_id)})
    return True


def run_node(execution: Execution) -> Outcome:
    """One attempt at the current node. Whatever it raises, or gives that cannot be kept, becomes the node's failure."""
    outcome = _attempt(execution)
    try:
        kept = orjson.dumps([outcome.summary, outcome.output, outcome.error])
    except TypeError as error:
        return _failed("bad_output", f"The node's output is not JSON: {error}.")
    return (
        _failed("bad_output", "The node's output contains a NUL character.")
        if b"\\u0000" in kept and _NUL.search(kept)
        else outcome
    )


def _attempt(execution: Execution) -> Outcome:
    name, run = execution.current, execution.run
    assert name is not None, "nothing is running"
    node = execution.definition["nodes"][name]
    context = NodeContext(
        run_id=str(run.id), node=name, attempt=execution.states[name].attempts, inputs=run.inputs,
        outputs=outputs(execution.states), config=node.get("with", {}),
    )  # fmt: skip
    try:
        result = registry.get(node["type"]).execute(context)
    except NodeFailure as failure:
        return _failed(failure.code, failure.message, failure.details)
    except registry.UnknownNodeType as error:
        return _failed("unknown_node_type", str(error))
    except _STRANGERS as error:
        log.exception("A node stopped with an unexpected error.", extra={"run_id": str(run.id), "node": name})
        # The text of a stranger's exception may hold a secret: it stays in the log.
        return _failed(
            "internal_error",
            f"The node stopped with an unexpected error ({type(error).__name__}); the server's log has it.",
        )
    return Outcome(result.summary, output=result.output)


def _failed(code: str, message: str, details: dict[str, Any] | None = None) -> Outcome:
    return Outcome(message, error={"code": code, "message": message, "details": details or {}})
