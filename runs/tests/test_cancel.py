"""Ending a run early: nothing starts, and nothing is told, after it."""

import threading
from typing import Any

import pytest

from conftest import Person
from orchestrator.core.errors import Conflict, NotFound, PermissionDenied
from orchestrator.events.models import Event
from runs.engine import worker
from runs.models import Run, RunEvent, RunNode
from runs.services import cancellation, progress
from runs.services.progress import Fenced
from runs.tests.steps import ME, OTHER, carry, claim, everything, phases, race, start, step


def cancel(person: Person, run: Run) -> Run:
    return cancellation.cancel_run(actor=person.actor, run_id=run.id)


def test_a_queued_run_ends_before_it_starts(alice: Person) -> None:
    run = start(alice)
    cancel(alice, run)
    run.refresh_from_db()
    assert (run.status, run.started_at, run.version) == ("cancelled", None, 2)
    assert run.finished_at is not None
    assert phases(run) == [("intent", "cancelled")]
    assert progress.begin(run.id, ME) is None
    assert not RunNode.objects.exists()


def test_a_running_node_is_stopped_and_the_finished_ones_stay(alice: Person) -> None:
    run = start(alice)
    execution = claim(run)
    step(execution)
    cancel(alice, run)
    assert phases(run)[-2:] == [("planner", "started"), ("planner", "cancelled")]
    states = dict(RunNode.objects.filter(run=run).values_list("node", "status"))
    assert states == {"intent": "completed", "planner": "cancelled"}
    before = everything(run)
    with pytest.raises(Fenced):
        step(execution)
    assert everything(run) == before
    assert progress.begin(run.id, OTHER, dead_holder=ME) is None


def test_a_run_between_two_nodes_ends_at_the_next_one(alice: Person) -> None:
    run = start(alice)
    step(claim(run), halt=True)
    cancel(alice, run)
    assert phases(run)[-1] == ("planner", "cancelled")
    assert list(RunNode.objects.filter(run=run).values_list("node", "status")) == [("intent", "completed")]


def test_it_says_who_did_it(bob: Person, alice: Person) -> None:
    run = start(alice)
    cancel(bob, run)
    event = Event.objects.get(event="run_cancelled")
    assert (event.actor, event.target, event.kind) == (str(bob.actor), f"run:{run.id}", "runs")
    assert RunEvent.objects.get(run=run).payload == {"actor": str(bob.actor)}


def test_cancelling_again_changes_nothing(alice: Person) -> None:
    run = start(alice)
    cancel(alice, run)
    before, told = everything(run), Event.objects.count()
    cancel(alice, run)
    assert everything(run) == before
    assert Event.objects.count() == told


@pytest.mark.parametrize(("prompt", "status"), [("Plan a trip to Paris", "succeeded"), ("Atlantis", "failed")])
def test_a_finished_run_cannot_be_cancelled(alice: Person, prompt: str, status: str) -> None:
    run = carry(start(alice, prompt))
    before = everything(run)
    with pytest.raises(Conflict):
        cancel(alice, run)
    assert everything(run) == before
    answer = alice.client.post(f"/runs/{run.id}/cancel")
    assert (answer.status_code, answer.json()["type"], answer.json()["details"]) == (
        409,
        "conflict",
        {"status": status},
    )


def test_another_orgs_run_cannot_be_cancelled_nor_seen(alice: Person, mallory: Person, carol: Person) -> None:
    run = start(alice)
    with pytest.raises(NotFound):
        cancel(mallory, run)
    with pytest.raises(PermissionDenied):
        cancel(carol, run)
    assert mallory.client.post(f"/runs/{run.id}/cancel").status_code == 404
    assert carol.client.post(f"/runs/{run.id}/cancel").status_code == 403
    assert alice.client.post("/runs/nonsense/cancel").status_code == 404
    run.refresh_from_db()
    assert run.status == "queued"


