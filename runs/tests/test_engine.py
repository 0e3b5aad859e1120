"""The in-process engine: what it picks up, and how it lets go."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from conftest import Person
from orchestrator.core import clock
from runs.engine import dispatch, sweeper, worker
from runs.engine.pool import Engine
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, Waiting
from runs.services import cancellation, progress, statements
from runs.tests.steps import ME, OTHER, claim, node_type, phases, race, start, start_graph, states, step

pytestmark = pytest.mark.django_db(transaction=True)
ONE_NODE = {"only": {"type": "gate"}}
TWO_NODES = {"first": {"type": "gate"}, "second": {"type": "gate", "needs": ["first"]}}


def eventually(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """Poll until ``condition`` holds; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.005)
    return value


def has(run: Run, status: str) -> bool:
    return Run.objects.filter(pk=run.pk, status=status).exists()


class Gate:
    """A node type that tells when it is entered and waits until it may go on."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, context: NodeContext) -> NodeResult:
        self.entered.release()
        assert self.open.wait(20)
        return NodeResult({}, "Passed.")


@pytest.fixture
def gate() -> Iterator[Gate]:
    found = Gate()
    with node_type("gate", found):
        yield found
        found.open.set()


@pytest.fixture
def engine(settings: LazySettings) -> Iterator[Callable[..., Engine]]:
    """Makes engines that sweep often, started or not, and stops them."""
    settings.SWEEP_SECONDS = 0.02
    engines: list[Engine] = []

    def make(workers: int = 1, started: bool = True, queues: tuple[str, ...] | None = None) -> Engine:
        engines.append(Engine(workers, queues))
        if started:
            engines[-1].start()
        return engines[-1]

    yield make
    for made in engines:
        if made._threads:
            made.stop(10)


def test_a_submitted_run_is_executed(alice: Person, engine: Callable[..., Engine], settings: LazySettings) -> None:
    settings.SWEEP_SECONDS = 60  # the message alone must bring it
    running = engine()
    run = start(alice)
    eventually(lambda: has(run, "succeeded"))
    assert running.alive()


def test_runs_whose_message_was_lost_are_found(alice: Person, engine: Callable[..., Engine]) -> None:
    queued, given_back = start(alice), start(alice)
    step(claim(given_back, OTHER), more=False)
    engine()
    eventually(lambda: has(queued, "succeeded") and has(given_back, "succeeded"))


def test_a_waiting_worker_is_not_offered_its_run_again(
    alice: Person, engine: Callable[..., Engine], gate: Gate
) -> None:
    running = engine(2)
    run = start_graph(alice, ONE_NODE)
    assert gate.entered.acquire(timeout=10)
    for _ in range(5):
        sweeper.sweep(running.holder)
        running.offer(run.id)
    gate.open.set()
    eventually(lambda: has(run, "succeeded"))
    assert phases(run) == [("only", "started"), ("only", "completed")]


def test_stop_lets_the_node_in_hand_finish_and_gives_the_run_back(
    alice: Person, engine: Callable[..., Engine], gate: Gate
) -> None:
    running = engine()
    run = start_graph(alice, TWO_NODES)
    assert gate.entered.acquire(timeout=10)
    stopping = threading.Thread(target=running.stop, args=(10,))
    stopping.start()
    eventually(running._stop.is_set)
    gate.open.set()
    stopping.join(10)
    assert not any(thread.is_alive() for thread in running._threads)
    assert phases(run) == [("first", "started"), ("first", "completed")]
    assert progress.take(run.id, OTHER) is not None, "it can be had at once"


def test_stop_leaves_a_node_that_takes_too_long_to_its_lease(
    alice: Person, engine: Callable[..., Engine], gate: Gate
) -> None:
    running = engine(3)
    runs = [start_graph(alice, ONE_NODE) for _ in range(3)]
    for _ in runs:
        assert gate.entered.acquire(timeout=10)
    began = time.monotonic()
    running.stop(0.3)
    assert time.monotonic() - began < 0.7, "the time to stop is for all threads together"
    assert all(progress.take(run.id, OTHER) is None for run in runs)


def test_a_stopped_engine_takes_no_more_runs(alice: Person, engine: Callable[..., Engine]) -> None:
    running = engine()
    running.stop(10)
    run = start(alice)
    assert has(run, "queued")
    assert not running.alive()


def test_the_keeper_renews_the_lease_of_a_long_node(
    alice: Person, engine: Callable[..., Engine], gate: Gate, settings: LazySettings
) -> None:
    settings.LEASE_SECONDS = 0.09
    engine()
    run = start_graph(alice, ONE_NODE)
    assert gate.entered.acquire(timeout=10)
    first = RunNode.objects.get(run=run).lease_expires_at
    eventually(lambda: RunNode.objects.get(run=run).lease_expires_at > first)


def test_a_worker_survives_an_error_of_the_database(
    alice: Person, engine: Callable[..., Engine], gate: Gate, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    """The step is undone, the worker lives, and the node's lease runs out, however busy its engine is meanwhile."""
    settings.LEASE_SECONDS = 0.3
    broken = threading.Event()
    insert = statements.insert_events

    def write(events: list[Any]) -> None:
        if not broken.is_set() and events[0].sequence == 3:
            broken.set()
            raise OSError("the database went away")
        insert(events)

    running = engine(2)
    busy = start_graph(alice, ONE_NODE)
    assert gate.entered.acquire(timeout=10)
    monkeypatch.setattr(statements, "insert_events", write)
    monkeypatch.setattr("runs.engine.pool.log.exception", lambda *_, **__: None)
    run = start(alice)
    eventually(lambda: has(run, "succeeded"))
    assert broken.is_set()
    assert running.alive()
    assert Run.objects.get(pk=run.pk).recoveries == 1
    assert states(busy) == {"only": "running"}


