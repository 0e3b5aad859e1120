"""Ending a run early."""

import uuid
from typing import Any

from django.db import transaction

from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound
from orchestrator.identity.actors import Actor
from runs.engine.plan import order, plan
from runs.models import Run, RunNode
from runs.services.journal import Entry, prepare, record_run, write
from runs.snapshot import definition_of, node_states
from runs.states import ACTIVE_RUN, NodeStatus, Phase, RunStatus


@transaction.atomic
def cancel_run(*, actor: Actor, run_id: uuid.UUID) -> Run:
    """The run ends ``cancelled`` now, in whatever state it is: its worker is fenced off, so that nothing starts after
    it.

    Cancelling again changes nothing. Raises PermissionDenied, NotFound, and Conflict when the run has already finished
    otherwise.
    """
    actor.require("write")
    run = Run.objects.for_org(actor.org_id).select_for_update().filter(pk=run_id).first()
    if run is None:
        raise NotFound
    if run.status == RunStatus.CANCELLED:
        return run
    if run.status not in ACTIVE_RUN:
        raise Conflict(f"The run has already {run.status}.", details={"status": run.status})
    _end(run, actor)
    record_run(actor, "run_cancelled", run)
    return run


def _end(run: Run, actor: Actor) -> None:
    now = clock.now()
    running = RunNode.objects.filter(run=run, status=NodeStatus.RUNNING)
    interrupted = sorted(running.values_list("node", flat=True))
    running.update(status=NodeStatus.CANCELLED, finished_at=now)
    events = prepare(run, _entries(run, interrupted, actor))
    run.status, run.finished_at = RunStatus.CANCELLED, now
    run.lease_token += 1  # the worker's next write names the old token and is refused
    run.version += 1
    run.save(update_fields=["status", "finished_at", "lease_token", "version", "next_sequence", "last_event_at"])
    write(run, events)


def _entries(run: Run, interrupted: list[str], actor: Actor) -> list[Entry]:
    """One event for each node that was stopped; when none was, one at the first node, which will never start."""
    payload: dict[str, Any] = {"actor": str(actor)}
    if interrupted:
        return [Entry(node, Phase.CANCELLED, f"Cancelled by {actor} while it ran.", payload) for node in interrupted]
    return [Entry(_first_node(run), Phase.CANCELLED, f"Cancelled by {actor} before it started.", payload)]


def _first_node(run: Run) -> str:
    """The node that would have started next."""
    definition = definition_of(run)
    ready = plan(definition, run.inputs, node_states(run)).ready
    return ready[0] if ready else order(definition)[0]
