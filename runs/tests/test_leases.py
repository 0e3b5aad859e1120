"""Ownership of a node: one holder at a time, and no late write is ever accepted."""

import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from agents.models import SystemLog
from agents.states import LEVELS
from conftest import Person
from orchestrator.events.models import Event
from runs.engine import sweeper
from runs.models import Run, RunEvent, RunNode
from runs.services import progress
from runs.services.outcomes import Outcome
from runs.services.progress import Attempt, Fenced
from runs.tests.steps import (
    ME,
    OTHER,
    carry,
    carry_on,
    claim,
    everything,
    fail,
    finish,
    hearing,
    in_order,
    lose,
    on_its_own,
    phases,
    start,
    start_graph,
    states,
    step,
)  # fmt: skip

NOON = "2030-01-01T12:00:00Z"
PAST_THE_LEASE = timedelta(seconds=31)
ONE = {"only": {"type": "intent"}}
TWO = {"a": {"type": "intent"}, "b": {"type": "intent"}}


def _lost(holder: str = ME) -> set[tuple[uuid.UUID, str, int]]:
    return {tuple(found) for found in sweeper.lost(holder)}


def _key(attempt: Attempt) -> tuple[uuid.UUID, str, int]:
    return attempt.run.id, attempt.name, attempt.state.token


def _node(run: Run, name: str) -> RunNode:
    return RunNode.objects.get(run=run, node=name)


def test_a_node_in_somebodys_hands_is_not_to_be_had(alice: Person, noon: time_machine.Traveller) -> None:
    run = start(alice)
    claim(run)
    before = everything(run)
    assert progress.take(run.id, OTHER) is None
    noon.shift(timedelta(seconds=30))  # to the end of the lease, not beyond
    assert _lost() == set()
    noon.shift(PAST_THE_LEASE)
    assert progress.take(run.id, OTHER) is None, "only when it has been found lost"
    assert everything(run) == before


def test_there_is_nothing_to_take_of_a_finished_or_unknown_run(alice: Person) -> None:
    run = start_graph(alice, ONE)
    attempt = claim(run)
    finish(attempt)
    assert progress.take(run.id, OTHER) is None
    assert progress.take(uuid.uuid4(), OTHER) is None
    assert not lose(attempt)
    assert not progress.recover(uuid.uuid4(), "only", 1)


def test_after_the_lease_another_goes_on_with_the_interrupted_node(alice: Person, noon: time_machine.Traveller) -> None:
    run = start(alice)
    planner = step(claim(run))
    noon.shift(PAST_THE_LEASE)
    with hearing():
        sweeper.sweep(OTHER)
    assert states(run) == {"intent": "completed", "planner": "pending"}
    second = claim(run, OTHER)
    assert phases(run) == [
        ("intent", "started"), ("intent", "completed"), ("planner", "started"), ("planner", "retrying"),
        ("planner", "started"),
    ]  # fmt: skip
    assert planner is not None
    assert second.name == "planner"
    assert second.execution.states["intent"].output == planner.execution.states["intent"].output
    node = _node(run, "planner")
    assert (node.status, node.attempts, node.recoveries, node.lease_holder) == ("running", 2, 1, OTHER)
    retrying = RunEvent.objects.get(run=run, phase="retrying")
    assert retrying.payload == {"attempt": 1}
    assert "lost" in retrying.summary
    run.refresh_from_db()
    assert run.recoveries == 1
    assert Event.objects.filter(event="run_recovered", target=f"run:{run.id}").count() == 1
    told = SystemLog.objects.get(component="engine")
    assert (LEVELS[told.level], told.details) == ("WARNING", {"run_id": str(run.id)})
    in_order(run)


def test_a_run_whose_every_node_was_lost_once_ends_as_if_nothing_had_been(alice: Person) -> None:
    undisturbed = start(alice)
    carry_on(claim(undisturbed))
    run = start(alice)
    attempt: Attempt | None = claim(run)
    while attempt is not None:
        assert lose(attempt)
        attempt = step(claim(run, OTHER))
    undisturbed.refresh_from_db()
    run.refresh_from_db()
    assert (run.status, run.output) == ("succeeded", undisturbed.output)
    assert [each for each in phases(run) if each[1] == "completed"] == [
        each for each in phases(undisturbed) if each[1] == "completed"
    ]
    assert run.recoveries == 7


def test_what_kills_its_worker_again_and_again_fails_the_run(alice: Person) -> None:
    """Three times another one takes it up, and never a fifth; its own ``retry`` has no say in it."""
    run = start_graph(
        alice,
        {
            "a": {"type": "intent", "retry": {"max_attempts": 100}, "on_failure": "continue"},
            "b": {"type": "intent", "queue": "b"},
        },
    )
    for attempts in range(1, 5):
        attempt = claim(run)
        assert (attempt.name, attempt.state.attempts) == ("a", attempts)
        assert lose(attempt)
    run.refresh_from_db()
    assert (run.status, run.recoveries) == ("failed", 3)
    assert (run.error["code"], run.error["node"]) == ("worker_lost", "a")
    assert states(run) == {"a": "failed", "b": "cancelled"}
    assert progress.take(run.id, OTHER) is None
    in_order(run)


