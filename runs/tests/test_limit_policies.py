"""What becomes of one run too many, by the policy of its workflow."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents.models import SystemLog
from conftest import Person
from runs.engine import dispatch, sweeper
from runs.jobs import services
from runs.models import Run, Slot
from runs.nodes.base import NodeResult
from runs.services import bulk, cancellation, limits, submission
from runs.services.limit_repairs import displaced
from runs.services.limits import LimitReached
from runs.tests.limited import begin, holders, status, submit
from runs.tests.steps import ME, finish, node_type
from versioning.services import workflows

REJECT: dict[str, Any] = {"limit": 1, "policy": "reject"}
CANCEL: dict[str, Any] = {"limit": 1, "policy": "cancel_running"}
REPLACE: dict[str, Any] = {"limit": 1, "policy": "replace_queued"}


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        yield


# --- reject -----------------------------------------------------------------------------------------------------------


def test_reject_refuses_one_too_many_and_names_the_holders(alice: Person) -> None:
    first = submit(alice, **REJECT)
    attempt = begin(first)
    assert attempt is not None
    with pytest.raises(LimitReached) as refused:
        submit(alice, **REJECT)
    assert refused.value.details == {"scope": "workflow:nightly", "limit": 1, "holders": [str(first.id)]}
    assert Run.objects.count() == Slot.objects.count() == 1
    finish(attempt)
    assert begin(submit(alice, **REJECT)) is not None


def test_reject_counts_what_has_been_accepted_and_not_begun(alice: Person) -> None:
    submit(alice, **REJECT)
    with pytest.raises(LimitReached):
        submit(alice, **REJECT)


def test_a_refused_run_is_409_and_reported(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    definition = {"nodes": {"a": {"type": "planner"}}, "concurrency": REJECT}
    made = {"nodes": {"a": {"type": "planner"}}}
    workflows.create_workflow(actor=alice.actor, tag="nightly", definition=made)
    monkeypatch.setattr("runs.services.submission.definition_in", lambda _: definition)
    body = {"workflow": "nightly", "inputs": {}}
    answers = [alice.client.post("/runs", body, content_type="application/json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 409]
    problem = answers[1].json()
    assert problem["type"] == "conflict"
    assert problem["details"]["holders"] == [answers[0].json()["run_id"]]
    assert Run.objects.count() == 1
    line = SystemLog.objects.get(component="limits")
    assert (line.level, line.details["limit"]) == (2, 1)


# --- cancel_running ---------------------------------------------------------------------------------------------------


def test_cancel_running_ends_the_one_that_goes_on(alice: Person) -> None:
    first = submit(alice, **CANCEL)
    attempt = begin(first)
    second = submit(alice, **CANCEL)
    assert begin(second) is None
    sweeper.sweep(ME)
    first.refresh_from_db()
    assert first.cancel_requested_at is not None
    assert begin(second) is None, "it waits until the first has stopped"
    assert attempt is not None
    finish(attempt)
    assert status(first) == "cancelled"
    assert holders("workflow:nightly") == [second.id]
    told = SystemLog.objects.filter(component="limits", details__run_id=str(first.id)).get()
    assert "cancel_running" in told.message


def test_cancel_running_lets_the_newest_have_the_slot(alice: Person) -> None:
    first = submit(alice, **CANCEL)
    attempt = begin(first)
    between, newest = submit(alice, **CANCEL), submit(alice, **CANCEL)
    assert (begin(between), begin(newest)) == (None, None)
    assert attempt is not None
    finish(attempt)
    assert holders("workflow:nightly") == [newest.id], "even when it is free before the sweep comes"
    sweeper.sweep(ME)
    assert [status(run) for run in (first, between, newest)] == ["succeeded", "cancelled", "queued"]
    assert begin(newest) is not None


def test_cancel_running_leaves_as_many_as_there_are_slots(alice: Person) -> None:
    runs = [submit(alice, limit=2, policy="cancel_running") for _ in range(4)]
    sweeper.sweep(ME)
    assert [status(run) for run in runs] == ["cancelled", "cancelled", "queued", "queued"]
    assert all(begin(run) for run in runs[2:])


def test_cancel_running_cancels_nobody_when_there_is_room(alice: Person) -> None:
    first, second = (submit(alice, limit=2, policy="cancel_running") for _ in range(2))
    assert begin(first) is not None
    sweeper.sweep(ME)
    assert begin(second) is not None
    sweeper.sweep(ME)
    assert (status(first), status(second)) == ("running", "running")


def test_keys_do_not_end_each_others_runs(alice: Person) -> None:
    runs = [submit(alice, inputs={"branch": name}, key="inputs.branch", **CANCEL) for name in ("main", "other")]
    assert all(begin(run) for run in runs)
    sweeper.sweep(ME)
    assert [status(run) for run in runs] == ["running", "running"]


# --- replace_queued ---------------------------------------------------------------------------------------------------


def test_replace_queued_lets_one_wait(alice: Person) -> None:
    runs = [submit(alice, **REPLACE)]
    attempt = begin(runs[0])
    for _ in range(3):
        runs.append(submit(alice, **REPLACE))
        assert begin(runs[-1]) is None
        sweeper.sweep(ME)
    assert [status(run) for run in runs] == ["running", "cancelled", "cancelled", "queued"]
    assert attempt is not None
    finish(attempt)
    assert begin(runs[-1]) is not None


def test_replace_queued_spares_what_could_begin_at_once(alice: Person) -> None:
    """Nobody has begun yet: the first need not wait, so it is not in the way of the second."""
    runs = [submit(alice, **REPLACE) for _ in range(3)]
    sweeper.sweep(ME)
    assert [status(run) for run in runs] == ["queued", "cancelled", "queued"]


def test_what_began_meanwhile_is_not_replaced(alice: Person) -> None:
    first = submit(alice, **REPLACE)
    attempt = begin(first)
    second = submit(alice, **REPLACE)
    assert begin(second) is None
    assert attempt is not None
    finish(attempt)
    assert begin(second) is not None
    third = submit(alice, **REPLACE)
    sweeper.sweep(ME)
    assert [status(run) for run in (second, third)] == ["running", "queued"]


# --- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [CANCEL, REPLACE])
def test_the_sweep_is_woken_by_a_run_that_takes_anothers_place(
    alice: Person, policy: dict[str, Any], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    woken: list[Any] = []
    monkeypatch.setattr(dispatch, "wake", woken.append)
    with django_capture_on_commit_callbacks(execute=True):
        submit(alice, **policy)
    assert len(woken) == 1


def _line(policy: str, capacity: int, *numbers: int | None) -> list[Slot]:
    return [Slot(policy=policy, capacity=capacity, number=number) for number in numbers]


@pytest.mark.parametrize(
    ("line", "places"),
    [
        (_line(limits.QUEUE, 1, 1, None, None), []),
        (_line(limits.REJECT, 1, 1, None), []),
        (_line(limits.CANCEL_RUNNING, 1, 1), []),
        (_line(limits.CANCEL_RUNNING, 1, 1, None), [0]),
        (_line(limits.CANCEL_RUNNING, 2, 1, 2, None, None), [0, 1]),
        (_line(limits.CANCEL_RUNNING, 5, 1, 2, None), []),
        (_line(limits.REPLACE_QUEUED, 1, None), []),
        (_line(limits.REPLACE_QUEUED, 1, 1, None), []),
        (_line(limits.REPLACE_QUEUED, 1, 1, None, None), [1]),
        (_line(limits.REPLACE_QUEUED, 2, 1, None, None, None), [2]),
        (_line(limits.REPLACE_QUEUED, 1, 1, 2, None, None), [2]),
    ],
)
def test_whose_place_the_newest_takes(line: list[Slot], places: list[int]) -> None:
    assert displaced(line) == [line[place] for place in places]


def test_a_bulk_retry_goes_on_behind_a_run_that_is_refused(alice: Person) -> None:
    for asked in (REJECT, REJECT, {}):
        run = submit(alice, "nightly" if asked else "other", **asked)
        cancellation.cancel_run(actor=alice.actor, run_id=run.id)
    assert bulk.retry_runs(actor=alice.actor)._asdict() == {"matched": 3, "done": 2}
    assert bulk.retry_runs(actor=alice.actor, dry_run=True)._asdict() == {"matched": 1, "done": 0}


def test_a_job_may_be_made_while_its_workflow_is_at_its_limit(alice: Person) -> None:
    """Its runs are for later."""
    definition = {"nodes": {"a": {"type": "transform", "with": {"output": {}}}}, "concurrency": REJECT}
    workflows.create_workflow(actor=alice.actor, tag="nightly", definition=definition)
    submission.start_run(actor=alice.actor, workflow="nightly", inputs={})
    job = services.create_job(actor=alice.actor, name="job", workflow="nightly", inputs={}, cron="@hourly")
    services.update_job(actor=alice.actor, job_id=job.id, version=None, inputs={"x": 1})
    assert Run.objects.count() == 1
    with pytest.raises(LimitReached):
        services.trigger_job(actor=alice.actor, job_id=job.id)
