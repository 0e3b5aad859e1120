"""Where a run's workflow comes from: the version under a tag, pinned when the run starts."""

import contextlib
import functools
import json
import uuid
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from orchestrator.core.canonical import is_exact
from orchestrator.core.errors import Conflict, NotFound, ValidationFailed
from orchestrator.identity.actors import Actor
from runs.workflows.inputs import compiled
from versioning.models import Tag
from versioning.services import pins, workflows
from versioning.services.pins import Pin

BUILT_IN: Final = "agent-graph"
_FOLDER: Final = Path(__file__).parent / "workflows"


class UnknownWorkflow(ValidationFailed):
    """There is no workflow by that name and ref."""


def pin(actor: Actor, workflow: str, ref: str | None = None) -> Pin:
    """The version to run. Raises UnknownWorkflow."""
    try:
        return pins.pin(actor=actor, tag=workflow, ref=ref)
    except NotFound as error:
        raise UnknownWorkflow(details={"ref" if ref else "workflow": [error.message]}) from error


def seed(org_id: uuid.UUID) -> str:
    """Give the org the built-in workflow; says what was done."""
    made = ensure_built_in(org_id)
    return f"{'Made' if made else 'There already, or deleted:'} workflow {BUILT_IN}."


def ensure_built_in(org_id: uuid.UUID) -> bool:
    """Make the org's tag of the built-in workflow, once in its life: a deleted one stays deleted.

    Whether it may be there now and was not before.
    """
    if Tag.objects.for_org(org_id).filter(name=BUILT_IN).exists():
        return False
    with contextlib.suppress(Conflict):  # somebody else's first run was faster
        workflows.create_workflow(
            actor=Actor.system(org_id), tag=BUILT_IN, definition=_read(BUILT_IN), message="Built in"
        )
    return True


def check_inputs(definition: dict[str, Any], inputs: dict[str, Any]) -> None:
    """Raises ValidationFailed, by input, when ``inputs`` break the workflow's schema (JSON Schema 2020-12)
    or hold a number that JSON does not hold exactly.
    """
    faults: dict[str, list[str]] = {}
    for fault in _validator(json.dumps(definition.get("inputs", {}), sort_keys=True)).iter_errors(inputs):
        faults.setdefault(str(fault.instance_path[0]) if fault.instance_path else "inputs", []).append(fault.message)
    if not is_exact(inputs):
        faults.setdefault("inputs", []).append("A number is beyond 2^53 - 1; send it as a string.")
    if faults:
        raise ValidationFailed(details=faults)


def _read(workflow: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / f"{workflow}.json").read_text(encoding="utf-8"))
    return found


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return compiled(json.loads(schema))
