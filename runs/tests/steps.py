"""How the tests of runs start one, carry it, and look at what it left."""

import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection

from conftest import Person
from orchestrator.core.canonical import canonical_json, digest
from runs.engine import dispatch, worker
from runs.models import Run, RunEvent, RunNode
from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeResult, NodeType, Waiting
from runs.services import progress, submission
from runs.services.outcomes import Outcome
from runs.services.progress import Attempt
from versioning.models import Artifact
from versioning.services.blobs import put_blob

PARIS = "Plan a trip to Paris"
ME, OTHER = "elsewhere:1:me", "elsewhere:2:other"
STRAIGHT = ["intent", "planner", "selector", "tool_exec", "verifier", "repair", "synth", "responder"]


def start(person: Person, prompt: str = PARIS, **inputs: Any) -> Run:
    return submission.start_run(actor=person.actor, inputs={"prompt": prompt, **inputs})


def start_graph(
    person: Person, nodes: dict[str, Any], /, *, inputs: Any = None, priority: int = 0, **definition: Any
) -> Run:
    """A queued run of a workflow of one's own, which nobody has checked."""
    content = canonical_json({"nodes": nodes, **definition})
    blob_id = put_blob(org_id=person.org.id, content=content)
    snapshot, _ = Artifact.objects.get_or_create(
        org=person.org, kind="run_snapshot", blob_id=blob_id, definition_digest=digest(content),
        defaults={"node_count": len(nodes), "edge_count": 0, "author": "system"},
    )  # fmt: skip
    return Run.objects.create(
        org=person.org, workflow="of-a-test", artifact=snapshot, snapshot=snapshot, created_by="system",
        priority=priority, inputs=inputs or {},
    )  # fmt: skip


def carry(run: Run, holder: str = ME) -> Run:
    """To its end, in this thread."""
    worker.execute(run.id, holder)
    run.refresh_from_db()
    return run


def claim(run: Run, holder: str = ME, queue: str = "") -> Attempt:
    """The first node of the run that is ready, started."""
    attempt = progress.take(run.id, holder, queue)
    assert attempt is not None, "nothing was to be had"
    return attempt


def step(attempt: Attempt | None, **how: Any) -> Attempt | None:
    """Execute and commit the node; the next one of the run, started."""
    assert attempt is not None, "nothing was left to do"
    return progress.finish(attempt, worker.run_node(attempt), **how)


def carry_on(attempt: Attempt | None) -> None:
    """Execute and commit what follows, as long as there is something."""
    while attempt is not None:
        attempt = step(attempt)


def lose(attempt: Attempt) -> bool:
    """Its worker is found to be gone."""
    return progress.recover(attempt.run.id, attempt.name, attempt.state.token)


def fail(attempt: Attempt, **how: Any) -> Attempt | None:
    """Commit the node as failed; the next one of the run, started."""
    error = {"code": "broken", "message": "It broke.", "details": {}}
    return progress.finish(attempt, Outcome("It broke.", error=error), **how)


def finish(attempt: Attempt, **output: Any) -> Attempt | None:
    """Commit the node with this output, without executing it; the next one of the run, started."""
    return progress.finish(attempt, Outcome("done", output=output))


def phases(run: Run) -> list[tuple[str, str]]:
    return list(RunEvent.objects.filter(run=run).order_by("sequence").values_list("node", "phase"))


def states(run: Run) -> dict[str, str]:
    """How each node and item that has been reached is."""
    return dict(RunNode.objects.filter(run=run).values_list("node", "status"))


def in_order(run: Run) -> None:
    """The log is dense from 0, its times strictly increase, and the cursor is behind the last event."""
    events = list(RunEvent.objects.filter(run=run).order_by("sequence"))
    assert [event.sequence for event in events] == list(range(len(events)))
    times = [event.timestamp for event in events]
    assert all(earlier < later for earlier, later in itertools.pairwise(times))
    run.refresh_from_db()
    assert (run.next_sequence, run.last_event_at) == (len(events), times[-1])


def everything(run: Run) -> tuple[Any, ...]:
    """All that the database says of a run, to be compared."""
    return (
        list(Run.objects.filter(pk=run.pk).values()),
        list(RunNode.objects.filter(run=run).order_by("node").values()),
        list(RunEvent.objects.filter(run=run).order_by("sequence").values()),
    )


@contextmanager
def node_type(name: str, execute: Callable[[NodeContext], NodeResult | Waiting]) -> Iterator[None]:
    """A node type for the time of a test, also in place of one that there is."""
    before = dict(registry._types)
    registry._types[name] = NodeType(name, f"{name} has begun.", execute)
    try:
        yield
    finally:
        registry._types.clear()
        registry._types.update(before)


class Heard:
    """A dispatcher that remembers what it is told, and does nothing."""

    def __init__(self) -> None:
        self.offers: list[tuple[uuid.UUID, str, int, int]] = []  # run, queue, count, priority
        self.wakes: list[datetime] = []
        self.interrupted: list[uuid.UUID] = []

    def offer(self, run_id: uuid.UUID, queue: str = "", *, count: int = 1, priority: int = 0) -> None:
        self.offers.append((run_id, queue, count, priority))

    def remind(self, run_id: uuid.UUID, queue: str = "", *, place: int, count: int = 1, priority: int = 0) -> None:
        self.offer(run_id, queue, count=count, priority=priority)

    def wake(self, moment: datetime) -> None:
        self.wakes.append(moment)

    def interrupt(self, run_id: uuid.UUID) -> None:
        self.interrupted.append(run_id)

    @property
    def runs(self) -> list[uuid.UUID]:
        return [run_id for run_id, *_ in self.offers]


@contextmanager
def hearing() -> Iterator[Heard]:
    """What the workers are told meanwhile."""
    heard = Heard()
    dispatch.use(heard)
    try:
        yield heard
    finally:
        dispatch.use(None)


def race(*contenders: Callable[[], Any]) -> list[Any]:
    """What they return, or raise, when they all set off at once, each on a thread and connection of its own."""
    gate = threading.Barrier(len(contenders))

    def run(contender: Callable[[], Any]) -> Any:
        try:
            gate.wait(10)
            return on_its_own(contender)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(contenders)) as threads:
        return list(threads.map(run, contenders))


def on_its_own(act: Callable[[], Any]) -> Any:
    """For a thread: ``act`` on a connection that ends with it."""
    try:
        return act()
    finally:
        connection.close()
