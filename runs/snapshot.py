"""What a run is made of, read back: its frozen definition and how far its nodes have come."""

import functools
import uuid
from typing import Any

import orjson
from django.db.models import QuerySet

from runs.engine.plan import Graph
from runs.models import Run, RunNode
from versioning.models import Artifact


def definition_of(run: Run) -> dict[str, Any]:
    """The definition that the run is frozen to; callers must not write to it."""
    return definition_in(run.snapshot_id)


def reached(run: Run) -> QuerySet[RunNode]:
    """The nodes that have been reached, without the items of mapped ones."""
    return RunNode.objects.filter(run=run).exclude(node__endswith="]")


@functools.lru_cache(maxsize=256)
def definition_in(snapshot_id: uuid.UUID) -> dict[str, Any]:
    """The definition of a run_snapshot. It never changes, so the parsed one is kept; callers must not write to it."""
    definition: dict[str, Any] = orjson.loads(
        Artifact.objects.values_list("blob__content", flat=True).get(pk=snapshot_id)
    )
    return definition


@functools.lru_cache(maxsize=256)
def graph_in(snapshot_id: uuid.UUID) -> Graph:
    """The graph of a run_snapshot's definition."""
    return Graph(definition_in(snapshot_id))
