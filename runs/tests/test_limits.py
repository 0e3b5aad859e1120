"""Limits of workflows and keys: who may begin, who waits and is told why, and who is next."""

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from agents.models import SystemLog
from conftest import Person
from orchestrator.core import clock
from orchestrator.core.errors import ValidationFailed
from orchestrator.events.models import Event
from runs.engine import sweeper
from runs.models import Run, RunNode, Slot
from runs.nodes.base import NodeFailure, NodeResult
from runs.services import cancellation, executions, progress
from runs.services.outcomes import failed
from runs.tests.limited import begin, holders, scope_of, status, submit, waiting
from runs.tests.steps import ME, OTHER, Heard, finish, hearing, node_type


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        yield


@pytest.fixture
def offered() -> Iterator[Heard]:
    """The runs that workers have heard of."""
    with hearing() as heard:
        yield heard


def test_one_too_many_waits_and_says_for_whom(alice: Person) -> None:
    first, second = submit(alice, limit=1), submit(alice, limit=1)
    assert begin(first) is not None
    assert begin(second) is None
    assert (status(first), status(second)) == ("running", "queued")
    assert waiting(second) == [
        {"kind": "limit", "scope": "workflow:nightly", "limit": 1, "holders": [str(first.id)]}
    ]  # fmt: skip
    assert waiting(first) is None


def test_as_many_go_on_as_the_limit_says(alice: Person) -> None:
    runs = [submit(alice, limit=3) for _ in range(5)]
    assert [begin(run) is not None for run in runs] == [True, True, True, False, False]
    assert holders("workflow:nightly") == [run.id for run in runs[:3]]


def test_the_end_of_a_run_hands_its_slot_to_the_next(alice: Person, offered: Heard,
                                                     django_capture_on_commit_callbacks: Any) -> None:  # fmt: skip
    runs = [submit(alice, limit=1) for _ in range(3)]
    first = begin(runs[0])
    assert first is not None
    assert [begin(run) for run in runs[1:]] == [None, None]
    with django_capture_on_commit_callbacks(execute=True):
        finish(first)
    assert status(runs[0]) == "succeeded"
    assert holders("workflow:nightly") == [runs[1].id]
    assert (waiting(runs[1]), waiting(runs[2]) is None) == (None, False)
    assert offered.runs == [runs[1].id]
    assert begin(runs[2]) is None, "the slot is its predecessor's, which has not begun yet"
    second = begin(runs[1])
    assert second is not None
    finish(second)
    third = begin(runs[2])
    assert third is not None
    finish(third)
    assert not Slot.objects.exists()


def test_a_freed_slot_goes_by_priority_and_then_by_age(alice: Person) -> None:
    going = begin(submit(alice, limit=1))
    low, high, second_high = (submit(alice, limit=1, priority=priority) for priority in (0, 5, 5))
    assert [begin(run) for run in (low, high, second_high)] == [None, None, None]
    order = []
    while going is not None:
        finish(going)
        held = holders("workflow:nightly")
        order += held
        going = progress.take(held[0], ME) if held else None
    assert order == [high.id, second_high.id, low.id]


def test_keys_are_counted_apart(alice: Person) -> None:
    def of(customer: Any) -> Run:
        return submit(alice, inputs={"customer": customer}, limit=1, key="inputs.customer")

    acme, again, other, structured = of("acme"), of("acme"), of("other"), of({"b": 1, "a": 2})
    assert begin(acme) is not None
    assert begin(again) is None
    assert begin(other) is not None
    assert begin(structured) is not None
    same = of({"a": 2, "b": 1})
    assert scope_of(same) == scope_of(structured)
    assert begin(same) is None
    assert scope_of(acme).startswith("key:nightly:")


def test_workflows_and_orgs_are_counted_apart(alice: Person, mallory: Person) -> None:
    assert begin(submit(alice, limit=1)) is not None
    assert begin(submit(alice, "hourly", limit=1)) is not None
    assert begin(submit(mallory, limit=1)) is not None


def test_a_key_without_a_value_is_one_of_its_own_and_a_bad_one_is_refused(alice: Person) -> None:
    without = submit(alice, limit=1, key="inputs.customer")
    assert begin(without) is not None
    assert begin(submit(alice, limit=1, key="inputs.customer")) is None
    with pytest.raises(ValidationFailed) as refused:
        submit(alice, inputs={"customer": "acme"}, limit=1, key="abs(inputs.customer)")
    assert set(refused.value.details) == {"inputs"}
    assert Run.objects.count() == 2


