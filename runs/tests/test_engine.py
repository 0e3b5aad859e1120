"""The in-process engine: what it picks up, and how it lets go."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from conftest import Person
from runs.engine import dispatch
from runs.engine.pool import Engine
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeResult
from runs.services import cancellation, progress
from runs.tests.steps import ME, OTHER, claim, node_type, phases, race, start, start_graph, step

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

    def make(workers: int = 1, started: bool = True) -> Engine:
        engines.append(Engine(workers))
        if started:
            engines[-1].start()
        return engines[-1]

    yield make
    for made in engines:
        if made._threads[0].ident is not None:
            made.stop(10)


def test_a_submitted_run_is_executed(alice: Person, engine: Callable[..., Engine], settings: LazySettings) -> None:
    settings.SWEEP_SECONDS = 60  # the message alone must bring it
    running = engine()
    run = start(alice)
    eventually(lambda: has(run, "succeeded"))
    assert running.alive()


def test_runs_whose_message_was_lost_are_found(alice: Person, engine: Callable[..., Engine]) -> None:
    queued, given_back = start(alice), start(alice)
    step(claim(given_back, OTHER), halt=True)
    engine()
    eventually(lambda: has(queued, "succeeded") and has(given_back, "succeeded"))


def test_a_waiting_worker_is_not_offered_its_run_again(
    alice: Person, engine: Callable[..., Engine], gate: Gate
) -> None:
    running = engine(2)
    run = start_graph(alice, ONE_NODE)
    assert gate.entered.acquire(timeout=10)
    running._offer_ownerless()
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
    assert progress.begin(run.id, OTHER) is not None, "it can be had at once"


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
    assert all(progress.begin(run.id, OTHER) is None for run in runs)


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
    first = Run.objects.get(pk=run.pk).lease_expires_at
    eventually(lambda: Run.objects.get(pk=run.pk).lease_expires_at > first)


def test_a_worker_survives_an_error_of_the_database(
    alice: Person, engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is undone, the worker lives, and the sweeper offers the run again."""
    broken = threading.Event()
    insert = progress.write

    def write(run: Run, events: list[Any]) -> None:
        if not broken.is_set() and events[0].sequence == 3:
            broken.set()
            raise OSError("the database went away")
        insert(run, events)

    monkeypatch.setattr(progress, "write", write)
    monkeypatch.setattr("runs.engine.pool.log.exception", lambda *_, **__: None)
    running = engine()
    run = start(alice)
    eventually(lambda: has(run, "succeeded"))
    assert broken.is_set()
    assert running.alive()
    assert Run.objects.get(pk=run.pk).recoveries == 1


def test_a_cancelled_run_frees_its_worker(alice: Person, engine: Callable[..., Engine], gate: Gate) -> None:
    engine()
    run = start_graph(alice, TWO_NODES)
    assert gate.entered.acquire(timeout=10)
    cancellation.cancel_run(actor=alice.actor, run_id=run.id)
    gate.open.set()
    following = start(alice)
    eventually(lambda: has(following, "succeeded"))
    assert phases(run) == [("first", "started"), ("first", "cancelled")]
    assert RunNode.objects.get(run=run).status == "cancelled"


def test_an_engine_goes_on_with_what_a_killed_one_left(alice: Person, engine: Callable[..., Engine]) -> None:
    second = engine(started=False)
    run = start(alice)
    host, pid, _ = second.holder.rsplit(":", 2)
    execution = claim(run, f"{host}:{pid}:killed")
    step(execution)
    second.start()
    eventually(lambda: has(run, "succeeded"))
    assert phases(run)[:5] == [
        ("intent", "started"), ("intent", "completed"), ("planner", "started"), ("planner", "retrying"),
        ("planner", "completed"),
    ]  # fmt: skip


def test_many_runs_on_many_workers_are_each_executed_once(alice: Person, engine: Callable[..., Engine]) -> None:
    engine(4)
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        runs = [start_graph(alice, {"a": {"type": "quick"}, "b": {"type": "quick", "needs": ["a"]}}) for _ in range(12)]
        race(*(lambda run=run: dispatch.dispatch(run.id) for run in runs))
        eventually(lambda: Run.objects.filter(status="succeeded").count() == len(runs))
    for run in runs:
        assert phases(run) == [("a", "started"), ("a", "completed"), ("b", "started"), ("b", "completed")]
    assert connection.in_atomic_block is False


def test_the_rest_of_an_engine_outlives_a_database_that_does_not_answer(
    alice: Person, engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    ownerless = Engine._offer_ownerless

    def offer(self: Engine) -> None:
        if not answers.is_set():
            answers.set()
            raise OSError("no route to the database")
        ownerless(self)

    monkeypatch.setattr(Engine, "_offer_ownerless", offer)
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
