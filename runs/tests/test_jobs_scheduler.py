"""What time brings: missed times, overlapping runs, runs that cannot be started, and many schedulers at once."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import SystemLog
from conftest import Person
from orchestrator.core import sweeps
from orchestrator.events.models import Event
from runs.jobs import firing, scheduler, services
from runs.jobs.models import Job, JobFire
from runs.models import Run
from runs.tests.jobs import NOON, end, fires, fresh, lose_the_workflow, make, pass_time, the_run
from runs.tests.steps import carry, claim, finish, on_its_own, race
from versioning.services import workflows


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def reasons(job: Job) -> list[str]:
    return list(JobFire.objects.filter(job=job).order_by("fire_time").values_list("reason", flat=True))


def test_the_sweep_is_one_of_those_that_engines_run() -> None:
    assert scheduler.sweep in sweeps._sweeps


def test_one_late_fire_stands_for_all(alice: Person, clock: Any) -> None:
    job = make(alice)
    pass_time(clock, hours=5, minutes=10)
    assert fires(job) == [("17:00", "fired")]
    assert reasons(job) == ["Stands for 4 missed before it."]
    assert fresh(job).next_fire_at == NOON + timedelta(hours=6)


def test_after_a_year_of_silence(alice: Person, clock: Any) -> None:
    job = make(alice, cron="* * * * *")
    pass_time(clock, days=365, seconds=20)
    assert fires(job) == [("12:00", "fired")]
    assert reasons(job) == ["Stands for 99 or more missed before it."]
    assert fresh(job).next_fire_at == NOON + timedelta(days=365, minutes=1)


def test_missed_times_are_skipped_beyond_the_grace(alice: Person, clock: Any) -> None:
    job = make(alice, cron="* * * * *", misfire="skip", misfire_grace_seconds=90)
    pass_time(clock, minutes=4)
    assert fires(job) == [
        ("12:01", "skipped"), ("12:02", "skipped"), ("12:03", "fired"), ("12:04", "fired"),
    ]  # fmt: skip
    assert reasons(job)[:2] == ["More than 90 seconds late."] * 2
    skipped = Event.objects.get(event="job_skipped")
    assert skipped.details["fires"] == 2
    assert fresh(job).next_fire_at == NOON + timedelta(minutes=5)


def test_within_the_grace_nothing_is_missed(alice: Person, clock: Any) -> None:
    job = make(alice, misfire="skip")
    pass_time(clock, hours=1, seconds=60)
    assert fires(job) == [("13:00", "fired")]


def test_a_single_time_that_is_too_late(alice: Person, clock: Any) -> None:
    job = make(alice, run_at=NOON + timedelta(hours=1), misfire="skip")
    pass_time(clock, hours=2)
    assert (fires(job), fresh(job).status) == ([("13:00", "skipped")], "completed")
    assert not Run.objects.exists()


def test_all_missed_times_fire_a_hundred_at_most(alice: Person, clock: Any) -> None:
    job = make(alice, cron="* * * * *", misfire="fire_all")
    pass_time(clock, minutes=3)
    assert fires(job) == [("12:01", "fired"), ("12:02", "fired"), ("12:03", "fired")]
    clock.shift(timedelta(days=2))
    for _ in range(15):
        scheduler.sweep()
    assert len(fires(job)) == Run.objects.count() == 3 + scheduler.MAX_MISSED
    assert fresh(job).next_fire_at == NOON + timedelta(days=2, minutes=4)


def test_runs_may_overlap(alice: Person, clock: Any) -> None:
    job = make(alice)
    for _ in range(3):
        pass_time(clock, hours=1)
    assert fires(job) == [("13:00", "fired"), ("14:00", "fired"), ("15:00", "fired")]


def test_a_fire_is_skipped_while_a_run_is_active(alice: Person, clock: Any) -> None:
    job, other = make(alice, overlap="skip"), make(alice)
    pass_time(clock, hours=1)
    pass_time(clock, hours=1)
    end(the_run(job))
    pass_time(clock, hours=1)
    assert fires(job) == [("13:00", "fired"), ("14:00", "skipped"), ("15:00", "fired")]
    assert reasons(job)[1] == firing.STILL_ACTIVE
    assert len(fires(other)) == 3


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_every_state_that_is_not_an_end_is_active(alice: Person, clock: Any, status: str) -> None:
    job = make(alice, overlap="skip")
    pass_time(clock, hours=1)
    end(the_run(job), status)
    pass_time(clock, hours=1)
    assert fires(job)[-1] == ("14:00", "skipped")


def test_one_fire_waits_for_the_end_of_the_run(alice: Person, clock: Any) -> None:
    job = make(alice, overlap="queue")
    for _ in range(3):
        pass_time(clock, hours=1)
    assert fires(job) == [("13:00", "fired"), ("14:00", "waiting"), ("15:00", "skipped")]
    assert reasons(job)[2] == firing.ONE_WAITS
    end(the_run(job), "failed")
    pass_time(clock, seconds=1)
    assert fires(job) == [("13:00", "fired"), ("14:00", "fired"), ("15:00", "skipped")]
    assert Run.objects.count() == 2
    assert reasons(job)[1] == ""
    pass_time(clock, hours=1)
    assert fires(job)[-1] == ("16:00", "waiting")


def test_the_running_one_is_cancelled_first(alice: Person, clock: Any) -> None:
    job, other = make(alice, overlap="cancel_running"), make(alice)
    pass_time(clock, hours=1)
    old = the_run(job)
    pass_time(clock, hours=1)
    old.refresh_from_db()
    assert (old.status, the_run(job).status) == ("cancelled", "queued")
    assert fires(job) == [("13:00", "fired"), ("14:00", "fired")]
    assert not Run.objects.filter(job_fire__job=other, status="cancelled").exists()


def test_a_workflow_that_is_gone_pauses_the_job_after_five_fires(alice: Person, clock: Any) -> None:
    job = make(alice)
    pass_time(clock, hours=1)
    lose_the_workflow(alice)
    for _ in range(4):
        pass_time(clock, hours=1)
    assert [status for _, status in fires(job)] == ["fired", "skipped", "skipped", "skipped", "skipped"]
    assert "agent-graph" in reasons(job)[-1]
    assert (fresh(job).status, fresh(job).failures) == ("scheduled", 4)
    assert not SystemLog.objects.exists()
    pass_time(clock, hours=1)
    assert (fresh(job).status, fresh(job).next_fire_at) == ("paused", None)
    line = SystemLog.objects.get(org=alice.org)
    assert (line.component, line.details) == ("scheduler", {"job_id": str(job.id)})
    assert "5 fires in a row" in line.message
    assert Event.objects.get(event="job_paused").actor == "system"
    pass_time(clock, days=1)
    assert len(fires(job)) == 6
    assert services.resume_job(actor=alice.actor, job_id=job.id).failures == 0


def test_a_fire_that_succeeds_begins_the_count_anew(alice: Person, clock: Any) -> None:
    job = make(alice)
    Job.objects.update(failures=4)
    pass_time(clock, hours=1)
    assert (fires(job), fresh(job).failures) == ([("13:00", "fired")], 0)


def test_of_a_single_fire_that_cannot_start_the_system_log_tells(alice: Person, clock: Any) -> None:
    make(alice, run_at=None)  # makes the workflow
    job = make(alice, run_at=NOON + timedelta(hours=1))
    lose_the_workflow(alice)
    pass_time(clock, hours=1)
    assert (fires(job), fresh(job).status) == ([("13:00", "skipped")], "completed")
    assert "could not start its run" in SystemLog.objects.get().message


def test_a_waiting_fire_that_cannot_start(alice: Person, clock: Any) -> None:
    job = make(alice, overlap="queue")
    pass_time(clock, hours=1)
    pass_time(clock, hours=1)
    end(the_run(job))
    lose_the_workflow(alice)
    pass_time(clock, seconds=1)
    assert fires(job) == [("13:00", "fired"), ("14:00", "skipped")]
    assert fresh(job).failures == 1


def test_one_bad_job_keeps_nobody_waiting(
    alice: Person, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = make(alice, name="bad"), make(alice, name="good")
    start = firing.start

    def explode(job: Job, actor: Any) -> Run:
        if job.name == "bad":
            raise RuntimeError("No one expected this.")
        return start(job, actor)

    monkeypatch.setattr(firing, "start", explode)
    pass_time(clock, hours=1)
    assert (fires(bad), fires(good)) == ([], [("13:00", "fired")])
    assert fresh(bad).next_fire_at == NOON + timedelta(hours=1), "It is still due."
    assert "could not be decided on" in caplog.text
    monkeypatch.undo()
    scheduler.sweep()
    assert fires(bad) == [("13:00", "fired")]


def test_a_fire_and_all_that_belongs_to_it_are_one_transaction(
    alice: Person, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(alice)
    before = (list(Job.objects.values()), Event.objects.count())

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("The last step failed.")

    monkeypatch.setattr(firing, "record_fire", fail)
    pass_time(clock, hours=1)
    assert (list(Job.objects.values()), Event.objects.count()) == before
    assert not JobFire.objects.exists()
    assert not Run.objects.exists()


def test_more_than_a_batch(alice: Person, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "BATCH", 2)
    for _ in range(7):
        make(alice)
    pass_time(clock, hours=1)
    assert JobFire.objects.count() == Run.objects.count() == 7


def test_looking_costs_two_queries_when_nothing_is_due(alice: Person, clock: Any) -> None:
    for _ in range(3):
        make(alice, overlap="queue")
    pass_time(clock, hours=1)
    with CaptureQueriesContext(connection) as captured:
        scheduler.sweep()
    assert len(captured) == 2
    if connection.vendor == "sqlite":
        plans = []
        with connection.cursor() as cursor:
            for query in captured.captured_queries:
                cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
                plans.append(" ".join(str(row[3]) for row in cursor.fetchall()))
        assert "job_due" in plans[0]
        assert "job_fire_one_waiting" in plans[1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("overlap", ["allow", "skip", "queue", "cancel_running"])
def test_ten_schedulers_at_once_fire_each_time_once(alice: Person, clock: Any, overlap: str) -> None:
    jobs = [make(alice, name=f"job {number}", overlap=overlap, misfire="fire_all") for number in range(5)]
    for _ in range(3):
        clock.shift(timedelta(hours=1))
        assert not [answer for answer in race(*[scheduler.sweep] * 10) if answer is not None]
    statuses = {
        "allow": ["fired", "fired", "fired"], "skip": ["fired", "skipped", "skipped"],
        "queue": ["fired", "waiting", "skipped"], "cancel_running": ["fired", "fired", "fired"],
    }[overlap]  # fmt: skip
    for job in jobs:
        assert fires(job) == list(zip(("13:00", "14:00", "15:00"), statuses, strict=True))
    assert Run.objects.count() == JobFire.objects.filter(status="fired").count() == 5 * statuses.count("fired")
    assert Event.objects.filter(event="job_fired").count() == 5 * statuses.count("fired")


@pytest.mark.django_db(transaction=True)
def test_ten_schedulers_release_a_waiting_fire_once(alice: Person, clock: Any) -> None:
    job = make(alice, overlap="queue")
    pass_time(clock, hours=1)
    pass_time(clock, hours=1)
    end(the_run(job))
    race(*[scheduler.sweep] * 10)
    assert fires(job) == [("13:00", "fired"), ("14:00", "fired")]
    assert Run.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_triggers_at_once_are_a_fire_each(alice: Person, clock: Any) -> None:
    job = make(alice)
    answers = race(*[lambda: services.trigger_job(actor=alice.actor, job_id=job.id)] * 10)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert Run.objects.count() == JobFire.objects.values("fire_time").distinct().count() == 10


@pytest.mark.django_db(transaction=True)
def test_a_fire_that_cancels_a_run_whose_inner_run_is_just_ending(
    alice: Person, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new run holds the head of the org's log; the end of the inner one waits for that, with the row of the node
    that is to be cancelled.
    """
    say = {"only": {"type": "transform", "with": {"output": {}}}}
    workflows.create_workflow(actor=alice.actor, tag="inner", definition={"nodes": say})
    call = {"call": {"type": "workflow", "with": {"workflow": "inner"}}}
    workflows.create_workflow(actor=alice.actor, tag="outer", definition={"nodes": call})
    job = make(alice, workflow="outer", inputs={}, overlap="cancel_running")
    pass_time(clock, hours=1)
    old = the_run(job)
    carry(old)
    inner = claim(Run.objects.get(parent=old))
    start = firing.start
    with ThreadPoolExecutor(1) as threads:
        left: list[Future[Any]] = []

        def start_late(*args: Any) -> Run:
            run = start(*args)
            left.append(threads.submit(on_its_own, lambda: finish(inner)))
            wait(left, 0.5)
            return run

        monkeypatch.setattr(firing, "start", start_late)
        pass_time(clock, hours=1)
        left[0].result(30)
    assert [status for _, status in fires(job)] == ["fired", "fired"]
    old.refresh_from_db()
    assert (old.status, Run.objects.get(parent=old).status) == ("cancelled", "succeeded")