def test_a_run_that_waits_is_written_and_reported_once(alice: Person) -> None:
    assert begin(submit(alice, limit=1)) is not None
    run = submit(alice, limit=1)
    assert begin(run) is None
    told = Event.objects.count()
    for _ in range(3):
        assert begin(run) is None
        sweeper.sweep(ME)
    assert Event.objects.count() == told
    line = SystemLog.objects.get(component="limits")
    assert line.details["run_id"] == str(run.id)
    assert Event.objects.get(event="run_held").details["waiting_on"] == waiting(run)


def test_what_is_held_back_is_not_offered_again(alice: Person, offered: Heard) -> None:
    assert begin(submit(alice, limit=1)) is not None
    run, free = submit(alice, limit=1), submit(alice, "hourly")
    assert begin(run) is None
    sweeper.sweep(ME)
    assert offered.runs == [free.id]


def test_a_run_that_has_its_slot_and_was_not_heard_of_is_offered(alice: Person, offered: Heard) -> None:
    """A crash between the commit and the message."""
    going = begin(submit(alice, limit=1))
    run = submit(alice, limit=1)
    assert begin(run) is None
    assert going is not None
    finish(going)
    assert offered.runs == []
    sweeper.sweep(ME)
    assert offered.runs == [run.id]


# --- every way in which a run ends ------------------------------------------------------------------------------------


def _cancel(run: Run, person: Person) -> None:
    cancellation.cancel_run(actor=person.actor, run_id=run.id)


def test_a_run_that_fails_frees_its_slot(alice: Person) -> None:
    attempt = begin(submit(alice, limit=1))
    assert attempt is not None
    progress.finish(attempt, failed("broken", "It broke."))
    assert status(attempt.run) == "failed"
    assert not Slot.objects.exists()


def test_a_cancelled_one_frees_it_when_it_has_ended(alice: Person) -> None:
    run, second = submit(alice, limit=1), submit(alice, limit=1)
    attempt = begin(run)
    assert attempt is not None
    assert begin(second) is None
    _cancel(run, alice)
    assert holders("workflow:nightly") == [run.id], "its node is still being executed"
    assert begin(second) is None
    finish(attempt)
    assert status(run) == "cancelled"
    assert holders("workflow:nightly") == [second.id]


def test_a_cancelled_one_that_does_not_stop_frees_it_all_the_same(alice: Person) -> None:
    with time_machine.travel(clock.now(), tick=False) as time:
        run, second = submit(alice, limit=1), submit(alice, limit=1)
        assert begin(run) is not None
        assert begin(second) is None
        _cancel(run, alice)
        time.shift(timedelta(seconds=11))
        sweeper.sweep(OTHER)
        assert status(run) == "cancelled"
        assert holders("workflow:nightly") == [second.id]


def test_a_cancelled_one_that_waited_leaves_the_line(alice: Person) -> None:
    first, second, third = (submit(alice, limit=1) for _ in range(3))
    attempt = begin(first)
    assert attempt is not None
    assert (begin(second), begin(third)) == (None, None)
    _cancel(second, alice)
    finish(attempt)
    assert holders("workflow:nightly") == [third.id]
    _cancel(third, alice)
    assert not Slot.objects.exists(), "it held the slot before it began"


def test_a_cancelled_one_that_was_given_a_slot_passes_it_on(alice: Person) -> None:
    first, second, third = (submit(alice, limit=1) for _ in range(3))
    attempt = begin(first)
    assert attempt is not None
    assert (begin(second), begin(third)) == (None, None)
    finish(attempt)
    _cancel(second, alice)
    assert holders("workflow:nightly") == [third.id]


def test_a_run_whose_time_is_over_frees_its_slot(alice: Person) -> None:
    with time_machine.travel(clock.now(), tick=False) as time:
        run = submit(alice, seconds=1, limit=1)
        assert begin(run) is not None
        time.shift(timedelta(seconds=2))
        sweeper.sweep(OTHER)
        assert status(run) == "failed"
        assert not Slot.objects.exists()


def test_a_run_that_ends_as_it_begins_frees_its_slot(alice: Person) -> None:
    """All of it is skipped: it begins and ends in one transaction."""
    run = submit(alice, nodes={"a": {"type": "quick", "when": "`false`"}}, limit=1)
    assert begin(run) is None
    assert status(run) == "succeeded"
    assert not Slot.objects.exists()


