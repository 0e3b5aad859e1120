"""How the tests of runs start one, carry it, and look at what it left."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection

from conftest import Person
from orchestrator.core.canonical import canonical_json, digest
from runs.engine import worker
from runs.models import Run, RunEvent, RunNode
from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeResult, NodeType
from runs.services import progress, submission
from runs.services.progress import Execution, Outcome
from versioning.models import Artifact
from versioning.services.blobs import put_blob

PARIS = "Plan a trip to Paris"
ME, OTHER = "elsewhere:1:me", "elsewhere:2:other"
STRAIGHT = ["intent", "planner", "selector", "tool_exec", "verifier", "repair", "synth", "responder"]


def start(person: Person, prompt: str = PARIS, **inputs: Any) -> Run:
    return submission.start_run(actor=person.actor, inputs={"prompt": prompt, **inputs})


def start_graph(person: Person, nodes: dict[str, Any], **definition: Any) -> Run:
    """A queued run of a workflow of one's own."""
    content = canonical_json({"nodes": nodes, **definition})
    blob_id = put_blob(org_id=person.org.id, content=content)
    snapshot, _ = Artifact.objects.get_or_create(
        org=person.org, kind="run_snapshot", blob_id=blob_id, definition_digest=digest(content),
        defaults={"node_count": len(nodes), "edge_count": 0, "author": "system"},
    )  # fmt: skip
    return Run.objects.create(
        org=person.org, workflow="of-a-test", artifact=snapshot, snapshot=snapshot, created_by="system"
    )


def carry(run: Run, holder: str = ME) -> Run:
    """To its end, in this thread."""
    worker.execute(run.id, holder)
    run.refresh_from_db()
    return run


def claim(run: Run, holder: str = ME, **how: Any) -> Execution:
    execution = progress.begin(run.id, holder, **how)
    assert execution is not None, "the run was not to be had"
    return execution


def step(execution: Execution, **how: Any) -> None:
    """Execute and commit the current node."""
    progress.finish_node(execution, worker.run_node(execution), **how)


def finish(execution: Execution, **output: Any) -> None:
    """Commit the current node with this output, without executing it."""
    progress.finish_node(execution, Outcome("done", output=output))


def phases(run: Run) -> list[tuple[str, str]]:
    return list(RunEvent.objects.filter(run=run).order_by("sequence").values_list("node", "phase"))


def everything(run: Run) -> tuple[Any, ...]:
    """All that the database says of a run, to be compared."""
    return (
        list(Run.objects.filter(pk=run.pk).values()),
        list(RunNode.objects.filter(run=run).order_by("node").values()),
        list(RunEvent.objects.filter(run=run).order_by("sequence").values()),
    )


@contextmanager
def node_type(name: str, execute: Callable[[NodeContext], NodeResult]) -> Iterator[None]:
    """A node type for the time of a test."""
    registry._types[name] = NodeType(name, f"{name} has begun.", execute)
    try:
        yield
    finally:
        del registry._types[name]


def race(*contenders: Callable[[], Any]) -> list[Any]:
    """What they return, or raise, when they all set off at once, each on a thread and connection of its own."""
    gate = threading.Barrier(len(contenders))

    def run(contender: Callable[[], Any]) -> Any:
        try:
            gate.wait(10)
            return contender()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(contenders)) as threads:
        return list(threads.map(run, contenders))