def test_losses_are_no_attempts_of_the_node_itself(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "no-such-type", "retry": {"max_attempts": 2, "on": ["broken"]}}})
    for _ in range(3):
        lose(claim(run))
    attempt = claim(run)
    assert attempt.state.attempts == 4
    fail(attempt)
    assert states(run) == {"a": "pending"}, "it has one attempt left"


# --- late writes ---------------------------------------------------------------------------------------------------


def _taken_over(attempt: Attempt) -> None:
    lose(attempt)
    claim(attempt.run, OTHER)


def _taken_over_and_finished(attempt: Attempt) -> None:
    lose(attempt)
    carry_on(claim(attempt.run, OTHER))


def _lost_only(attempt: Attempt) -> None:
    lose(attempt)


def _taken_by_its_own_name(attempt: Attempt) -> None:
    lose(attempt)
    claim(attempt.run, attempt.holder)


def _run_failed(attempt: Attempt) -> None:
    Run.objects.filter(pk=attempt.run.pk).update(due_at=attempt.run.created_at)
    progress.end_overdue(attempt.run.id)


def _deleted(attempt: Attempt) -> None:
    Run.objects.filter(pk=attempt.run.pk).delete()


@pytest.mark.parametrize(
    "away", [_taken_over, _taken_over_and_finished, _lost_only, _taken_by_its_own_name, _run_failed, _deleted]
)
@pytest.mark.parametrize("more", [False, True])
def test_the_late_write_of_a_fenced_worker_changes_nothing(
    alice: Person, away: Callable[[Attempt], None], more: bool
) -> None:
    run = start_graph(alice, {"x": {"type": "intent"}, "y": {"type": "intent", "needs": ["x"]}}, timeout_seconds=60)
    stale = claim(run)
    twin = Attempt(progress.executions._read(Run.objects.get(pk=run.pk)), stale.name, ME, "")  # type: ignore[arg-type]
    away(twin)
    before, told = everything(run), Event.objects.count()
    with pytest.raises(Fenced):
        progress.finish(stale, Outcome("late", output={"late": True}), more=more)
    assert everything(run) == before
    assert Event.objects.count() == told


def test_an_attempt_is_accepted_once(alice: Person) -> None:
    """A message that comes twice, a worker that says it twice."""
    run = start_graph(alice, TWO)
    attempt = claim(run)
    finish(attempt)
    before = everything(run)
    with pytest.raises(Fenced):
        finish(attempt)
    assert everything(run) == before


def test_a_worker_that_is_late_but_not_replaced_may_still_commit(alice: Person, noon: time_machine.Traveller) -> None:
    run = start_graph(alice, ONE)
    attempt = claim(run)
    noon.shift(PAST_THE_LEASE)
    finish(attempt)
    run.refresh_from_db()
    assert (run.status, run.recoveries) == ("succeeded", 0)


# --- how long ------------------------------------------------------------------------------------------------------


def test_every_attempt_has_a_lease_of_its_own(alice: Person, noon: time_machine.Traveller) -> None:
    run = start(alice)
    first = claim(run)
    noon.shift(timedelta(seconds=20))
    finish(first)
    intent, planner = _node(run, "intent"), _node(run, "planner")
    assert (intent.lease_holder, intent.lease_expires_at) == ("", None)
    assert planner.lease_expires_at - planner.started_at == timedelta(seconds=30)


def test_the_lease_is_as_long_as_it_is_set(alice: Person, noon: time_machine.Traveller, settings: LazySettings) -> None:
    settings.LEASE_SECONDS = 5
    attempt = claim(start(alice))
    noon.shift(timedelta(seconds=5, microseconds=1))
    assert _lost() == {_key(attempt)}


def test_the_keeper_renews_what_is_its_own_and_in_hand(alice: Person, noon: time_machine.Traveller) -> None:
    run = start_graph(alice, {name: {"type": "intent"} for name in "abcd"})
    in_hand, dropped, other, ended = claim(run), claim(run), claim(run, OTHER), claim(run)
    finish(ended)
    noon.shift(timedelta(seconds=20))
    progress.renew_leases(ME, [_key(each) for each in (in_hand, other, ended)])
    noon.shift(timedelta(seconds=11))
    assert _lost() == {_key(dropped), _key(other)}
    assert _node(run, "d").lease_expires_at is None
    progress.renew_leases(ME, [])
    assert _lost() == {_key(dropped), _key(other)}


def test_what_is_left_to_others_can_be_had_at_once(alice: Person) -> None:
    run = start(alice)
    step(claim(run), more=False)
    assert states(run) == {"intent": "completed", "planner": "pending"}
    planner = claim(run, OTHER)
    assert (planner.name, planner.state.attempts) == ("planner", 1)
    assert ("planner", "retrying") not in phases(run), "nothing of it was lost"


