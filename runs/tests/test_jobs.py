"""Making jobs, and what can be asked of them afterwards."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from conftest import Person
from orchestrator.core.errors import Conflict, InvalidTransition, NotFound, PermissionDenied, ValidationFailed
from orchestrator.events.models import Event
from runs.jobs import scheduler, services
from runs.jobs.models import Job, JobFire
from runs.jobs.states import JOB_TRANSITIONS, JobStatus
from runs.models import Run
from runs.services import cancellation
from runs.tests.jobs import NOON, fires, fresh, lose_the_workflow, make, pass_time, the_run
from runs.tests.steps import carry, race
from versioning.models import Tag

CHANGES = {"pause": services.pause_job, "resume": services.resume_job, "cancel": services.cancel_job}


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def change(person: Person, job: Job, how: str) -> Job:
    return CHANGES[how](actor=person.actor, job_id=job.id)


def told(job: Job) -> list[str]:
    return list(
        Event.objects.filter(target=f"job:{job.id}", kind="jobs").order_by("seq").values_list("event", flat=True)
    )


@pytest.mark.parametrize("when", [None, NOON, NOON - timedelta(days=3)])
def test_without_a_time_to_come_the_run_starts_at_once(alice: Person, when: Any) -> None:
    job = make(alice, run_at=when)
    assert (job.status, job.next_fire_at, fires(job)) == ("completed", None, [("12:00", "fired")])
    assert told(job) == ["job_fired", "job_created", "job_completed"]
    assert carry(the_run(job)).status == "succeeded"


def test_later(alice: Person, clock: Any) -> None:
    job = make(alice, run_at=NOON + timedelta(hours=1))
    assert (job.status, fires(job), Run.objects.count()) == ("scheduled", [], 0)
    pass_time(clock, minutes=59, seconds=59)
    assert fires(job) == []
    pass_time(clock, seconds=1)
    pass_time(clock, days=1)
    assert fires(job) == [("13:00", "fired")]
    assert (fresh(job).status, fresh(job).next_fire_at) == ("completed", None)
    assert told(job) == ["job_created", "job_fired", "job_completed"]


def test_often(alice: Person, clock: Any) -> None:
    job = make(alice, cron="*/30 * * * *")
    for _ in range(4):
        pass_time(clock, minutes=15, seconds=1)
    assert fires(job) == [("12:30", "fired"), ("13:00", "fired")]
    assert fresh(job).next_fire_at == NOON + timedelta(minutes=90)
    assert Run.objects.values_list("created_by", flat=True).distinct().get() == "system"


def test_the_zone_of_the_schedule(alice: Person, clock: Any) -> None:
    job = make(alice, cron="30 8 * * *", timezone="America/New_York")
    assert job.next_fire_at == NOON + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"cron": "* * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"run_at": NOON + timedelta(days=1), "timezone": "Mars/Olympus"}, "timezone"),
        ({"workflow": "unheard-of"}, "workflow"),
        ({"ref": "~99"}, "ref"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": {"prompt": 5}}, "prompt"),
        ({"run_at": None, "inputs": {"prompt": 5}}, "prompt"),
        ({"run_at": None, "workflow": "unheard-of"}, "workflow"),
    ],
)
def test_what_could_never_run_is_refused_now(alice: Person, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        make(alice, **fields)
    assert list(caught.value.details) == [named]
    assert not Job.objects.exists()
    assert not Run.objects.exists()
    assert not Event.objects.filter(kind__in=["jobs", "runs"]).exists()


def test_looking_whether_it_could_run_leaves_nothing(alice: Person) -> None:
    make(alice)
    assert not Run.objects.exists()
    assert not Tag.objects.exists(), "The built-in workflow is made by the first run."
    assert list(Event.objects.filter(org=alice.org, kind="jobs").values_list("event", flat=True)) == ["job_created"]
    assert not Event.objects.filter(kind="runs").exists()


def test_pause_and_resume(alice: Person, clock: Any) -> None:
    job = make(alice)
    assert change(alice, job, "pause").next_fire_at is None
    pass_time(clock, hours=5, minutes=30)
    assert fires(job) == []
    assert change(alice, job, "resume").next_fire_at == NOON + timedelta(hours=6)
    pass_time(clock, minutes=30)
    assert fires(job) == [("18:00", "fired")]
    assert told(job) == ["job_created", "job_paused", "job_resumed", "job_fired"]


def test_a_time_that_came_in_the_pause_is_late_afterwards(alice: Person, clock: Any) -> None:
    job = make(alice, run_at=NOON + timedelta(hours=1))
    change(alice, job, "pause")
    pass_time(clock, hours=2)
    change(alice, job, "resume")
    pass_time(clock, seconds=1)
    assert (fires(job), fresh(job).status) == ([("13:00", "fired")], "completed")


@pytest.mark.parametrize("how", CHANGES)
def test_asking_twice_changes_nothing(alice: Person, how: str) -> None:
    job = make(alice)
    if how == "resume":
        change(alice, job, "pause")
    once = change(alice, job, how)
    before, events = Job.objects.filter(pk=job.pk).values().get(), Event.objects.count()
    assert change(alice, job, how).version == once.version == before["version"]
    assert (Job.objects.filter(pk=job.pk).values().get(), Event.objects.count()) == (before, events)


@pytest.mark.parametrize("old", JobStatus.values)
@pytest.mark.parametrize(("how", "new"), [("pause", "paused"), ("resume", "scheduled"), ("cancel", "cancelled")])
def test_the_table_of_states_holds(alice: Person, old: str, how: str, new: str) -> None:
    job = make(alice)
    next_fire_at = job.next_fire_at if old == "scheduled" else None
    Job.objects.filter(pk=job.pk).update(status=old, next_fire_at=next_fire_at)
    if old == new or new in JOB_TRANSITIONS[old]:
        assert change(alice, job, how).status == new
    else:
        with pytest.raises(InvalidTransition):
            change(alice, job, how)
        assert fresh(job).status == old


def test_cancelling_leaves_runs_alone_and_drops_what_waits(alice: Person, clock: Any) -> None:
    job = make(alice, overlap="queue")
    pass_time(clock, hours=1)
    pass_time(clock, hours=1)
    assert fires(job) == [("13:00", "fired"), ("14:00", "waiting")]
    change(alice, job, "cancel")
    assert fires(job) == [("13:00", "fired"), ("14:00", "skipped")]
    assert the_run(job).status == "queued"
    pass_time(clock, days=1)
    assert (len(fires(job)), fresh(job).status) == (2, "cancelled")
    assert told(job)[-2:] == ["job_skipped", "job_cancelled"]


@pytest.mark.parametrize("old", ["scheduled", "paused", "completed"])
def test_trigger_fires_besides_the_schedule(alice: Person, clock: Any, old: str) -> None:
    job = make(alice, run_at=None) if old == "completed" else make(alice)
    if old == "paused":
        change(alice, job, "pause")
    clock.shift(timedelta(minutes=7))
    fire = services.trigger_job(actor=alice.actor, job_id=job.id)
    assert (fire.status, fire.created_by) == ("fired", str(alice.actor))
    assert fires(job)[-1] == ("12:07", "fired")
    assert (fresh(job).status, fresh(job).next_fire_at) == (old, job.next_fire_at if old == "scheduled" else None)
    assert the_run(job).created_by == str(alice.actor)


def test_two_triggers_in_one_moment_are_two_fires(alice: Person) -> None:
    job = make(alice)
    for _ in range(3):
        services.trigger_job(actor=alice.actor, job_id=job.id)
    assert [row.fire_time - NOON for row in JobFire.objects.order_by("id")] == [
        timedelta(microseconds=number) for number in range(3)
    ]


def test_a_trigger_that_cannot_fire(alice: Person) -> None:
    job = make(alice, overlap="skip")
    services.trigger_job(actor=alice.actor, job_id=job.id)
    with pytest.raises(Conflict, match="still active"):
        services.trigger_job(actor=alice.actor, job_id=job.id)
    cancellation.cancel_run(actor=alice.actor, run_id=the_run(job).id)
    lose_the_workflow(alice)
    with pytest.raises(ValidationFailed):
        services.trigger_job(actor=alice.actor, job_id=job.id)
    change(alice, job, "cancel")
    with pytest.raises(InvalidTransition):
        services.trigger_job(actor=alice.actor, job_id=job.id)
    assert len(fires(job)) == 1


def test_who_may(alice: Person, carol: Person, mallory: Person) -> None:
    job = make(alice)
    for service in (*CHANGES.values(), services.trigger_job):
        with pytest.raises(PermissionDenied):
            service(actor=carol.actor, job_id=job.id)
        with pytest.raises(NotFound):
            service(actor=mallory.actor, job_id=job.id)
    with pytest.raises(PermissionDenied):
        make(carol)


@pytest.mark.django_db(transaction=True)
def test_of_a_pause_and_a_fire_at_once_both_leave_a_sound_job(alice: Person, clock: Any) -> None:
    job = make(alice)
    clock.shift(timedelta(hours=1))
    answers = race(lambda: change(alice, job, "pause"), *[scheduler.sweep] * 3)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert (fresh(job).status, fresh(job).next_fire_at) == ("paused", None)
    assert len(fires(job)) == Run.objects.count() <= 1
