"""Workers and sweepers that come at once: exactly one wins, nothing is lost, and the log stays dense."""

import pytest

from conftest import Person
from orchestrator.events.models import Event
from runs.models import Run, RunNode
from runs.services import progress
from runs.services.progress import Attempt, Fenced
from runs.tests.steps import claim, finish, in_order, lose, phases, race, start, start_graph, step


@pytest.fixture
def run(transactional_db: None, alice: Person) -> Run:
    return start(alice)


def _taken(run: Run, count: int) -> list[Attempt]:
    answers = race(*(lambda n=n: progress.take(run.id, f"elsewhere:{n}:x") for n in range(count)))
    assert not [answer for answer in answers if isinstance(answer, Exception)], answers
    return [answer for answer in answers if answer is not None]


def test_of_workers_that_take_at_once_exactly_one_gets_the_node(run: Run) -> None:
    [winner] = _taken(run, 8)
    node = RunNode.objects.get(run=run)
    assert (node.lease_holder, node.token, node.attempts) == (winner.holder, 1, 1)
    assert phases(run) == [("intent", "started")]
    assert Event.objects.filter(event="run_started").count() == 1


def test_of_workers_that_take_at_once_each_gets_another_node(alice: Person, transactional_db: None) -> None:
    run = start_graph(alice, {f"n{number}": {"type": "intent"} for number in range(5)})
    taken = _taken(run, 8)
    assert sorted(attempt.name for attempt in taken) == [f"n{number}" for number in range(5)]
    in_order(run)


def test_of_sweepers_that_find_it_lost_at_once_exactly_one_puts_it_back(run: Run) -> None:
    attempt = claim(run, "dead")
    answers = race(*[lambda: lose(attempt)] * 8)
    assert sorted(answers) == [False] * 7 + [True]
    assert phases(run) == [("intent", "started"), ("intent", "retrying")]
    assert Event.objects.filter(event="run_recovered").count() == 1
    [winner] = _taken(run, 4)
    assert winner.state.attempts == 2


def test_of_a_late_commit_and_a_recovery_at_once_exactly_one_wins(run: Run) -> None:
    """At every node once."""
    attempt: Attempt | None = claim(run, "dead")
    losses = 0
    while attempt is not None:
        name, token = attempt.name, attempt.state.token
        committed, lost = race(
            lambda attempt=attempt: step(attempt, more=False),
            lambda name=name, token=token: progress.recover(run.id, name, token),
        )
        if isinstance(committed, Fenced):
            assert lost is True
            losses += 1
            step(claim(run, "next"), more=False)
        else:
            assert (committed, lost) == (None, False)
        attempt = progress.take(run.id, "next")
    run.refresh_from_db()
    assert (run.status, run.recoveries) == ("succeeded", losses)
    completed = [node for node, phase in phases(run) if phase == "completed"]
    assert len(completed) == len(set(completed)), "no node is accepted as completed twice"
    in_order(run)


def test_workers_that_finish_different_nodes_of_one_run_at_once_lose_nothing(
    alice: Person, transactional_db: None
) -> None:
    names = [f"n{number}" for number in range(6)]
    nodes = {name: {"type": "intent"} for name in names} | {"join": {"type": "intent", "needs": names}}
    run = start_graph(alice, nodes, output="nodes.n3.by")
    attempts = [claim(run, f"elsewhere:{number}:x") for number in range(6)]
    answers = race(*(lambda attempt=attempt: finish(attempt, by=attempt.name) for attempt in attempts))
    [join] = [answer for answer in answers if answer is not None]
    assert isinstance(join, Attempt), answers
    assert join.execution.variables["nodes"] == {name: {"by": name} for name in names}
    finish(join)
    run.refresh_from_db()
    assert (run.status, run.output) == ("succeeded", "n3")
    assert sorted(phases(run)) == sorted((name, phase) for name in nodes for phase in ("started", "completed"))
    in_order(run)
