"""Runs that are the work of a node of another run (the node type ``workflow``)."""

import uuid
from typing import Any, Final

from orchestrator.core.errors import ValidationFailed
from orchestrator.identity.actors import Actor
from runs import definitions
from runs.models import Run
from runs.nodes.base import Waiting
from runs.services import limits, statements, submission
from runs.services.items import node_of
from runs.services.outcomes import Outcome, failed, fault
from runs.services.steps import Step
from runs.states import ACTIVE_RUN, RunStatus
from versioning.services.pins import Pin

DEEPEST: Final = 10


class Unstartable(Exception):
    """The sub-run cannot begin; ``error`` says why."""

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.error = fault(code, message, details)


def start(step: Step, name: str, waiting: Waiting) -> None:
    """Make the node's run, in the transaction of the step, and let the node wait for its end.

    The version is the one that was pinned when the run was made. Raises Unstartable.
    """
    parent, asked = step.run, waiting.on
    if parent.depth >= DEEPEST:
        raise Unstartable("too_deep", f"Workflows run within each other {DEEPEST} levels deep at most.")
    pinned = parent.pins.get(node_of(name))
    if pinned is None:
        raise Unstartable("unknown_workflow", f"No version of {asked['workflow']!r} was pinned for this node.")
    statements.lock_waits([parent.id])
    pin = Pin(uuid.UUID(pinned["artifact"]), uuid.UUID(pinned["snapshot"]))
    try:
        run = submission.create_run(
            actor=Actor.system(parent.org_id), workflow=asked["workflow"], pin=pin, inputs=asked.get("inputs") or {},
            created_by=parent.created_by, parent=parent, parent_node=name, priority=parent.priority,
        )  # fmt: skip
    except limits.LimitReached as error:
        limits.report_refusal(parent.org_id, asked["workflow"], error)
        raise Unstartable("limit_reached", error.message, error.details) from error
    except definitions.UnknownWorkflow as error:
        raise Unstartable("unknown_workflow", error.message, error.details) from error
    except ValidationFailed as error:
        message = f"The inputs do not suit {asked['workflow']!r}."
        raise Unstartable("invalid_inputs", message, error.details) from error
    on = {"kind": "run", "run_id": str(run.id), "workflow": run.workflow}
    step.wait(name, on, None, f"Waiting for a run of {run.workflow}.")


def outcome_of(step: Step, name: str) -> Outcome | None:
    """What the run that the node waits for has come to; None as long as it goes on."""
    run_id = (step.state(name).waiting_on or {})["run_id"]
    run = Run.objects.for_org(step.run.org_id).filter(pk=run_id).first()
    if run is None:
        return failed("run_lost", "The run that it waited for was deleted.")
    if run.status in ACTIVE_RUN:
        return None
    about = {"run_id": run_id, "status": run.status}
    if run.status == RunStatus.SUCCEEDED:
        return Outcome(f"The run of {run.workflow} succeeded.", output={**about, "output": run.output})
    error = run.error or {}
    told = error.get("message", "")
    return failed(
        f"run_{run.status}", f"The run of {run.workflow} {run.status}. {told}".strip(), {**about, "error": error}
    )
