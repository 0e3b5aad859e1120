"""Starting runs."""

from typing import Any

from django.db import transaction

from orchestrator.core import clock
from orchestrator.identity.actors import Actor
from runs import definitions
from runs.engine import dispatch
from runs.models import Run
from runs.services.journal import record_run
from runs.snapshot import definition_in


def start_run(
    *, actor: Actor, inputs: dict[str, Any], workflow: str = definitions.BUILT_IN, ref: str | None = None
) -> Run:
    """A queued run of a frozen version of ``workflow``. Its row and event are durable before any worker hears of it. An
    org that never had the built-in workflow gets it now.

    Raises PermissionDenied, and ValidationFailed for an unknown workflow or ref, or inputs that break its schema.
    """
    actor.require("write")
    try:
        return _start(actor, inputs, workflow, ref)
    except definitions.UnknownWorkflow:
        if workflow != definitions.BUILT_IN:
            raise
    # In a transaction of its own, because it records an event; again also when it was there: somebody else's first run
    # may have made it in between.
    definitions.ensure_built_in(actor.org_id)
    return _start(actor, inputs, workflow, ref)


@transaction.atomic
def _start(actor: Actor, inputs: dict[str, Any], workflow: str, ref: str | None) -> Run:
    pinned = definitions.pin(actor, workflow, ref)
    definitions.check_inputs(definition_in(pinned.snapshot_id), inputs)
    run = Run.objects.create(
        org_id=actor.org_id, workflow=workflow, artifact_id=pinned.artifact_id, snapshot_id=pinned.snapshot_id,
        inputs=inputs, created_by=str(actor), created_at=clock.now(),
    )  # fmt: skip
    record_run(actor, "run_created", run)
    transaction.on_commit(lambda: dispatch.dispatch(run.id))
    return run
