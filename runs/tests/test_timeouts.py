"""The time that an attempt, and a whole run, may take."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from conftest import Person
from runs.engine import sweeper
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeResult, Waiting
from runs.services import progress
from runs.services.outcomes import Outcome
from runs.services.progress import Attempt, Fenced
from runs.tests.steps import (
    ME,
    OTHER,
    carry,
    claim,
    everything,
    finish,
    hearing,
    in_order,
    lose,
    node_type,
    phases,
    start_graph,
    states,
)  # fmt: skip

TICK = timedelta(microseconds=1)


def _started(person: Person, node: dict[str, Any] | None = None, **definition: Any) -> tuple[Run, Attempt]:
    a = {"type": "x", "timeout_seconds": 5, **(node or {})}
    run = start_graph(person, {"a": a, "b": {"type": "x"}}, **definition)
    return run, claim(run)


def test_an_attempt_that_takes_too_long_fails_and_its_late_result_does_not_count(
    alice: Person, noon: time_machine.Traveller
) -> None:
    run, attempt = _started(alice)
    noon.shift(timedelta(seconds=5) - TICK)
    assert not progress.time_out(run.id, "a", attempt.state.token)
    assert sweeper._out_of_time() == []
    noon.shift(TICK)
    with hearing():
        sweeper.sweep(ME)
    run.refresh_from_db()
    assert (run.status, run.error["node"], run.error["code"]) == ("failed", "a", "timeout")
    assert "5 seconds" in run.error["message"]
    assert states(run) == {"a": "failed", "b": "cancelled"}
    before = everything(run)
    with pytest.raises(Fenced):
        finish(attempt, late=True)
    assert not progress.time_out(run.id, "a", attempt.state.token)
    assert everything(run) == before
    in_order(run)


def test_a_result_that_comes_first_counts_however_late_it_is(alice: Person, noon: time_machine.Traveller) -> None:
    run, attempt = _started(alice)
    noon.shift(timedelta(seconds=50))
    finish(attempt)
    assert not progress.time_out(run.id, "a", attempt.state.token)
    assert states(run) == {"a": "completed", "b": "running"}


def test_each_attempt_has_the_time_for_itself(alice: Person, noon: time_machine.Traveller) -> None:
    retry = {"max_attempts": 2, "delay_seconds": 0, "on": ["timeout"]}
    run, first = _started(alice, {"retry": retry})
    noon.shift(timedelta(seconds=5))
    assert progress.time_out(run.id, "a", first.state.token)
    assert states(run) == {"a": "pending", "b": "pending"}
    second = finish(claim(run, OTHER))  # b has waited for longer
    assert second is not None
    assert (second.name, second.state.attempts) == ("a", 2)
    assert second.state.due_at - second.state.started_at == timedelta(seconds=5)  # type: ignore[operator]
    with pytest.raises(Fenced):
        finish(first)
    noon.shift(timedelta(seconds=5))
    assert progress.time_out(run.id, "a", second.state.token)
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "timeout")


def test_a_time_out_may_be_passed_over(alice: Person, noon: time_machine.Traveller) -> None:
    run, attempt = _started(alice, {"on_failure": "continue"})
    noon.shift(timedelta(seconds=5))
    progress.time_out(run.id, "a", attempt.state.token)
    finish(claim(run))
    run.refresh_from_db()
    assert (run.status, states(run)) == ("succeeded", {"a": "failed", "b": "completed"})


def test_a_lost_worker_gives_the_next_one_its_whole_time(alice: Person, noon: time_machine.Traveller) -> None:
    run, attempt = _started(alice)
    noon.shift(timedelta(seconds=4))
    lose(attempt)
    again = finish(claim(run))  # b has waited for longer
    assert again is not None
    assert again.state.due_at == again.state.started_at + timedelta(seconds=5)  # type: ignore[operator]


def test_a_node_knows_how_long_it_may_take(alice: Person, noon: time_machine.Traveller) -> None:
    told = []

    def work(context: NodeContext) -> NodeResult:
        told.append(context.seconds)
        return NodeResult({}, "Done.")

    with node_type("x", work):
        carry(start_graph(alice, {"a": {"type": "x", "timeout_seconds": 5}, "b": {"type": "x"}}))
    assert told == [5, None]


def test_a_wait_is_part_of_the_attempts_time(alice: Person, noon: time_machine.Traveller) -> None:
    """It begins with the attempt, not with the wait."""
    run, attempt = _started(alice)
    noon.shift(timedelta(seconds=2))
    waiting = Waiting({"kind": "bell"}, "Waiting for the bell.")
    finish_b = progress.finish(attempt, Outcome("Waiting.", waiting=waiting))
    assert finish_b is not None
    finish(finish_b)
    noon.shift(timedelta(seconds=3) - TICK)
    assert progress.take(run.id, ME) is None
    noon.shift(TICK)
    assert progress.take(run.id, ME) is None
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "timeout")
    assert phases(run)[-1] == ("a", "failed")


# --- the whole run -------------------------------------------------------------------------------------------------


def test_a_run_that_takes_too_long_fails(alice: Person, noon: time_machine.Traveller) -> None:
    run, attempt = _started(alice, timeout_seconds=60)
    noon.shift(timedelta(seconds=60) - TICK)
    assert sweeper._overdue() == []
    assert not progress.end_overdue(run.id)
    noon.shift(TICK)
    progress.renew_leases(ME, [(run.id, "a", attempt.state.token)])
    assert sweeper._overdue() == [run.id]
    assert progress.end_overdue(run.id)
    run.refresh_from_db()
    assert (run.status, run.error["code"], run.error.get("node")) == ("failed", "timeout", None)
    assert "60 seconds" in run.error["message"]
    assert states(run) == {"a": "cancelled", "b": "cancelled"}
    assert run.due_at is None
    with pytest.raises(Fenced):
        finish(attempt)
    assert not progress.end_overdue(run.id)
    in_order(run)


def test_its_time_begins_with_its_first_node_and_goes_on_while_it_waits(
    alice: Person, noon: time_machine.Traveller
) -> None:
    with node_type("x", lambda _: Waiting({"kind": "bell"}, "Waiting for the bell.")):
        run = start_graph(alice, {"a": {"type": "x"}}, timeout_seconds=60)
        noon.shift(timedelta(hours=1))
        assert sweeper._overdue() == []
        carry(run)
    assert run.status == "waiting"
    noon.shift(timedelta(seconds=60))
    with hearing():
        sweeper.sweep(ME)
    run.refresh_from_db()
    assert (run.status, states(run)) == ("failed", {"a": "cancelled"})
    assert phases(run)[-1] == ("a", "cancelled")


def test_a_run_in_time_has_no_limit_left_behind(alice: Person, noon: time_machine.Traveller) -> None:
    with node_type("x", lambda _: NodeResult({}, "Done.")):
        run = carry(start_graph(alice, {"a": {"type": "x", "timeout_seconds": 5}}, timeout_seconds=60))
    noon.shift(timedelta(hours=1))
    assert (run.status, run.due_at, RunNode.objects.get(run=run).due_at) == ("succeeded", None, None)
    assert (sweeper._overdue(), sweeper._out_of_time(), sweeper.next_due()) == ([], [], None)
