"""Ending a run early: nothing starts after it, and what is being executed may stop by itself."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings

from conftest import Person
from orchestrator.core.errors import Conflict, NotFound, PermissionDenied
from orchestrator.events.models import Event
from runs.engine import attempts, sweeper, worker
from runs.models import Run, RunEvent, RunNode
from runs.nodes.base import NodeContext, NodeResult, Waiting
from runs.services import cancellation, progress
from runs.services.outcomes import Outcome
from runs.services.progress import Attempt, Fenced
from runs.tests.steps import (
    ME,
    OTHER,
    carry,
    claim,
    everything,
    fail,
    finish,
    hearing,
    in_order,
    lose,
    node_type,
    phases,
    race,
    start,
    start_graph,
    states,
    step,
)  # fmt: skip

BESIDE: dict[str, Any] = {"a": {"type": "x"}, "b": {"type": "x"}, "after": {"type": "x", "needs": ["a"]}}
GRACE = timedelta(seconds=10)


def cancel(person: Person, run: Run) -> Run:
    return cancellation.cancel_run(actor=person.actor, run_id=run.id)


def test_a_queued_run_ends_before_it_starts(alice: Person) -> None:
    run = start(alice)
    cancel(alice, run)
    run.refresh_from_db()
    assert (run.status, run.started_at, run.version, run.error) == ("cancelled", None, 2, None)
    assert run.finished_at is not None
    assert phases(run) == [("intent", "cancelled")]
    assert progress.take(run.id, ME) is None
    assert not RunNode.objects.exists()


def test_a_run_of_which_nothing_is_executed_ends_at_once(alice: Person) -> None:
    run = start(alice)
    step(claim(run), more=False)
    with hearing() as heard:
        assert cancel(alice, run).status == "cancelled"
    assert phases(run)[-1] == ("intent", "cancelled"), "what has not begun has no events"
    assert states(run) == {"intent": "completed", "planner": "cancelled"}
    assert progress.take(run.id, OTHER) is None
    in_order(run)
    assert heard.offers == []


def test_a_node_that_waits_is_stopped_and_says_so(alice: Person) -> None:
    with node_type("x", lambda _: Waiting({"kind": "bell"}, "Waiting for the bell.")):
        run = carry(start_graph(alice, {"only": {"type": "x"}}))
    assert run.status == "waiting"
    cancel(alice, run)
    run.refresh_from_db()
    assert (run.status, run.waiting_on, states(run)) == ("cancelled", None, {"only": "cancelled"})
    assert phases(run)[-1] == ("only", "cancelled")


def test_what_is_being_executed_may_end_by_itself_and_its_outcome_counts(
    alice: Person, noon: time_machine.Traveller
) -> None:
    run = start_graph(alice, BESIDE)
    a, b = claim(run), claim(run, OTHER)
    cancel(alice, run)
    run.refresh_from_db()
    assert (run.status, run.cancel_requested_at is not None, run.cancelled_by) == ("running", True, str(alice.actor))
    assert run.waiting_on == [{"kind": "cancel", "until": "2030-01-01T12:00:10.000000Z"}]
    assert states(run) == {"a": "running", "b": "running"}
    assert phases(run)[2:] == [("a", "waiting"), ("b", "waiting")]
    assert Event.objects.filter(event="run_cancelling", actor=str(alice.actor)).count() == 1
    assert finish(a) is None, "nothing starts"
    run.refresh_from_db()
    assert run.status == "running"
    assert progress.take(run.id, OTHER) is None
    finish(b)
    run.refresh_from_db()
    assert (run.status, states(run)) == ("cancelled", {"a": "completed", "b": "completed"})
    assert (run.due_at, run.waiting_on) == (None, None)
    assert Event.objects.filter(event="run_cancelled").count() == 1
    in_order(run)


@pytest.mark.parametrize("how", [{}, {"on_failure": "continue"}, {"retry": {"max_attempts": 5}},
                                 {"on_failure": {"fallback": "b"}}], ids=str)  # fmt: skip
def test_a_failure_after_a_cancel_is_recorded_and_followed_by_nothing(alice: Person, how: dict[str, Any]) -> None:
    needs = [] if "fallback" in str(how) else ["a"]
    run = start_graph(alice, {"a": {"type": "x", **how}, "b": {"type": "x", "needs": needs}})
    a = claim(run)
    cancel(alice, run)
    assert fail(a) is None
    run.refresh_from_db()
    assert (run.status, run.error, states(run)) == ("cancelled", None, {"a": "failed"})
    assert phases(run)[-1] == ("a", "failed")


def test_a_wait_after_a_cancel_is_none(alice: Person) -> None:
    """Neither a timer nor a run within the run begins."""
    for on in ({"kind": "timer"}, {"kind": "run", "workflow": "agent-graph"}):
        run = start_graph(alice, {"a": {"type": "x"}})
        a = claim(run)
        cancel(alice, run)
        progress.finish(a, Outcome("Waiting.", waiting=Waiting(on, "Waiting.")))
        run.refresh_from_db()
        assert (run.status, states(run)) == ("cancelled", {"a": "cancelled"})
        assert not run.children.exists()


def test_a_worker_that_is_lost_after_a_cancel_ends_the_run(alice: Person) -> None:
    run = start_graph(alice, BESIDE)
    a, b = claim(run), claim(run, OTHER)
    cancel(alice, run)
    assert lose(a)
    assert states(run) == {"a": "cancelled", "b": "running"}
    assert lose(b)
    run.refresh_from_db()
    assert (run.status, states(run)) == ("cancelled", {"a": "cancelled", "b": "cancelled"})
    in_order(run)


def test_after_the_grace_nobody_is_waited_for_any_more(alice: Person, noon: time_machine.Traveller) -> None:
    run = start_graph(alice, BESIDE)
    a, b = claim(run), claim(run, OTHER)
    with hearing():
        cancel(alice, run)
    finish(b)
    noon.shift(GRACE - timedelta(microseconds=1))
    assert not progress.end_overdue(run.id)
    noon.shift(timedelta(microseconds=1))
    sweeper.sweep(ME)
    run.refresh_from_db()
    assert (run.status, states(run)) == ("cancelled", {"a": "cancelled", "b": "completed"})
    before = everything(run)
    assert not progress.end_overdue(run.id)
    with pytest.raises(Fenced):
        finish(a)
    assert everything(run) == before
    in_order(run)


def test_a_cancel_does_not_give_a_run_more_time_than_it_had(alice: Person, noon: time_machine.Traveller) -> None:
    run = start_graph(alice, BESIDE, timeout_seconds=3)
    claim(run)
    cancel(alice, run)
    noon.shift(timedelta(seconds=3))
    assert progress.end_overdue(run.id)
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_whoever_executes_it_is_told_to_stop(alice: Person) -> None:
    """By the database, when another process has cancelled it; test_engine.py has the message of this one."""
    told = []

    def work(context: NodeContext) -> NodeResult:
        cancel(alice, Run.objects.get())
        assert not context.stop.is_set()
        attempts.stop_unwanted()
        told.append(context.stop.is_set())
        return NodeResult({}, "Stopped.")

    with node_type("x", work):
        run = carry(start_graph(alice, {"only": {"type": "x"}}))
    assert told == [True]
    assert (run.status, states(run)) == ("cancelled", {"only": "completed"})


def test_it_says_who_did_it(bob: Person, alice: Person) -> None:
    run = start(alice)
    cancel(bob, run)
    event = Event.objects.get(event="run_cancelled")
    assert (event.actor, event.target, event.kind) == (str(bob.actor), f"run:{run.id}", "runs")
    run.refresh_from_db()
    assert run.cancelled_by == str(bob.actor)
    assert str(bob.actor) in RunEvent.objects.get(run=run).summary


@pytest.mark.parametrize("executed", [False, True])
def test_cancelling_again_changes_nothing(alice: Person, executed: bool) -> None:
    run = start(alice)
    if executed:
        claim(run)
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


@pytest.mark.django_db
def test_the_call_says_that_what_is_executed_has_still_to_stop(alice: Person) -> None:
    run = start(alice)
    attempt = claim(run)
    answer = alice.client.post(f"/runs/{run.id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    finish(attempt)
    assert alice.client.post(f"/runs/{run.id}/cancel").json()["status"] == "cancelled"


# --- races ---------------------------------------------------------------------------------------------------------


def _ended_once(run: Run) -> None:
    """Dense, and nothing starts behind the cancel; what was completed is told once."""
    in_order(run)
    assert run.status == "cancelled"
    events = list(RunEvent.objects.filter(run=run).order_by("sequence"))
    asked = [event.sequence for event in events if event.phase == "waiting"]
    assert not [event for event in events if asked and event.sequence > asked[0] and event.phase == "started"]
    assert not RunNode.objects.filter(run=run, status__in=("running", "pending", "waiting")).exists()
    completed = RunNode.objects.filter(run=run, status="completed").values_list("node", flat=True)
    assert sorted(completed) == sorted(event.node for event in events if event.phase == "completed")
    assert Event.objects.filter(target=f"run:{run.id}", event="run_cancelled").count() == 1
    assert not Event.objects.filter(target=f"run:{run.id}", event="run_succeeded").exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_starts_after_a_cancel_that_races_with_the_worker(alice: Person) -> None:
    """At every node once: the cancel and the commit set off together; either may be first."""
    for nodes in range(8):
        run = start(alice)
        attempt: Attempt | None = claim(run)
        for _ in range(nodes):
            attempt = step(attempt) if attempt else None
        if attempt is None:
            continue
        outcome = worker.run_node(attempt)
        following, cancelled = race(
            lambda attempt=attempt, outcome=outcome: progress.finish(attempt, outcome),
            lambda run=run: cancel(alice, run),
        )
        run.refresh_from_db()
        if isinstance(cancelled, Conflict):
            assert (following, run.status) == (None, "succeeded"), "the last node was faster"
            continue
        assert isinstance(cancelled, Run), cancelled
        assert not isinstance(following, Exception), following
        if following is not None:  # the commit was first, and the next node may stop by itself
            assert step(following) is None
        _ended_once(run)


@pytest.mark.django_db(transaction=True)
def test_nothing_starts_after_a_cancel_in_the_middle_of_a_whole_run(alice: Person) -> None:
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
            _ended_once(run)


@pytest.mark.django_db(transaction=True)
def test_a_cancel_and_a_take_at_once(alice: Person) -> None:
    for _ in range(5):
        run = start(alice)
        taken, cancelled = race(lambda run=run: progress.take(run.id, ME), lambda run=run: cancel(alice, run))
        assert isinstance(cancelled, Run), cancelled
        assert not isinstance(taken, Exception), taken
        if taken is not None:
            assert step(taken) is None
        _ended_once(run)


@pytest.mark.django_db(transaction=True)
def test_a_cancel_and_its_end_by_force_at_once(alice: Person, settings: LazySettings) -> None:
    """The worker's own end, the sweeper's, and a lost worker's: the run ends once."""
    settings.CANCEL_GRACE_SECONDS = 0
    for _ in range(5):
        run = start_graph(alice, BESIDE)
        a, b = claim(run), claim(run, OTHER)
        cancel(alice, run)
        answers = race(
            lambda a=a: finish(a), lambda b=b: lose(b), lambda run=run: progress.end_overdue(run.id),
            lambda run=run: progress.end_overdue(run.id),
        )  # fmt: skip
        assert not [each for each in answers if isinstance(each, Exception) and not isinstance(each, Fenced)], answers
        _ended_once(run)


@pytest.mark.django_db(transaction=True)
def test_many_who_cancel_at_once_cancel_once(alice: Person, bob: Person) -> None:
    run = start(alice)
    attempt = claim(run)
    answers = race(*[lambda: cancel(alice, run).status, lambda: cancel(bob, run).status] * 5)
    assert answers == ["running"] * 10
    assert Event.objects.filter(event="run_cancelling").count() == 1
    finish(attempt)
    _ended_once(run)
