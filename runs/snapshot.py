"""What a run is made of, read back: its frozen definition and how far its nodes have come."""

import functools
import uuid
from typing import Any

import orjson

from runs.engine.plan import NodeState
from runs.models import Run, RunNode
from versioning.models import Blob


def definition_of(run: Run) -> dict[str, Any]:
    """The definition that the run was frozen with.

    Blobs never change, so a parsed one is kept; callers must not write to it.
    """
    return _parsed(run.definition_id)


def node_states(run: Run) -> dict[str, NodeState]:
    rows = RunNode.objects.filter(run=run).values_list("node", "status", "attempts", "output")
    return {node: NodeState(status, attempts, output) for node, status, attempts, output in rows}


@functools.lru_cache(maxsize=256)
def _parsed(blob_id: uuid.UUID) -> dict[str, Any]:
    definition: dict[str, Any] = orjson.loads(Blob.objects.values_list("content", flat=True).get(pk=blob_id))
    return definition