@pytest.mark.parametrize("base", ["/runs", "/api/v1/runs"])
def test_the_call_answers_202_each_time(alice: Person, base: str) -> None:
    run = start(alice)
    for _ in range(2):
        answer = alice.client.post(f"{base}/{run.id}/cancel")
        assert (answer.status_code, answer.json()) == (202, {"run_id": str(run.id), "status": "cancelled"})
        assert answer["Location"] == f"/api/v1/runs/{run.id}"


def _ended_once(run: Run) -> None:
    """Dense, one end, and nothing behind it."""
    events = list(RunEvent.objects.filter(run=run).order_by("sequence"))
    assert [event.sequence for event in events] == list(range(len(events)))
    assert [event.phase for event in events].count("cancelled") == 1
    assert events[-1].phase == "cancelled"
    assert not RunNode.objects.filter(run=run, status="running").exists()
    completed = RunNode.objects.filter(run=run, status="completed").values_list("node", flat=True)
    assert sorted(completed) == sorted(event.node for event in events if event.phase == "completed")
    assert Event.objects.filter(target=f"run:{run.id}", event="run_cancelled").count() == 1
    assert not Event.objects.filter(target=f"run:{run.id}", event="run_succeeded").exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_comes_after_a_cancel_that_races_with_the_worker(alice: Person) -> None:
    """At every node once: the cancel and the commit set off together, and whichever is second finds the first."""
    fenced = 0
    for nodes in range(8):
        run = start(alice)
        execution = claim(run)
        for _ in range(nodes):
            if execution.current:
                step(execution)
        outcome = worker.run_node(execution) if execution.current else None
        if outcome is None:
            continue
        committed, cancelled = race(
            lambda execution=execution, outcome=outcome: progress.finish_node(execution, outcome),
            lambda run=run: cancel(alice, run),
        )
        run.refresh_from_db()
        if isinstance(cancelled, Conflict):
            assert (committed, run.status) == (None, "succeeded"), "the last node was faster"
            continue
        assert isinstance(cancelled, Run), cancelled
        assert committed is None or isinstance(committed, Fenced), committed
        fenced += isinstance(committed, Fenced)
        _ended_once(run)
        if execution.current and committed is None:
            with pytest.raises(Fenced):
                step(execution)
        _ended_once(run)


@pytest.mark.django_db(transaction=True)
def test_nothing_comes_after_a_cancel_in_the_middle_of_a_whole_run(alice: Person) -> None:
    for moment in range(4):
        run, reached = start(alice), threading.Event()

        def work(run: Run = run, reached: threading.Event = reached, moment: int = moment) -> Any:
            class Stop(threading.Event):
                """Asked once a node: tells when the run has come so far."""

                asked = 0

                def is_set(self) -> bool:
                    self.asked += 1
                    if self.asked > moment:
                        reached.set()
                    return False

            return worker.execute(run.id, ME, stop=Stop())

        def end(run: Run = run, reached: threading.Event = reached) -> Any:
            assert reached.wait(20)
            return cancel(alice, run)

        worked, cancelled = race(work, end)
        assert worked is True, worked
        run.refresh_from_db()
        if isinstance(cancelled, Conflict):
            assert run.status == "succeeded"
        else:
            assert run.status == "cancelled"
            _ended_once(run)


@pytest.mark.django_db(transaction=True)
def test_a_cancel_and_a_claim_at_once(alice: Person) -> None:
    for _ in range(5):
        run = start(alice)
        claimed, cancelled = race(lambda run=run: progress.begin(run.id, ME), lambda run=run: cancel(alice, run))
        assert isinstance(cancelled, Run), cancelled
        assert not isinstance(claimed, Exception), claimed
        _ended_once(run)
        if claimed is not None:
            with pytest.raises(Fenced):
                step(claimed)


@pytest.mark.django_db(transaction=True)
def test_many_who_cancel_at_once_cancel_once(alice: Person, bob: Person) -> None:
    run = start(alice)
    claim(run)
    answers = race(*[lambda: cancel(alice, run).status, lambda: cancel(bob, run).status] * 5)
    assert answers == ["cancelled"] * 10
    _ended_once(run)
