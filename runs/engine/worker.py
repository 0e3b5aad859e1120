"""Executes what is ready of one run, node after node, until nothing is, the run is taken away, or the process stops."""

import asyncio
import logging
import re
import threading
import uuid
from functools import partial
from typing import Any, Final, Protocol

import orjson
from django.conf import settings

from orchestrator.core import clock
from orchestrator.core.canonical import is_exact
from runs.engine import attempts, dispatch
from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, Waiting
from runs.services import progress
from runs.services.items import index_of, items_of, node_of
from runs.services.journal import show
from runs.services.outcomes import Outcome, failed, fault
from runs.services.progress import Attempt, Fenced
from runs.workflows.settings import check
from runs.workflows.templates import TemplateError, fill

log = logging.getLogger(__name__)

MOST_IN_A_ROW: Final = 64  # nodes of one run, before another run has its turn
# These end a thread when nobody catches them, and a node of somebody else's may raise them.
_STRANGERS: Final = (Exception, SystemExit, asyncio.CancelledError)
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Draining(Protocol):
    """Set when the process is to stop."""

    def is_set(self) -> bool: ...


def execute(run_id: uuid.UUID, holder: str, *, queue: str = "", stop: Draining | None = None) -> bool:
    """Take what is ready of the run for ``queue`` and go on as long as there is something; False when there was nothing
    to be had.

    When ``stop`` is set, the node in hand is finished and committed, and no other one started.
    """
    stop = stop or threading.Event()
    attempt = progress.take(run_id, holder, queue)
    if attempt is None:
        return False
    priority, count = attempt.run.priority, 1
    try:
        while attempt is not None:
            outcome = run_node(attempt)
            attempt = progress.finish(attempt, outcome, more=not stop.is_set() and count % MOST_IN_A_ROW > 0)
            count += 1
        if count > MOST_IN_A_ROW:
            dispatch.offer(run_id, queue, priority=priority)
    except Fenced:
        log.info("The attempt was cancelled, timed out or taken over; what came of it does not count.",
                 extra={"run_id": str(run_id)})  # fmt: skip
    return True


def run_node(attempt: Attempt) -> Outcome:
    """One attempt at a node. Whatever it raises, or gives that cannot be kept, becomes the node's failure."""
    key = (attempt.run.id, attempt.name, attempt.state.token)
    with attempts.hold(key) as stop:
        if settings.RUN_PACE_SECONDS:
            stop.wait(settings.RUN_PACE_SECONDS)
        outcome = _attempt(attempt, stop)
    try:
        kept = orjson.dumps([outcome.summary, outcome.output, outcome.error, outcome.waiting and outcome.waiting.on])
    except TypeError as error:
        return failed("bad_output", f"The node's output is not JSON: {error}.", permanent=True)
    if b"\\u0000" in kept and _NUL.search(kept):
        return failed("bad_output", "The node's output contains a NUL character.", permanent=True)
    if not is_exact([outcome.output, outcome.error, outcome.waiting and outcome.waiting.on]):
        told = "A number in the node's output is beyond 2^53 - 1, which JSON cannot hold exactly; give it as a string."
        return failed("bad_output", told, permanent=True)
    return outcome


def _attempt(attempt: Attempt, stop: threading.Event) -> Outcome:
    run, name = attempt.run, attempt.name
    node = attempt.execution.graph.nodes[node_of(name)]
    try:
        kind = registry.get(node["type"])
        context = _context(attempt, node, stop)
        if faults := check(kind.schema, context.config):
            return failed("invalid_settings", " ".join(faults), permanent=True)
        result = kind.execute(context)
    except NodeFailure as failure:
        error = fault(failure.code, failure.message, failure.details)
        return Outcome(failure.message, error=error, permanent=failure.permanent, retry_after=failure.retry_after)
    except TemplateError as error:
        return failed("expression_error", str(error), permanent=True)
    except registry.UnknownNodeType as error:
        return failed("unknown_node_type", str(error), permanent=True)
    except _STRANGERS as error:
        log.exception("A node stopped with an unexpected error.", extra={"run_id": str(run.id), "node": name})
        # The text of a stranger's exception may hold a secret: it stays in the log.
        told = f"The node stopped with an unexpected error ({type(error).__name__}); the server's log has it."
        return failed("internal_error", told)
    return _outcome(result)


def _context(attempt: Attempt, node: dict[str, Any], stop: threading.Event) -> NodeContext:
    """Raises TemplateError when ``with`` cannot be filled in."""
    run, state, variables = attempt.run, attempt.state, attempt.execution.variables
    if (index := index_of(attempt.name)) is not None:
        variables = {**variables, "item": items_of(attempt.execution, node_of(attempt.name))[index], "index": index}
    left = None if state.due_at is None else max((state.due_at - clock.now()).total_seconds(), 0.001)
    return NodeContext(
        run_id=str(run.id), org_id=str(run.org_id), node=attempt.name, attempt=state.attempts, inputs=run.inputs,
        outputs=variables["nodes"], config=fill(node.get("with", {}), variables),
        idempotency_key=f"{run.id}/{attempt.name}", waited=state.waiting_on, variables=variables, seconds=left,
        stop=stop,
        emit=partial(show, run, attempt.name),
    )  # fmt: skip


def _outcome(result: NodeResult | Waiting) -> Outcome:
    if isinstance(result, Waiting):
        return Outcome(result.summary, waiting=result)
    return Outcome(result.summary, output=result.output)
