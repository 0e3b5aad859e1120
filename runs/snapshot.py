"""What a run is made of, read back: its frozen definition and how far its nodes have come."""

import functools
import uuid
from typing import Any

import orjson

from runs.engine.plan import NodeState
from runs.models import Run, RunNode
from versioning.models import Artifact


def definition_of(run: Run) -> dict[str, Any]:
    """The definition that the run was frozen with; callers must not write to it."""
    return definition_in(run.snapshot_id)


def node_states(run: Run) -> dict[str, NodeState]:
    rows = RunNode.objects.filter(run=run).values_list("node", "status", "attempts", "output")
    return {node: NodeState(status, attempts, output) for node, status, attempts, output in rows}


@functools.lru_cache(maxsize=256)
def definition_in(snapshot_id: uuid.UUID) -> dict[str, Any]:
    """The definition of a run_snapshot. It never changes, so the parsed one is kept; callers must not write to it."""
    definition: dict[str, Any] = orjson.loads(
        Artifact.objects.values_list("blob__content", flat=True).get(pk=snapshot_id)
    )
    return definition
