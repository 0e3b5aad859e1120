"""Messages that are lost, come twice or in any order, and workers whose memory of a run is old."""

from random import Random
from typing import Any

import pytest

from conftest import Person
from runs.engine import sweeper, worker
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult
from runs.services import executions, progress
from runs.services.progress import Attempt
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
WIDE: dict[str, dict[str, Any]] = {
    "a": {"type": "x"},
    "b": {"type": "x", "needs": ["a"], "queue": "other"},
    "c": {"type": "x", "needs": ["a"], "retry": {"max_attempts": 2, "delay_seconds": 0}},
    "m": {"type": "x", "needs": ["a"], "map": {"over": "inputs.list", "concurrency": 2}},
    "z": {"type": "x", "needs": ["b", "c", "m"]},
}


def _work(context: NodeContext) -> NodeResult:
    if context.node == "c" and context.attempt == 1:
        raise NodeFailure("again", "Not yet.")
    return NodeResult({"by": context.node}, "Done.")


def _wide(person: Person) -> Run:
    return start_graph(person, WIDE, inputs={"list": [1, 2, 3]}, output="nodes.m.items[].by")


def _is_done(run: Run) -> None:
    run.refresh_from_db()
    assert (run.status, run.output) == ("succeeded", ["m[0]", "m[1]", "m[2]"])
    completed = [node for node, phase in phases(run) if phase == "completed"]
    assert sorted(completed) == ["a", "b", "c", "m", "m[0]", "m[1]", "m[2]", "z"]
    in_order(run)


def test_without_any_message_the_sweeper_alone_carries_a_run_to_its_end(alice: Person) -> None:
    run = _wide(alice)
    with node_type("x", _work):
        for _ in range(50):
            with hearing() as heard:
                sweeper.sweep(ME)
            if not heard.offers:
                break
            run_id, queue, *_ = heard.offers[0]
            attempt = progress.take(run_id, ME, queue)
            assert attempt is not None
            progress.finish(attempt, worker.run_node(attempt), more=False)
    _is_done(run)


@pytest.mark.parametrize("seed", range(6))
def test_messages_may_come_twice_late_and_in_any_order(alice: Person, seed: int) -> None:
    """Of two runs, to three holders that have each their own idea of what is new."""
    chance, runs = Random(seed), [_wide(alice), _wide(alice)]
    offers = [(run.id, "") for run in runs]
    with node_type("x", _work):
        for _ in range(300):
            if not offers:
                break
            run_id, queue = offers.pop(chance.randrange(len(offers)))
            with hearing() as heard:
                worker.execute(run_id, f"elsewhere:{chance.randrange(3)}:x", queue=queue)
            offers += [(offer[0], offer[1]) for offer in heard.offers for _ in range(chance.randint(1, 2))]
    for run in runs:
        _is_done(run)


def test_a_run_that_is_offered_after_its_end_is_left_alone(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "x"}})
    with node_type("x", _work):
        assert worker.execute(run.id, ME)
        assert not worker.execute(run.id, ME)
        assert not worker.execute(run.id, OTHER, queue="other")
    in_order(run)


# --- old memories --------------------------------------------------------------------------------------------------


class Process:
    """What one process remembers of its runs, apart from the others."""

    def __init__(self) -> None:
        self.kept: Any = executions._kept.__class__()

    def __enter__(self) -> None:
        self.before, executions._kept = executions._kept, self.kept

    def __exit__(self, *_: object) -> None:
        executions._kept = self.before


@pytest.mark.parametrize("seed", range(4))
def test_two_processes_that_step_the_same_run_in_turn_see_what_the_other_did(alice: Person, seed: int) -> None:
    chance, run = Random(seed), _wide(alice)
    here, there = Process(), Process()
    with node_type("x", _work):
        for turn in range(60):
            with (here, there)[turn % 2]:
                attempt = progress.take(run.id, f"elsewhere:{turn % 2}:x", chance.choice(["", "other"]))
                if attempt is not None:
                    progress.finish(attempt, worker.run_node(attempt), more=False)
            if Run.objects.get(pk=run.pk).status == "succeeded":
                break
    _is_done(run)
    assert here.kept
    assert there.kept


def test_a_worker_in_the_middle_of_a_node_sees_at_its_end_what_others_did(alice: Person) -> None:
    nodes = {name: {"type": "x"} for name in "abc"}
    join = {"type": "x", "needs": ["a", "b", "c"], "when": "nodes.a.by && nodes.c.by && errors.b"}
    run = start_graph(alice, {**nodes, "b": {"type": "x", "on_failure": "continue"}, "join": join})
    a, b, c = claim(run), claim(run), claim(run)
    finish(a, by="a")
    fail(b)
    following = finish(c, by="c")
    assert following is not None
    assert following.name == "join"
    assert following.execution.variables["nodes"] == {"a": {"by": "a"}, "c": {"by": "c"}}


def test_an_old_memory_of_a_lost_node_does_not_start_it_twice(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "x"}, "b": {"type": "x", "queue": "other"}})
    here, there = Process(), Process()
    with here:
        assert progress.take(run.id, ME, "none") is None  # it knows both as pending from now on
    with there:
        first = claim(run, OTHER)
    with here:
        assert progress.take(run.id, ME) is None
        lose(first)
    with there:
        again = claim(run, OTHER)
    assert (again.state.attempts, again.state.token) == (2, 3)
    with here:
        assert progress.take(run.id, ME) is None


def test_a_memory_is_given_to_one_thread_at_a_time(alice: Person) -> None:
    """What two hold at once is read twice."""
    run = start_graph(alice, {name: {"type": "x"} for name in "abc"})
    with Process():
        assert progress.take(run.id, ME, "none") is None
        a, b = claim(run), claim(run)
        assert a.execution is not b.execution
        c = finish(a)
        assert c is not None
        assert c.execution is a.execution
        finish(b)
        finish(c)
    assert set(states(run).values()) == {"completed"}


def test_a_step_that_failed_leaves_no_memory(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be ahead of the database."""
    run = start_graph(alice, {"a": {"type": "x"}, "b": {"type": "x", "needs": ["a"]}})

    def broken(*_: object) -> None:
        raise OSError("the database went away")

    with Process():
        with monkeypatch.context() as patch:
            patch.setattr("runs.services.statements.upsert_nodes", broken)
            with pytest.raises(OSError, match="went away"):
                progress.take(run.id, ME)
        attempt = claim(run)
        with monkeypatch.context() as patch:
            patch.setattr("runs.services.statements.upsert_nodes", broken)
            with pytest.raises(OSError, match="went away"):
                finish(attempt)
        assert not executions._kept
        assert states(run) == {"a": "running"}
        assert lose(attempt)
        assert claim(run).state.attempts == 2


def test_memories_are_limited(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "_KEPT", 2)
    with Process():
        for _ in range(5):
            run = start_graph(alice, {"a": {"type": "x"}})
            finish(claim(run))
        assert len(executions._kept) == 2
        assert run.id in executions._kept


def test_a_node_takes_no_notice_of_anothers_attempt_in_the_same_process(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "x"}, "b": {"type": "x"}})
    attempts: list[Attempt] = [claim(run), claim(run)]
    finish(attempts[1], by="b")
    finish(attempts[0], by="a")
    assert dict(RunNode.objects.filter(run=run).values_list("node", "output")) == {"a": {"by": "a"}, "b": {"by": "b"}}