def test_a_lost_worker_keeps_the_slot_for_the_run_and_the_last_recovery_frees_it(alice: Person) -> None:
    run = submit(alice, limit=1)
    for _ in range(progress.MOST_RECOVERIES + 1):
        attempt = begin(run)
        assert attempt is not None
        assert holders("workflow:nightly") == [run.id]
        executions.forget()
        progress.recover(run.id, "a", attempt.state.token)
    assert status(run) == "failed"
    assert not Slot.objects.exists()


def test_a_deleted_run_takes_its_slot_along_and_the_sweep_serves_the_line(alice: Person) -> None:
    first, second = submit(alice, limit=1), submit(alice, limit=1)
    assert begin(first) is not None
    assert begin(second) is None
    first.delete()
    sweeper.sweep(ME)
    assert holders("workflow:nightly") == [second.id]


def test_a_step_that_is_undone_takes_no_slot(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    run = submit(alice, limit=1)
    with monkeypatch.context() as patch:
        patch.setattr("runs.services.steps.write", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            begin(run)
    assert holders("workflow:nightly") == []
    assert begin(run) is not None


def test_dying_at_any_statement_of_a_beginning_or_an_end_loses_nothing(alice: Person) -> None:
    """Of three runs, the limit being one. Whatever was undone is done again, and all of them end."""
    for moment in itertools.count():
        first, second, third = runs = [submit(alice, limit=1) for _ in range(3)]
        attempt = begin(first)
        assert attempt is not None
        assert begin(second) is None
        token = attempt.state.token
        died = [dies_at(moment, finish, attempt), dies_at(moment, begin, third)]
        executions.forget()
        assert set(holders("workflow:nightly")) == {first.id if died[0] else second.id}
        if died[0]:
            progress.recover(first.id, "a", token)
        for run in runs:
            if status(run) != "succeeded":
                again = begin(run)
                assert again is not None
                finish(again)
        assert not Slot.objects.exists()
        if not any(died):
            assert moment > 10, "that many statements there are at least"
            return


def dies_at(moment: int, act: Callable[[Any], Any], subject: Any) -> bool:
    """Whether ``act`` came as far as to its statement of that number, and died there."""
    left = itertools.count(moment, -1)

    def execute(following: Any, sql: str, *rest: Any) -> Any:
        if "SAVEPOINT" not in sql and next(left) == 0:
            raise OSError("killed")
        return following(sql, *rest)

    with connection.execute_wrapper(execute):
        try:
            with transaction.atomic():
                act(subject)
        except OSError:
            return True
        return False


def test_a_slot_that_an_ended_run_holds_is_freed_and_reported(alice: Person) -> None:
    """It cannot happen; if it does, it does not last."""
    first, second = submit(alice, limit=1), submit(alice, limit=1)
    assert begin(first) is not None
    assert begin(second) is None
    Run.objects.filter(pk=first.pk).update(status="succeeded")
    RunNode.objects.all().delete()
    sweeper.sweep(ME)
    assert holders("workflow:nightly") == [second.id]
    assert SystemLog.objects.filter(component="limits", level=3, details__run_id=str(first.id)).count() == 1


# --- what the database keeps out --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 3])
def test_the_database_knows_no_slot_too_many(alice: Person, number: int) -> None:
    """Two of one number, or one beyond the capacity."""
    first, second = submit(alice, limit=2), submit(alice, limit=2)
    Slot.objects.filter(run=first).update(number=1)
    with pytest.raises((IntegrityError, ValidationError)), transaction.atomic():
        Slot.objects.filter(run=second).update(number=number)


def test_another_version_with_a_lower_limit_counts_all(alice: Person) -> None:
    old = [begin(submit(alice, limit=3)) for _ in range(3)]
    new = submit(alice, limit=2)
    assert begin(new) is None
    for attempt in old[:2]:
        assert attempt is not None
        assert status(new) == "queued"
        assert Slot.objects.get(run=new).number is None
        finish(attempt)
    assert Slot.objects.get(run=new).number == 1
    assert begin(new) is not None


def test_a_node_that_fails_at_planning_frees_it_too(alice: Person) -> None:
    def explode(_: Any) -> NodeResult:
        raise NodeFailure("broken", "It broke.")

    with node_type("broken", explode):
        run = submit(alice, nodes={"a": {"type": "quick", "when": "abs('x')"}}, limit=1)
        assert begin(run) is None
    assert status(run) == "failed"
    assert not Slot.objects.exists()
