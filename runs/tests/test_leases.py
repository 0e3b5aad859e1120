"""Ownership of a run: one holder at a time, and no late write is ever accepted."""

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import SystemLog
from agents.states import LEVELS
from conftest import Person
from orchestrator.events.models import Event
from runs.engine import sweeper
from runs.models import Run, RunEvent, RunNode
from runs.services import cancellation, progress
from runs.services.progress import Execution, Fenced
from runs.tests.steps import ME, OTHER, claim, everything, finish, phases, race, start, start_graph, step

NOON = "2030-01-01T12:00:00Z"
PAST_THE_LEASE = timedelta(seconds=31)


@pytest.fixture
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def _names(holder: str = ME) -> set[tuple[uuid.UUID, str | None]]:
    return set(sweeper.ownerless(holder))


def test_a_run_in_somebodys_hands_is_not_to_be_had(alice: Person, noon: time_machine.Traveller) -> None:
    run = start(alice)
    claim(run)
    before = everything(run)
    assert progress.begin(run.id, OTHER) is None
    noon.shift(timedelta(seconds=30))  # to the end of the lease, not beyond
    assert progress.begin(run.id, OTHER) is None
    assert everything(run) == before


def test_there_is_nothing_to_claim_of_a_finished_or_unknown_run(alice: Person) -> None:
    run = start_graph(alice, {"only": {"type": "intent"}})
    finish(claim(run))
    assert progress.begin(run.id, OTHER, dead_holder=ME) is None
    assert progress.begin(uuid.uuid4(), OTHER) is None


def test_after_the_lease_another_goes_on_with_the_interrupted_node(alice: Person, noon: time_machine.Traveller) -> None:
    run = start(alice)
    first = claim(run)
    step(first)
    noon.shift(PAST_THE_LEASE)
    second = claim(run, OTHER)
    assert phases(run) == [
        ("intent", "started"), ("intent", "completed"), ("planner", "started"), ("planner", "retrying"),
    ]  # fmt: skip
    assert second.current == "planner"
    assert second.states["intent"].output == first.states["intent"].output
    node = RunNode.objects.get(run=run, node="planner")
    assert (node.status, node.attempts) == ("running", 2)
    retrying = RunEvent.objects.get(run=run, phase="retrying")
    assert retrying.payload == {"attempt": 2}
    assert "attempt 2" in retrying.summary
    run.refresh_from_db()
    assert (run.recoveries, run.lease_holder) == (1, OTHER)
    assert Event.objects.filter(event="run_recovered", target=f"run:{run.id}").count() == 1
    told = SystemLog.objects.get(component="engine")
    assert (LEVELS[told.level], told.details) == ("WARNING", {"run_id": str(run.id)})


def test_a_run_that_was_taken_over_ends_as_if_nothing_had_been(alice: Person, noon: time_machine.Traveller) -> None:
    undisturbed = start(alice)
    for_itself = claim(undisturbed)
    while for_itself.current:
        step(for_itself)
    run = start(alice)
    for attempt in range(20):
        execution = claim(run, f"elsewhere:{attempt}:x")
        step(execution)
        run.refresh_from_db()
        if run.status == "succeeded":
            break
        noon.shift(PAST_THE_LEASE)
    undisturbed.refresh_from_db()
    assert run.output == undisturbed.output
    assert sorted(n for n, p in phases(run) if p == "completed") == sorted(
        n for n, p in phases(undisturbed) if p == "completed"
    )


def _taken_over(run: Run, clock: time_machine.Traveller, owner: Person) -> None:
    clock.shift(PAST_THE_LEASE)
    claim(run, OTHER)


def _taken_and_finished(run: Run, clock: time_machine.Traveller, owner: Person) -> None:
    clock.shift(PAST_THE_LEASE)
    second = claim(run, OTHER)
    while second.current:
        step(second)


def _cancelled(run: Run, clock: time_machine.Traveller, owner: Person) -> None:
    cancellation.cancel_run(actor=owner.actor, run_id=run.id)


def _taken_by_its_own_name(run: Run, clock: time_machine.Traveller, owner: Person) -> None:
    claim(run, ME, dead_holder=ME)


@pytest.mark.parametrize("lose", [_taken_over, _taken_and_finished, _cancelled, _taken_by_its_own_name])
@pytest.mark.parametrize("halt", [False, True])
def test_the_late_write_of_a_fenced_worker_changes_nothing(
    alice: Person,
    noon: time_machine.Traveller,
    lose: Callable[[Run, time_machine.Traveller, Person], None],
    halt: bool,
) -> None:
    run = start(alice)
    stale = claim(run)
    step(stale)
    lose(run, noon, alice)
    before, told = everything(run), Event.objects.count()
    with pytest.raises(Fenced):
        step(stale, halt=halt)
    assert everything(run) == before
    assert Event.objects.count() == told