def test_a_cancelled_run_frees_its_worker(alice: Person, engine: Callable[..., Engine]) -> None:
    """Its node is told to stop, and does."""
    entered = threading.Event()

    def stoppable(context: NodeContext) -> NodeResult:
        entered.set()
        assert context.stop.wait(20)
        raise NodeFailure("stopped", "It was told to stop.")

    engine()
    with node_type("stoppable", stoppable):
        run = start_graph(alice, {"first": {"type": "stoppable"}, "second": {"type": "gate", "needs": ["first"]}})
        assert entered.wait(10)
        assert cancellation.cancel_run(actor=alice.actor, run_id=run.id).status == "running"
        following = start(alice)
        eventually(lambda: has(run, "cancelled") and has(following, "succeeded"))
    assert phases(run) == [("first", "started"), ("first", "waiting"), ("first", "failed")]
    assert states(run) == {"first": "failed"}


def test_a_node_that_does_not_stop_is_left_alone_and_replaced(
    alice: Person, engine: Callable[..., Engine], gate: Gate, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends after the grace, and another thread works in the place of the one that is stuck."""
    settings.CANCEL_GRACE_SECONDS = 0
    settings.LEASE_SECONDS = 0.3
    monkeypatch.setattr("runs.engine.pool.log.warning", lambda *_, **__: None)
    running = engine(1)
    run = start_graph(alice, TWO_NODES)
    assert gate.entered.acquire(timeout=10)
    cancellation.cancel_run(actor=alice.actor, run_id=run.id)
    eventually(lambda: has(run, "cancelled"))
    following = start(alice)
    eventually(lambda: has(following, "succeeded"))
    assert running.alive()
    gate.open.set()
    eventually(lambda: sum(thread.name == "engine-worker" and thread.is_alive() for thread in running._threads) == 1)
    assert states(run) == {"first": "cancelled"}


def test_an_engine_goes_on_with_what_a_killed_one_left(alice: Person, engine: Callable[..., Engine]) -> None:
    second = engine(started=False)
    run = start(alice)
    host, pid, _ = second.holder.rsplit(":", 2)
    step(claim(run, f"{host}:{pid}:killed"))
    second.start()
    eventually(lambda: has(run, "succeeded"))
    assert phases(run)[:5] == [
        ("intent", "started"), ("intent", "completed"), ("planner", "started"), ("planner", "retrying"),
        ("planner", "started"),
    ]  # fmt: skip


def test_many_runs_on_many_workers_are_each_executed_once(alice: Person, engine: Callable[..., Engine]) -> None:
    engine(4)
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        runs = [start_graph(alice, {"a": {"type": "quick"}, "b": {"type": "quick", "needs": ["a"]}}) for _ in range(12)]
        race(*(lambda run=run: dispatch.offer(run.id) for run in runs))
        eventually(lambda: Run.objects.filter(status="succeeded").count() == len(runs))
    for run in runs:
        assert phases(run) == [("a", "started"), ("a", "completed"), ("b", "started"), ("b", "completed")]
    assert connection.in_atomic_block is False


def test_the_rest_of_an_engine_outlives_a_database_that_does_not_answer(
    alice: Person, engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    sweep = sweeper.sweep

    def once(holder: str) -> None:
        if not answers.is_set():
            answers.set()
            raise OSError("no route to the database")
        sweep(holder)

    monkeypatch.setattr(sweeper, "sweep", once)
    monkeypatch.setattr("runs.engine.pool.log.warning", lambda *_, **__: None)
    run = start(alice)
    running = engine()
    eventually(lambda: has(run, "succeeded"))
    assert answers.is_set()
    assert running.alive()


def test_the_holder_names_host_and_process(engine: Callable[..., Engine]) -> None:
    one, other = engine(started=False), engine(started=False)
    assert one.holder.startswith(f"{socket.gethostname()}:{os.getpid()}:")
    assert one.holder != other.holder != ME


def test_branches_are_executed_side_by_side(alice: Person, engine: Callable[..., Engine]) -> None:
    """Three nodes that go on only when all three are there, and a join that sees them all."""
    meeting = threading.Barrier(3)

    def meet(context: NodeContext) -> NodeResult:
        meeting.wait(10)
        return NodeResult({"met": True}, "Met.")

    engine(3)
    with (
        node_type("meet", meet),
        node_type("count", lambda context: NodeResult({"n": len(context.outputs)}, "Counted.")),
    ):
        nodes = {name: {"type": "meet"} for name in "abc"} | {"join": {"type": "count", "needs": ["a", "b", "c"]}}
        run = start_graph(alice, nodes, output="nodes.join.n")
        eventually(lambda: has(run, "succeeded"))
    assert Run.objects.get(pk=run.pk).output == 3
    assert [phase for _, phase in phases(run)] == ["started"] * 3 + ["completed"] * 3 + ["started", "completed"]


def test_an_engine_executes_nodes_of_its_own_queues_only(alice: Person, engine: Callable[..., Engine]) -> None:
    engine(1, queues=("gpu",))
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        run = start_graph(alice, {"a": {"type": "quick", "queue": "gpu"}, "b": {"type": "quick", "needs": ["a"]}})
        assert worker.execute(run.id, OTHER) is False, "it begins the run, and has nothing to do of it"
        eventually(lambda: states(run) == {"a": "completed", "b": "pending"})
        assert not worker.execute(run.id, OTHER, queue="gpu")
        assert worker.execute(run.id, OTHER)
    assert has(run, "succeeded")


def test_what_becomes_due_is_done_when_it_is_due_and_not_at_the_next_sweep(
    alice: Person, engine: Callable[..., Engine], settings: LazySettings
) -> None:
    settings.SWEEP_SECONDS = 60
    engine()

    def nap(context: NodeContext) -> NodeResult | Waiting:
        if context.waited:
            return NodeResult({}, "Awake.")
        return Waiting({"kind": "timer"}, "Asleep.", clock.now() + timedelta(seconds=0.2))

    def flaky(context: NodeContext) -> NodeResult:
        if context.attempt == 1:
            raise NodeFailure("again", "Not yet.")
        return NodeResult({}, "Done.")

    with node_type("nap", nap), node_type("flaky", flaky):
        retry = {"max_attempts": 2, "delay_seconds": 0.1}
        nodes = {"nap": {"type": "nap"}, "flaky": {"type": "flaky", "needs": ["nap"], "retry": retry}}
        run = start_graph(alice, nodes)
        dispatch.offer(run.id)
        eventually(lambda: has(run, "succeeded"))


def test_a_message_while_it_sweeps_is_not_lost(
    alice: Person, engine: Callable[..., Engine], settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SWEEP_SECONDS = 60
    sweeping, told, again = threading.Event(), threading.Event(), threading.Event()

    def sweep(holder: str) -> None:
        if told.is_set():
            again.set()
        sweeping.set()
        told.wait(10)

    monkeypatch.setattr(sweeper, "sweep", sweep)
    running = engine()
    assert sweeping.wait(10)
    running.wake(clock.now())
    told.set()
    assert again.wait(10)


def test_the_most_urgent_run_comes_first_and_equals_in_turn(
    alice: Person, engine: Callable[..., Engine], gate: Gate
) -> None:
    order: list[str] = []

    def note(context: NodeContext) -> NodeResult:
        order.append(context.inputs["name"])
        return NodeResult({}, "Noted.")

    running = engine(1)
    start_graph(alice, ONE_NODE)
    assert gate.entered.acquire(timeout=10)
    with node_type("note", note):
        runs = [start_graph(alice, {"only": {"type": "note"}}, inputs={"name": f"{priority}{place}"}, priority=priority)
                for priority in (0, 5, 100) for place in "ab"]  # fmt: skip
        sweeper.offer_ready()
        gate.open.set()
        eventually(lambda: all(has(run, "succeeded") for run in runs))
    assert order == ["100a", "100b", "5a", "5b", "0a", "0b"]
    assert running.alive()
