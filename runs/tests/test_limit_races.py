"""Limits when many come at once, and with an engine: never one too many, never a slot too few, nobody left behind."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from conftest import Person
from orchestrator.core.errors import Conflict
from runs.engine import dispatch, sweeper
from runs.engine.pool import Engine
from runs.models import Run, Slot
from runs.nodes.base import NodeContext, NodeResult
from runs.services import cancellation, limit_repairs
from runs.tests.limited import begin, holders, limit_org, status, submit, waiting
from runs.tests.steps import ME, finish, node_type, race

pytestmark = pytest.mark.django_db(transaction=True)


class Tally:
    """A node type that counts how many of a scope are executed at once."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.lock = threading.Lock()

    def execute(self, context: NodeContext) -> NodeResult:
        key = str(context.inputs.get("key", ""))
        with self.lock:
            self.now[key] = self.now.get(key, 0) + 1
            self.most[key] = max(self.most.get(key, 0), self.now[key])
        threading.Event().wait(0.003)
        with self.lock:
            self.now[key] -= 1
        return NodeResult({}, "Done.")


@pytest.fixture
def tally() -> Iterator[Tally]:
    found = Tally()
    with node_type("quick", found.execute):
        yield found


@pytest.fixture
def engine() -> Iterator[Callable[[int], Engine]]:
    running: list[Engine] = []

    def start(workers: int) -> Engine:
        running.append(Engine(workers))
        running[-1].start()
        return running[-1]

    yield start
    for each in running:
        each.stop(10)
    dispatch.use(None)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, list(Run.objects.values_list("status", "waiting_on"))
        threading.Event().wait(0.02)


def all_ended() -> bool:
    return not Run.objects.filter(status__in=("queued", "running", "waiting")).exists()


def test_of_many_that_begin_at_once_as_many_do_as_may(alice: Person, tally: Tally) -> None:
    runs = [submit(alice, limit=2) for _ in range(8)]
    found = race(*(lambda run=run: begin(run) for run in runs))
    assert not [each for each in found if isinstance(each, Exception)], found
    assert sum(each is not None for each in found) == 2
    assert len(holders("workflow:nightly")) == 2
    assert sum(waiting(run) is not None for run in runs) == 6


def test_of_many_that_are_submitted_at_once_all_but_the_limit_are_refused(alice: Person, tally: Tally) -> None:
    submit(alice, "other", limit=2, policy="reject")
    found = race(*[lambda: submit(alice, limit=2, policy="reject")] * 6)
    assert sum(isinstance(each, Run) for each in found) == 2, found
    assert sum(isinstance(each, Conflict) for each in found) == 4


def test_a_slot_that_is_freed_while_another_run_asks_is_not_lost(alice: Person, tally: Tally) -> None:
    """Whoever is first: the one that asks has the slot then, or is handed it, and needs no sweep."""
    for _ in range(12):
        first, second = submit(alice, limit=1), submit(alice, limit=1)
        attempt = begin(first)
        assert attempt is not None
        race(lambda attempt=attempt: finish(attempt), lambda second=second: begin(second))
        assert status(first) == "succeeded"
        assert holders("workflow:nightly") == [second.id]
        following = begin(second)
        if following is None:  # it had begun in the race
            assert status(second) == "running"
            cancellation.cancel_run(actor=alice.actor, run_id=second.id)
            Run.objects.filter(pk=second.pk).update(due_at="2020-01-01T00:00:00Z")
            sweeper.sweep(ME)
        else:
            finish(following)
        assert not Slot.objects.exists()


def test_cancels_ends_and_beginnings_at_once_leave_no_slot(alice: Person, tally: Tally) -> None:
    limit_org(alice, 3)
    chance = random.Random(7)
    for _ in range(6):
        runs = [submit(alice, inputs={"key": place % 2}, limit=1, key="inputs.key") for place in range(6)]
        attempts = [attempt for run in runs if (attempt := begin(run))]
        acts: list[Callable[[], Any]] = [lambda attempt=attempt: finish(attempt) for attempt in attempts]
        acts += [lambda run=run: cancellation.cancel_run(actor=alice.actor, run_id=run.id) for run in runs[2:5]]
        acts += [lambda run=run: begin(run) for run in runs[2:]]
        acts += [limit_repairs.mend, limit_repairs.mend]
        chance.shuffle(acts)
        found = race(*acts)
        assert not [each for each in found if isinstance(each, Exception) and not isinstance(each, Conflict)], found
        for run in runs:
            if status(run) not in ("succeeded", "cancelled"):
                cancellation.cancel_run(actor=alice.actor, run_id=run.id)
        Run.objects.filter(status="running").update(due_at="2020-01-01T00:00:00Z")
        sweeper.sweep(ME)
        assert all_ended()
        assert not Slot.objects.exists()


def test_an_engine_never_exceeds_a_limit_and_leaves_nobody_behind(
    alice: Person, tally: Tally, engine: Callable[[int], Engine]
) -> None:
    limit_org(alice, 3)
    engine(4)
    nodes = {"a": {"type": "quick"}, "b": {"type": "quick"}, "c": {"type": "quick", "needs": ["a", "b"]}}
    steps = [{"a": {"type": "quick"}}, {"a": {"type": "quick"}, "b": {"type": "quick", "needs": ["a"]}}]
    race(*(
        lambda place=place: submit(
            alice, inputs={"key": place % 4}, nodes=steps[place % 2], limit=1, key="inputs.key"
        )
        for place in range(16)
    ))  # fmt: skip
    submit(alice, "free", nodes=nodes)
    until(all_ended)
    assert set(Run.objects.values_list("status", flat=True)) == {"succeeded"}
    assert {key: most for key, most in tally.most.items() if key} == {"0": 1, "1": 1, "2": 1, "3": 1}
    assert not Slot.objects.exists()
    assert connection.in_atomic_block is False


def test_an_engine_lets_the_newest_win(alice: Person, engine: Callable[[int], Engine]) -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    def hold(context: NodeContext) -> NodeResult:
        entered.release()
        while not (leave.is_set() or context.stop.is_set()):
            leave.wait(0.01)
        return NodeResult({}, "Done.")

    with node_type("quick", hold):
        engine(2)
        first = submit(alice, limit=1, policy="cancel_running")
        assert entered.acquire(timeout=10)
        second = submit(alice, limit=1, policy="cancel_running")
        assert entered.acquire(timeout=10), "the first was told to stop, and the second took its slot"
        leave.set()
        until(all_ended)
    assert (status(first), status(second)) == ("cancelled", "succeeded")
    assert not Slot.objects.exists()