def test_a_worker_that_is_late_but_not_replaced_may_still_commit(alice: Person, noon: time_machine.Traveller) -> None:
    run = start(alice)
    execution = claim(run)
    noon.shift(PAST_THE_LEASE)
    step(execution)
    run.refresh_from_db()
    assert run.lease_expires_at is not None
    assert run.lease_expires_at > run.last_event_at, "the commit renews the lease"
    assert progress.begin(run.id, OTHER) is None


def test_every_step_renews_the_lease(alice: Person, noon: time_machine.Traveller) -> None:
    run = start(alice)
    execution = claim(run)
    for _ in range(5):
        noon.shift(timedelta(seconds=20))
        step(execution)
        assert progress.begin(run.id, OTHER) is None


def test_the_keeper_renews_what_is_its_own_and_still_runs(alice: Person, noon: time_machine.Traveller) -> None:
    mine, theirs, ended = start(alice), start(alice), start(alice)
    claim(mine)
    claim(theirs, OTHER)
    claim(ended)
    cancellation.cancel_run(actor=alice.actor, run_id=ended.id)
    ends = dict(Run.objects.values_list("id", "lease_expires_at"))
    noon.shift(timedelta(seconds=20))
    progress.renew_leases(ME)
    now = dict(Run.objects.values_list("id", "lease_expires_at"))
    assert now[mine.id] == ends[mine.id] + timedelta(seconds=20)
    assert (now[theirs.id], now[ended.id]) == (ends[theirs.id], ends[ended.id])


def test_the_lease_is_as_long_as_it_is_set(alice: Person, noon: time_machine.Traveller, settings: LazySettings) -> None:
    settings.LEASE_SECONDS = 2
    run = start(alice)
    claim(run)
    noon.shift(timedelta(seconds=1.9))
    assert progress.begin(run.id, OTHER) is None
    noon.shift(timedelta(seconds=0.2))
    assert progress.begin(run.id, OTHER) is not None


def test_a_run_given_back_can_be_had_at_once_and_goes_on_behind_the_last_node(alice: Person) -> None:
    run = start(alice)
    execution = claim(run)
    step(execution)
    step(execution, halt=True)
    assert execution.current is None
    assert _names(OTHER) == {(run.id, None)}
    second = claim(run, OTHER)
    assert second.current == "selector"
    assert ("selector", "retrying") not in phases(run), "nothing of it was lost"
    assert RunNode.objects.get(run=run, node="selector").attempts == 1


def test_a_keeper_does_not_take_back_what_its_engine_gave_away(alice: Person) -> None:
    run = start(alice)
    step(claim(run), halt=True)
    progress.renew_leases(ME)
    assert progress.begin(run.id, OTHER) is not None


def test_a_halt_at_the_last_node_ends_the_run(alice: Person) -> None:
    run = start_graph(alice, {"only": {"type": "intent"}})
    progress.finish_node(claim(run), progress.Outcome("done", output={}), halt=True)
    run.refresh_from_db()
    assert run.status == "succeeded"


# --- the sweeper ---------------------------------------------------------------------------------------------------


def test_the_sweeper_finds_queued_expired_and_dropped_runs_and_no_live_or_finished_ones(
    alice: Person, noon: time_machine.Traveller
) -> None:
    expired, done, cancelled = start(alice), start_graph(alice, {"only": {"type": "intent"}}), start(alice)
    claim(expired, OTHER)
    finish(claim(done, OTHER))
    cancellation.cancel_run(actor=alice.actor, run_id=cancelled.id)
    noon.shift(PAST_THE_LEASE)
    queued, live, dropped, given_back = start(alice), start(alice), start(alice), start(alice)
    claim(live, OTHER)
    claim(dropped, ME)
    step(claim(given_back, OTHER), halt=True)
    noon.shift(timedelta(microseconds=1))
    assert _names() == {(queued.id, None), (expired.id, None), (dropped.id, ME), (given_back.id, None)}


def test_the_oldest_comes_first_in_one_query(
    alice: Person, django_assert_num_queries: Callable[..., CaptureQueriesContext]
) -> None:
    runs = [start(alice) for _ in range(3)]
    with django_assert_num_queries(1):
        assert [found.run_id for found in sweeper.ownerless(ME)] == [run.id for run in runs]


