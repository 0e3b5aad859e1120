"""Which worker executes what, and in which order runs are offered."""

from typing import Any

import pytest

from conftest import Person
from runs.engine import sweeper, worker
from runs.models import Run
from runs.nodes.base import NodeContext, NodeResult
from runs.services import executions, progress
from runs.tests.steps import (
    ME,
    OTHER,
    claim,
    fail,
    finish,
    hearing,
    in_order,
    lose,
    node_type,
    phases,
    start_graph,
    states,
)

pytestmark = pytest.mark.django_db(transaction=True)
X: dict[str, Any] = {"type": "x"}
GPU: dict[str, Any] = {"type": "x", "queue": "gpu"}


def _done(context: NodeContext) -> NodeResult:
    return NodeResult({}, "Done.")


def test_a_node_is_taken_by_the_workers_of_its_queue_only(alice: Person) -> None:
    run = start_graph(alice, {"a": X, "b": {**GPU, "needs": ["a"]}, "c": {**X, "needs": ["b"]}})
    with hearing() as heard:
        assert finish(claim(run)) is None
    assert heard.offers == [(run.id, "gpu", 1, 0)]
    assert progress.take(run.id, ME) is None
    assert progress.take(run.id, ME, "cpu") is None
    b = claim(run, ME, "gpu")
    assert b.name == "b"
    with hearing() as heard:
        assert finish(b) is None
    assert heard.offers == [(run.id, "", 1, 0)]
    assert progress.take(run.id, ME, "gpu") is None
    assert claim(run).name == "c"


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_run_that_begins_in_a_queue_is_begun_by_anybody(alice: Person, forgetful: bool) -> None:
    """It has no events yet when the worker of the queue comes, who may be in another process."""
    run = start_graph(alice, {"a": GPU, "b": GPU})
    with hearing() as heard:
        assert progress.take(run.id, ME) is None
    run.refresh_from_db()
    assert (run.status, states(run), phases(run)) == ("running", {"a": "pending", "b": "pending"}, [])
    assert heard.offers == [(run.id, "gpu", 2, 0)]
    if forgetful:
        executions.forget()
    with hearing() as heard:
        sweeper.sweep(ME)
    assert heard.offers == [(run.id, "gpu", 2, 0)]
    with node_type("x", _done):
        assert worker.execute(run.id, OTHER, queue="gpu")
    run.refresh_from_db()
    assert run.status == "succeeded"
    in_order(run)


def test_the_sweeper_offers_each_queue_for_itself(alice: Person) -> None:
    run = start_graph(alice, {"a": X, "b": GPU, "c": GPU, "d": X, "e": {**X, "needs": ["a"]}}, priority=3)
    attempt = claim(run)
    with hearing() as heard:
        sweeper.sweep(ME)
    assert sorted(heard.offers) == [(run.id, "", 1, 3), (run.id, "gpu", 2, 3)]
    lose(attempt)
    with hearing() as heard:
        sweeper.sweep(ME)
    assert sorted(heard.offers) == [(run.id, "", 2, 3), (run.id, "gpu", 2, 3)]


def test_what_was_lost_or_failed_goes_back_to_its_queue(alice: Person) -> None:
    run = start_graph(alice, {"a": {**GPU, "retry": {"max_attempts": 2, "delay_seconds": 0}}})
    assert progress.take(run.id, ME) is None
    attempt = claim(run, queue="gpu")
    with hearing() as heard:
        lose(attempt)
    assert heard.offers == [(run.id, "gpu", 1, 0)]
    attempt = claim(run, queue="gpu")
    with hearing() as heard:
        fail(attempt, more=False)
    assert heard.offers == [(run.id, "gpu", 1, 0)]


def test_queued_runs_are_offered_by_priority_and_age(alice: Person) -> None:
    runs = [start_graph(alice, {"a": X}, priority=priority) for priority in (0, 100, 5, 100, 0)]
    with hearing() as heard:
        sweeper.offer_ready()
    assert heard.runs == [runs[place].id for place in (1, 3, 2, 0, 4)]
    assert [offer[3] for offer in heard.offers] == [100, 100, 5, 0, 0]


def test_a_batch_has_the_most_urgent_ones(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "_BATCH", 2)
    runs = [start_graph(alice, {"a": X}, priority=priority) for priority in (0, 1, 2)]
    with hearing() as heard:
        sweeper.offer_ready()
    assert heard.runs == [runs[2].id, runs[1].id]


def test_what_is_ready_is_offered_as_urgently_as_its_run(alice: Person) -> None:
    run = start_graph(alice, {"a": X, "b": {**X, "needs": ["a"]}, "c": {**X, "needs": ["a"]}}, priority=9)
    attempt = claim(run)
    with hearing() as heard:
        finish(attempt)
    assert heard.offers == [(run.id, "", 1, 9)]


def test_nothing_of_an_ended_run_is_offered(alice: Person) -> None:
    nodes = {"a": X, "b": X, "m": {**X, "map": {"over": "inputs.none"}, "needs": ["a"]}, "z": {**X, "needs": ["a"]}}
    run = start_graph(alice, nodes)
    with hearing() as heard:
        finish(claim(run))
        sweeper.sweep(ME)
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "bad_map")
    assert heard.offers == [(run.id, "", 1, 0)], "only b, which was ready before"
    assert not set(states(run).values()) & {"pending", "running", "waiting"}


# --- one run after the other ---------------------------------------------------------------------------------------


def _chain(person: Person, count: int, **how: Any) -> Run:
    needs: dict[int, list[str]] = {number: [f"n{number - 1:03}"] if number else [] for number in range(count)}
    return start_graph(person, {f"n{number:03}": {**X, "needs": needs[number]} for number in needs}, **how)


def test_a_long_run_lets_others_have_their_turn(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is offered again, as urgent as it is, and goes on behind those that are."""
    monkeypatch.setattr(worker, "MOST_IN_A_ROW", 3)
    run = _chain(alice, 7, priority=4)
    for done in (3, 6):
        with node_type("x", _done), hearing() as heard:
            assert worker.execute(run.id, ME)
        assert list(states(run).values()).count("completed") == done
        assert set(heard.offers) == {(run.id, "", 1, 4)}
    with node_type("x", _done):
        worker.execute(run.id, ME)
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_who_is_told_to_stop_commits_the_node_in_hand_and_starts_no_other(alice: Person) -> None:
    class Stop:
        def is_set(self) -> bool:
            return True

    run = _chain(alice, 3)
    with node_type("x", _done):
        assert worker.execute(run.id, ME, stop=Stop())  # type: ignore[arg-type]
    assert states(run) == {"n000": "completed", "n001": "pending"}
