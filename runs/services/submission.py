"""Starting runs."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from orchestrator.core import clock
from orchestrator.core.errors import ValidationFailed
from orchestrator.identity.actors import Actor
from runs import definitions
from runs.engine import dispatch
from runs.models import Run, RunPin
from runs.services import limits
from runs.services.journal import record_run
from runs.snapshot import definition_in
from versioning.services.pins import Pin

Pins = Mapping[str, Mapping[str, str]]  # an artifact and its snapshot, by node


def start_run(
    *,
    actor: Actor,
    inputs: dict[str, Any],
    workflow: str = definitions.BUILT_IN,
    ref: str | None = None,
    priority: int | None = None,
) -> Run:
    """A queued run of a frozen version of ``workflow``. Its row and event are durable before any worker hears of it. An
    org that never had the built-in workflow gets it now. Without ``priority`` it has the workflow's.

    Raises PermissionDenied, ValidationFailed for an unknown workflow or ref, or inputs that break its schema, and
    LimitReached where the workflow has one run too many refused.
    """
    actor.require("write")
    try:
        return _start(actor, inputs, workflow, ref, priority)
    except limits.LimitReached as refusal:  # in a transaction of its own: that of the run is undone
        limits.report_refusal(actor.org_id, workflow, refusal)
        raise
    except definitions.UnknownWorkflow:
        if workflow != definitions.BUILT_IN:
            raise
    # In a transaction of its own, because it records an event; again also when it was there: somebody else's first run
    # may have made it in between.
    definitions.ensure_built_in(actor.org_id)
    return _start(actor, inputs, workflow, ref, priority)


def create_run(
    *,
    actor: Actor,
    workflow: str,
    pin: Pin,
    inputs: dict[str, Any],
    created_by: str = "",
    priority: int | None = None,
    parent: Run | None = None,
    parent_node: str = "",
    pinned: Pins | None = None,
    **provenance: Any,
) -> Run:
    """The run's row and event, in the caller's transaction; workers hear of it when that ends. ``pinned`` are versions
    of workflows within the workflow that are decided already.

    Raises ValidationFailed for inputs that break the workflow's schema, or a workflow within it that is not there, and
    LimitReached.
    """
    definition = definition_in(pin.snapshot_id)
    definitions.check_inputs(definition, inputs)
    limit = limits.limit_for(actor.org_id, workflow, definition, inputs, parent)
    run = Run.objects.create(
        org_id=actor.org_id, workflow=workflow, artifact_id=pin.artifact_id, snapshot_id=pin.snapshot_id,
        inputs=inputs, created_by=created_by or str(actor), created_at=clock.now(), parent=parent,
        parent_node=parent_node, depth=parent.depth + 1 if parent else 0, pins=pins_of(actor, definition, pinned or {}),
        priority=definition.get("priority", 0) if priority is None else priority,
        limited=True if limit else None, **provenance,
    )  # fmt: skip
    hold_pins(run)
    if limit:
        limits.line_up(run, limit)
    origin = {"forked_from": str(run.forked_from_id), "forked_at": run.forked_at} if run.forked_from_id else {}
    record_run(actor, "run_created", run, **origin)
    transaction.on_commit(lambda: dispatch.offer(run.id, priority=run.priority))
    return run


@transaction.atomic
def _start(actor: Actor, inputs: dict[str, Any], workflow: str, ref: str | None, priority: int | None) -> Run:
    pin = definitions.pin(actor, workflow, ref)
    return create_run(actor=actor, workflow=workflow, pin=pin, inputs=inputs, priority=priority)


def pins_of(actor: Actor, definition: Mapping[str, Any], pinned: Pins) -> dict[str, dict[str, str]]:
    """The versions of the workflows within the workflow, by node: as they are ``pinned``, and for the others what their
    tags mean now. Raises ValidationFailed for one that is not there.
    """
    found = {}
    for name, node in definition["nodes"].items():
        if name in pinned:
            found[name] = dict(pinned[name])
        elif node["type"] == "workflow":
            settings = node.get("with", {})
            try:
                pin = definitions.pin(actor, settings.get("workflow", ""), settings.get("ref"))
            except ValidationFailed as error:
                raise ValidationFailed(
                    f"The workflow of the node {name!r} is not there.", details=error.details
                ) from error
            found[name] = {"artifact": str(pin.artifact_id), "snapshot": str(pin.snapshot_id)}
    return found


def hold_pins(run: Run) -> None:
    """Keep the versions that the run's pins name as long as the run."""
    ids = {uuid.UUID(pinned) for pin in run.pins.values() for pinned in pin.values()}
    if ids:
        pins = [RunPin(run=run, org_id=run.org_id, artifact_id=each) for each in sorted(ids)]
        RunPin.objects.bulk_create(pins, ignore_conflicts=True)