def test_many_runs_in_hand_do_not_hide_a_lost_one(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "_BATCH", 2)
    for _ in range(3):
        claim(start(alice), OTHER)
    lost = start(alice)
    assert _names() == {(lost.id, None)}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL decides by the table's size")
@pytest.mark.parametrize("ask", [lambda: list(sweeper.ownerless(ME)), lambda: progress.renew_leases(ME)])
def test_finished_runs_cost_the_sweeper_and_the_keeper_nothing(db: None, ask: Callable[[], object]) -> None:
    """Both ask often, and for ever: however many runs are finished, they look at the index of those that are not."""
    with CaptureQueriesContext(connection) as queries:
        ask()
    [query] = [query["sql"] for query in queries if "runs_run" in query["sql"]]
    with connection.cursor() as cursor:
        steps = [row[-1] for row in cursor.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()]
    assert "run_active" in steps[0], steps


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_holder_is_dead_when_its_process_on_this_host_is_gone(alice: Person) -> None:
    here, pid = socket.gethostname(), _dead_process()
    run = start(alice)
    claim(run, f"{here}:{pid}:abc")
    assert _names() == {(run.id, f"{here}:{pid}:abc")}
    assert progress.begin(run.id, OTHER, dead_holder="somebody else") is None
    assert claim(run, OTHER, dead_holder=f"{here}:{pid}:abc").current == "intent"


@pytest.mark.parametrize(
    "holder",
    [
        "{here}:{parent}:abc",
        "{here}:1:abc",
        f"another-host:{2**22 + 1}:abc",
        "a name without a process",
        "{here}:not-a-number:abc",
        "{here}:{own}:mine",
    ],
)
def test_a_holder_that_lives_or_cannot_be_asked_keeps_its_lease(alice: Person, holder: str) -> None:
    here = {"here": socket.gethostname(), "parent": os.getppid(), "own": os.getpid()}
    claim(start(alice), holder.format(**here))
    mine = f"{socket.gethostname()}:{os.getpid()}:mine"
    assert [found for found in sweeper.ownerless(mine) if found.dead_holder != mine] == []


def test_an_earlier_process_with_our_id_is_dead(alice: Person) -> None:
    """A container's main process is number 1 each time."""
    prefix = f"{socket.gethostname()}:{os.getpid()}"
    run = start(alice)
    claim(run, f"{prefix}:before")
    assert _names(f"{prefix}:now") == {(run.id, f"{prefix}:before")}


# --- races ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(transactional_db: None, alice: Person) -> Run:
    return start(alice)


def _claims(run: Run, count: int, **how: str) -> list[Execution]:
    answers = race(*(lambda n=n: progress.begin(run.id, f"elsewhere:{n}:x", **how) for n in range(count)))
    assert not [answer for answer in answers if isinstance(answer, Exception)], answers
    return [answer for answer in answers if answer is not None]


def test_of_workers_that_claim_at_once_exactly_one_gets_the_run(run: Run) -> None:
    [winner] = _claims(run, 8)
    run.refresh_from_db()
    assert (run.lease_holder, run.lease_token) == (winner.run.lease_holder, 1)
    assert phases(run) == [("intent", "started")]
    assert Event.objects.filter(event="run_started").count() == 1


def test_of_workers_that_take_over_at_once_exactly_one_gets_the_run(run: Run) -> None:
    claim(run, "dead")
    [winner] = _claims(run, 8, dead_holder="dead")
    assert winner.run.lease_token == 2
    assert phases(run) == [("intent", "started"), ("intent", "retrying")]
    assert Event.objects.filter(event="run_recovered").count() == 1


def test_a_late_commit_and_a_take_over_at_once_are_one_after_the_other(run: Run) -> None:
    for token in range(1, 7):
        stale = claim(run, "dead", **({"dead_holder": "next"} if token > 1 else {}))
        node, attempt = stale.current, stale.states[stale.current or ""].attempts
        committed, taken = race(
            lambda stale=stale: step(stale), lambda: progress.begin(run.id, "next", dead_holder="dead")
        )
        assert isinstance(taken, Execution)
        if isinstance(committed, Fenced):
            assert (taken.current, taken.states[node].attempts) == (node, attempt + 1)
        else:
            assert committed is None
            assert taken.states[node].status == "completed"
    completed = [node for node, phase in phases(run) if phase == "completed"]
    assert len(completed) == len(set(completed)), "no node is accepted as completed twice"
    sequences = list(RunEvent.objects.filter(run=run).order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(len(sequences)))
