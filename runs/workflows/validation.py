"""Whether a definition is a valid workflow: its shape (schema.json), its graph, its expressions, its inputs."""

import functools
from collections.abc import Iterator
from typing import Any, Final

import orjson

from runs.workflows.graph import graph_faults
from runs.workflows.inputs import MAX_BYTES, input_faults, is_small
from runs.workflows.shape import is_input_schema, shape_faults
from versioning import rules
from versioning.rules import Fault

_MOST: Final = 1000
_NOT_JSON: Final = "This cannot be stored: it nests too deeply, or has a number or a letter that JSON cannot carry."


def faults_of(definition: Any) -> list[Fault]:
    """All that is wrong with a definition, by pointer; after the first 1,000 faults, that there are more.

    Takes any JSON value and never raises.
    """
    try:
        orjson.dumps(definition)
    except (TypeError, ValueError):
        return [Fault("", _NOT_JSON)]
    found: set[Fault] = set()
    for fault in _faults(definition):
        if len(found) == _MOST and fault not in found:
            return [Fault("", f"There are more than {_MOST} faults: mend these first."), *sorted(found)]
        found.add(fault)
    return sorted(found)


@functools.cache
def register() -> None:
    """Has every definition checked that is stored from now on. A second call does nothing."""
    rules.register(faults_of)


def _faults(definition: Any) -> Iterator[Fault]:
    if not isinstance(definition, dict):
        yield from shape_faults(definition)
        return
    inputs = definition.get("inputs")
    if isinstance(inputs, dict) and not is_small(inputs):
        yield Fault("/inputs", f"The schema of the inputs has more than {MAX_BYTES} bytes: make it shorter.")
        definition = {**definition, "inputs": {}}
    elif isinstance(inputs, dict) and is_input_schema(inputs):
        yield from input_faults(inputs)
    yield from shape_faults(definition)
    yield from graph_faults(definition)
