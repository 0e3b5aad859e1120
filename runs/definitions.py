"""Where a run's workflow comes from. The one function to change when definitions are versioned."""

import functools
import json
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from orchestrator.core.canonical import canonical_json
from orchestrator.core.errors import ValidationFailed

BUILT_IN: Final = "agent-graph"
_FOLDER: Final = Path(__file__).parent / "workflows"


def load(workflow: str, ref: str | None = None) -> dict[str, Any]:
    """The definition of ``workflow``. Raises ValidationFailed when there is none by that name and ref."""
    if workflow != BUILT_IN:
        raise ValidationFailed(details={"workflow": [f"There is no workflow {workflow!r}; {BUILT_IN!r} is built in."]})
    if ref is not None:
        raise ValidationFailed(details={"ref": [f"{workflow!r} is built in and has no versions to choose from."]})
    return _read(workflow)


@functools.cache
def canonical(workflow: str) -> bytes:
    """The bytes by which runs are frozen to ``load(workflow)``."""
    return canonical_json(_read(workflow))


def check_inputs(definition: dict[str, Any], inputs: dict[str, Any]) -> None:
    """Raises ValidationFailed, by input, when ``inputs`` break the workflow's schema (JSON Schema 2020-12)."""
    faults: dict[str, list[str]] = {}
    for fault in _validator(json.dumps(definition.get("inputs", {}), sort_keys=True)).iter_errors(inputs):
        faults.setdefault(str(fault.instance_path[0]) if fault.instance_path else "inputs", []).append(fault.message)
    if faults:
        raise ValidationFailed(details=faults)


@functools.cache
def _read(workflow: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / f"{workflow}.json").read_text(encoding="utf-8"))
    return found


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads(schema))
