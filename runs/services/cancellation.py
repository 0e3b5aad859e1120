"""Ending a run early."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from orchestrator.core.errors import Conflict
from orchestrator.identity.actors import Actor
from runs.engine import dispatch
from runs.models import Run
from runs.services import executions, progress
from runs.services.steps import Step
from runs.states import ACTIVE_RUN, NodeStatus, Phase, RunStatus


@transaction.atomic
def cancel_run(*, actor: Actor, run_id: uuid.UUID, only_queued: bool = False) -> Run:
    """From now on nothing of the run starts. It ends ``cancelled``: at once when nothing of it is being executed;
    otherwise as soon as that has stopped, and after CANCEL_GRACE_SECONDS without waiting any longer: whoever is still
    at it is fenced off then. Runs within it are cancelled, too.

    Cancelling again changes nothing. Raises PermissionDenied, NotFound, and Conflict when the run has already finished
    otherwise or, with ``only_queued``, has begun.
    """
    actor.require("write")
    execution = executions.open_seen(Run.objects.for_org(actor.org_id), run_id)
    run = execution.run
    if run.status == RunStatus.CANCELLED or (run.status in ACTIVE_RUN and run.cancel_requested_at is not None):
        return run
    if run.status not in ACTIVE_RUN:
        raise Conflict(f"The run has already {run.status}.", details={"status": run.status})
    if only_queued and run.status != RunStatus.QUEUED:
        raise Conflict("The run has already begun.", details={"status": run.status})
    _cancel(Step(execution, actor=actor), actor)
    return run


def _cancel(step: Step, actor: Actor) -> None:
    run = step.run
    run.cancel_requested_at, run.cancelled_by = step.now, str(actor)
    patience = step.now + timedelta(seconds=settings.CANCEL_GRACE_SECONDS)
    run.due_at = patience if run.due_at is None else min(run.due_at, patience)
    for name in tuple(step.execution.moving):
        if step.state(name).status != NodeStatus.RUNNING:
            step.cancel(name, f"Cancelled by {actor} before it went on.")
            continue
        told = f"Cancelled by {actor}; it has {settings.CANCEL_GRACE_SECONDS} seconds to stop by itself."
        step.note(name, Phase.WAITING, told)
    progress.end_if_still(step)
    if run.status in ACTIVE_RUN:
        step.tell("run_cancelling")
    step.commit()
    transaction.on_commit(lambda: dispatch.interrupt(run.id))