def test_the_last_node_ends_the_run_also_when_no_more_is_wanted(alice: Person) -> None:
    run = start_graph(alice, ONE)
    assert progress.finish(claim(run), Outcome("done", output={}), more=False) is None
    run.refresh_from_db()
    assert run.status == "succeeded"


# --- the sweeper ---------------------------------------------------------------------------------------------------


def test_the_sweeper_finds_expired_attempts_and_no_live_or_ended_ones(
    alice: Person, noon: time_machine.Traveller
) -> None:
    expired = claim(start(alice), OTHER)
    finish(claim(start_graph(alice, ONE), OTHER))
    noon.shift(PAST_THE_LEASE)
    claim(start(alice), OTHER)
    without = claim(start(alice), OTHER)
    RunNode.objects.filter(run=without.run).update(lease_expires_at=None, lease_holder="")  # as the migration leaves it
    assert _lost() == {_key(expired), _key(without)}


def test_the_oldest_lease_comes_first_in_one_query(
    alice: Person, noon: time_machine.Traveller, django_assert_num_queries: Callable[..., CaptureQueriesContext]
) -> None:
    attempts = []
    for _ in range(3):
        attempts.append(claim(start(alice)))
        noon.shift(timedelta(seconds=1))
    noon.shift(PAST_THE_LEASE)
    with django_assert_num_queries(1):
        assert list(sweeper.lost(ME)) == [_key(attempt) for attempt in attempts]


def test_many_in_hand_do_not_hide_a_lost_one(
    alice: Person, noon: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "_BATCH", 2)
    lost = claim(start(alice), OTHER)
    noon.shift(PAST_THE_LEASE)
    for _ in range(3):
        claim(start(alice), OTHER)
    assert _lost() == {_key(lost)}


SWEEPS: list[Callable[[], object]] = [
    lambda: list(sweeper.lost(ME)), lambda: progress.renew_leases(ME, [(uuid.uuid4(), "a", 1)]), sweeper.next_due,
    sweeper._out_of_time, sweeper._overdue, sweeper._orphans, lambda: list(sweeper._queued()), sweeper.offer_ready,
]  # fmt: skip


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL decides by the table's size")
@pytest.mark.parametrize("ask", SWEEPS)
def test_finished_runs_cost_the_sweeper_and_the_keeper_nothing(db: None, ask: Callable[[], object]) -> None:
    """They ask often, and for ever: however many runs are finished, they look at an index of those that are not."""
    with CaptureQueriesContext(connection) as queries:
        ask()
    asked = [query["sql"] for query in queries.captured_queries if "SAVEPOINT" not in query["sql"]]
    assert asked
    for sql in asked:
        with connection.cursor() as cursor:
            steps = [row[-1] for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
        first = next(each for each in steps if each.startswith(("SEARCH", "SCAN")))
        assert re.search(
            "run_active|run_offered|run_due|run_node_due|run_node_leased|run_node_once|autoindex", first
        ), steps


def test_a_server_at_rest_asks_for_nothing_more_than_whether_it_is(alice: Person) -> None:
    carry(start(alice))
    with CaptureQueriesContext(connection) as queries:
        assert sweeper.sweep(ME) is None
    assert len(queries) == 2
    start(alice)
    assert not sweeper.is_idle()


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_holder_is_dead_when_its_process_on_this_host_is_gone(alice: Person) -> None:
    here, pid = socket.gethostname(), _dead_process()
    run = start(alice)
    attempt = claim(run, f"{here}:{pid}:abc")
    assert _lost() == {_key(attempt)}
    with hearing():
        sweeper.sweep(OTHER)
    assert claim(run, OTHER).name == "intent"


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
    assert _lost(mine) == set()


def test_an_earlier_process_with_our_id_is_dead(alice: Person) -> None:
    """A container's main process is number 1 each time."""
    prefix = f"{socket.gethostname()}:{os.getpid()}"
    attempt = claim(start(alice), f"{prefix}:before")
    assert _lost(f"{prefix}:now") == {_key(attempt)}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_the_renewal_of_leases_waits_for_no_step(alice: Person) -> None:
    """It has the rows of many runs at once: waiting for one it would keep others from theirs, in any order."""
    held, free = (claim(start(alice)) for _ in range(2))
    RunNode.objects.update(lease_expires_at=None)
    in_hand = [(attempt.run.id, attempt.name, attempt.state.token) for attempt in (held, free)]
    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        list(RunNode.objects.select_for_update().filter(run=held.run))
        threads.submit(on_its_own, lambda: progress.renew_leases(ME, in_hand)).result(10)
        renewed = RunNode.objects.filter(lease_expires_at__isnull=False)
        assert list(renewed.values_list("run_id", flat=True)) == [free.run.id]
