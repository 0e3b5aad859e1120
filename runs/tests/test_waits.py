"""Nodes that wait for something outside, and the runs that wait with them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine

from conftest import Person
from orchestrator.core import clock
from orchestrator.events.models import Event
from runs.engine import sweeper, worker
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, Waiting
from runs.services import executions, progress
from runs.services.outcomes import Outcome
from runs.tests.steps import (
    ME,
    OTHER,
    carry,
    claim,
    finish,
    hearing,
    in_order,
    lose,
    node_type,
    phases,
    start_graph,
    states,
    step,
)  # fmt: skip

TICK = timedelta(microseconds=1)
NAP = {"nap": {"type": "nap"}, "after": {"type": "x", "needs": ["nap"]}}


def _nap(context: NodeContext) -> NodeResult | Waiting:
    """An hour, or as many seconds as it is told to."""
    if context.waited is not None:
        return NodeResult({"waited": dict(context.waited), "attempt": context.attempt}, "Awake.")
    until = clock.now() + timedelta(seconds=context.config.get("seconds", 3600))
    return Waiting({"kind": "timer", "until": clock.rfc3339(until)}, "Asleep for an hour.", until)


@pytest.fixture(autouse=True)
def _types() -> Iterator[None]:
    with node_type("nap", _nap), node_type("x", lambda _: NodeResult({}, "Done.")):
        yield


def _told(run: Run) -> list[str]:
    events = Event.objects.filter(target=f"run:{run.id}").order_by("seq")
    return list(events.values_list("event", flat=True))


def test_a_wait_holds_no_worker_and_its_run_says_what_for(alice: Person, noon: time_machine.Traveller) -> None:
    run = carry(start_graph(alice, NAP))
    row = RunNode.objects.get(run=run)
    assert (run.status, row.status, row.lease_holder, row.lease_expires_at) == ("waiting", "waiting", "", None)
    on = {"kind": "timer", "until": "2030-01-01T13:00:00.000000Z"}
    assert (row.waiting_on, run.waiting_on) == (on, [{"node": "nap", **on}])
    assert phases(run) == [("nap", "started"), ("nap", "waiting")]
    assert _told(run) == ["run_started", "run_waiting"]
    assert not worker.execute(run.id, OTHER)
    assert list(sweeper.lost(ME)) == []
    assert sweeper.next_due() == row.due_at == clock.now() + timedelta(hours=1)


@pytest.mark.parametrize("forgetful", [False, True])
def test_it_goes_on_when_its_time_has_come_whoever_does_it(
    alice: Person, transactional_db: None, noon: time_machine.Traveller, forgetful: bool
) -> None:
    """All that it takes is in the database."""
    run = carry(start_graph(alice, NAP, output="nodes.nap"))
    if forgetful:
        executions.forget()
    noon.shift(timedelta(hours=1) - TICK)
    assert not worker.execute(run.id, OTHER)
    noon.shift(TICK)
    with hearing() as heard:
        sweeper.sweep(ME)
    assert heard.offers == [(run.id, "", 1, 0)]
    run = carry(run, OTHER)
    assert (run.status, run.output["attempt"]) == ("succeeded", 1)
    assert run.output["waited"] == {"kind": "timer", "until": "2030-01-01T13:00:00.000000Z"}
    assert phases(run)[:5] == [
        ("nap", "started"), ("nap", "waiting"), ("nap", "started"), ("nap", "completed"), ("after", "started"),
    ]  # fmt: skip
    assert _told(run) == ["run_started", "run_waiting", "run_resumed", "run_succeeded"]
    in_order(run)


def test_the_workers_are_told_when_it_is_time(
    alice: Person, transactional_db: None, noon: time_machine.Traveller
) -> None:
    with hearing() as heard:
        carry(start_graph(alice, NAP))
    assert heard.wakes == [clock.now() + timedelta(hours=1)]


def test_a_time_that_is_over_is_no_wait(alice: Person, noon: time_machine.Traveller) -> None:
    run = carry(start_graph(alice, {"nap": {"type": "nap", "with": {"seconds": -5}}}))
    assert run.status == "succeeded"
    assert phases(run) == [("nap", "started"), ("nap", "waiting"), ("nap", "started"), ("nap", "completed")]


def test_a_wait_without_end_is_never_due(alice: Person, noon: time_machine.Traveller) -> None:
    with node_type("nap", lambda _: Waiting({"kind": "bell"}, "Waiting for the bell.")):
        run = carry(start_graph(alice, NAP))
    noon.shift(timedelta(days=1000))
    assert (run.status, sweeper.next_due()) == ("waiting", None)
    assert not worker.execute(run.id, OTHER)


def test_a_run_waits_only_when_nothing_else_of_it_moves(alice: Person, noon: time_machine.Traveller) -> None:
    run = start_graph(alice, {"a": {"type": "nap"}, "b": {"type": "x"}, "c": {"type": "nap", "needs": ["b"]}})
    b = step(claim(run))
    assert b is not None
    run.refresh_from_db()
    assert (run.status, run.waiting_on) == ("running", None)
    assert step(step(b)) is None
    run.refresh_from_db()
    assert (run.status, [each["node"] for each in run.waiting_on]) == ("waiting", ["a", "c"])
    version = run.version
    noon.shift(timedelta(hours=1))
    claim(run)
    run.refresh_from_db()
    assert (run.status, run.waiting_on, run.version) == ("running", None, version + 1)


def test_it_may_wait_again(alice: Person, noon: time_machine.Traveller) -> None:
    def twice(context: NodeContext) -> NodeResult | Waiting:
        times = (context.waited or {"times": 0})["times"]
        if times == 2:
            return NodeResult({"times": times}, "Awake.")
        return Waiting({"kind": "timer", "times": times + 1}, "Asleep.", clock.now() + timedelta(hours=1))

    with node_type("nap", twice):
        run = start_graph(alice, NAP, output="nodes.nap.times")
        for _ in range(3):
            run = carry(run)
            noon.shift(timedelta(hours=1))
    assert (run.status, run.output) == ("succeeded", 2)


def test_a_worker_that_is_lost_after_the_wait_does_not_make_it_wait_again(
    alice: Person, noon: time_machine.Traveller
) -> None:
    run = carry(start_graph(alice, NAP, output="nodes.nap.attempt"))
    noon.shift(timedelta(hours=1))
    assert lose(claim(run))
    run.refresh_from_db()
    assert (run.status, states(run)["nap"]) == ("running", "waiting")
    run = carry(run, OTHER)
    assert (run.status, run.output, run.recoveries) == ("succeeded", 2, 1)


def test_a_failure_after_the_wait_begins_from_the_start(alice: Person, noon: time_machine.Traveller) -> None:
    def broken(context: NodeContext) -> NodeResult | Waiting:
        if context.waited and context.attempt == 1:
            raise NodeFailure("broken", "It broke.")
        return _nap(context)

    with node_type("nap", broken):
        retry = {"max_attempts": 2, "delay_seconds": 0}
        run = carry(start_graph(alice, {"nap": {"type": "nap", "retry": retry}}, output="nodes.nap.attempt"))
        noon.shift(timedelta(hours=1))
        run = carry(run)
        assert run.status == "waiting"
        noon.shift(timedelta(hours=1))
        run = carry(run)
    assert (run.status, run.output) == ("succeeded", 2)


@pytest.mark.parametrize(("limit", "until"), [(600, 600), (7200, 3600)])
def test_the_sooner_of_the_wait_and_the_time_limit_is_what_it_is_due(
    alice: Person, noon: time_machine.Traveller, limit: int, until: int
) -> None:
    run = carry(start_graph(alice, {"nap": {"type": "nap", "timeout_seconds": limit}}))
    assert sweeper.next_due() == datetime.fromisoformat("2030-01-01T12:00:00Z") + timedelta(seconds=until)
    noon.shift(timedelta(seconds=until))
    run = carry(run)
    assert (run.status, (run.error or {}).get("code")) == (
        ("failed", "timeout") if until == limit else ("succeeded", None)
    )  # fmt: skip


def test_a_wait_that_times_out_is_tried_again_where_it_says_so(alice: Person, noon: time_machine.Traveller) -> None:
    retry = {"max_attempts": 2, "delay_seconds": 0, "on": ["timeout"]}
    run = carry(start_graph(alice, {"nap": {"type": "nap", "timeout_seconds": 60, "retry": retry}}))
    noon.shift(timedelta(seconds=60))
    run = carry(run)
    assert (run.status, RunNode.objects.get(run=run).attempts) == ("waiting", 2)
    assert sweeper.next_due() == clock.now() + timedelta(seconds=60)


def test_what_a_run_waits_for_is_told_of_ten_nodes_at_most(alice: Person, noon: time_machine.Traveller) -> None:
    run = carry(start_graph(alice, {f"n{number}": {"type": "nap"} for number in range(15)}))
    assert (run.status, len(run.waiting_on)) == ("waiting", 10)


def test_a_wait_that_is_no_json_is_the_nodes_failure(alice: Person) -> None:
    with node_type("nap", lambda _: Waiting({"kind": {1, 2}}, "Waiting.")):
        run = carry(start_graph(alice, NAP))
    assert (run.status, run.error["code"]) == ("failed", "bad_output")


def test_an_outcome_for_a_node_that_waits_already_is_refused(alice: Person) -> None:
    run = start_graph(alice, NAP)
    attempt = claim(run)
    progress.finish(attempt, Outcome("Waiting.", waiting=Waiting({"kind": "bell"}, "Waiting.")))
    with pytest.raises(progress.Fenced):
        finish(attempt)
