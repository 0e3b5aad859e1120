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


@transaction.atomic
def start_run(
    *, actor: Actor, inputs: dict[str, Any], workflow: str = definitions.BUILT_IN, ref: str | None = None
) -> Run:
    """A queued run of a frozen version of ``workflow``. Its row and event are durable before any worker hears of it.

    Raises PermissionDenied, and ValidationFailed for an unknown workflow or ref, or inputs that break its schema.
    """
    actor.require("write")
    pinned = definitions.pin(actor, workflow, ref)
    definitions.check_inputs(definition_in(pinned.snapshot_id), inputs)
    run = Run.objects.create(
        org_id=actor.org_id, workflow=workflow, artifact_id=pinned.artifact_id, snapshot_id=pinned.snapshot_id,
        inputs=inputs, created_by=str(actor), created_at=clock.now(),
    )  # fmt: skip
    record_run(actor, "run_created", run)
    transaction.on_commit(lambda: dispatch.dispatch(run.id))
    return run
