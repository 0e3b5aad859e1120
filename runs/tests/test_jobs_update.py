"""Changing a job that is not over."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from conftest import Person
from orchestrator.events.models import Event
from runs.jobs import services
from runs.jobs.models import Job
from runs.models import Run
from runs.tests.jobs import JOBS, NOON, fires, fresh, make, pass_time

SIX = "2026-03-10T18:00:00.000000Z"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def machine(clock: Any, api_client: Callable[..., Client]) -> Client:
    return api_client("read", "jobs")


def patch(client: Client, job: Job, body: Any, **headers: str) -> Any:
    return client.patch(f"{JOBS}/{job.id}", json.dumps(body), content_type="application/json", headers=headers)


def test_a_new_schedule_counts_from_now(alice: Person, machine: Client, clock: Any) -> None:
    job = make(alice)
    answer = patch(machine, job, {"cron": "0 18 * * *", "name": "evening"})
    assert (answer.status_code, answer.json()["name"], answer.json()["next_fire_at"]) == (200, "evening", SIX)
    assert answer.json()["version"] == 2
    pass_time(clock, hours=6)
    assert fires(job) == [("18:00", "fired")]
    event = Event.objects.get(event="job_updated")
    assert event.details["fields"] == ["cron", "name"]


@pytest.mark.parametrize(
    ("fields", "body", "expected"),
    [
        ({"cron": "@hourly"}, {"run_at": SIX}, (SIX, None, SIX)),
        ({"cron": "@hourly"}, {"run_at": "2026-03-10T19:00:00", "timezone": "Europe/Berlin"}, (SIX, None, SIX)),
        ({"cron": "@hourly", "timezone": "Europe/Berlin"}, {"run_at": "2026-03-10T19:00:00"}, (SIX, None, SIX)),
        ({"run_at": NOON + timedelta(days=1)}, {"cron": "0 18 * * *"}, (None, "0 18 * * *", SIX)),
        ({"cron": "0 19 * * *"}, {"timezone": "Europe/Berlin"}, (None, "0 19 * * *", SIX)),
        ({"cron": "0 18 * * *"}, {"overlap": "skip", "priority": 9}, (None, "0 18 * * *", SIX)),
        ({"cron": "0 18 * * *"}, {}, (None, "0 18 * * *", SIX)),
    ],
)
def test_once_and_often(alice: Person, machine: Client, fields: Any, body: Any, expected: Any) -> None:
    found = patch(machine, make(alice, **fields), body).json()
    assert (found["run_at"], found["cron"], found["next_fire_at"]) == expected
    assert {name: found[name] for name in body if name != "run_at"} == {k: v for k, v in body.items() if k != "run_at"}


def test_a_time_that_has_passed_fires_with_the_next_look(alice: Person, machine: Client, clock: Any) -> None:
    job = make(alice)
    assert patch(machine, job, {"run_at": "2026-03-10T11:00:00Z"}).status_code == 200
    pass_time(clock, seconds=1)
    assert (fires(job), fresh(job).status) == ([("11:00", "fired")], "completed")


def test_a_paused_job_stays_paused(alice: Person, machine: Client) -> None:
    job = make(alice)
    services.pause_job(actor=alice.actor, job_id=job.id)
    assert patch(machine, job, {"cron": "0 18 * * *"}).json()["next_fire_at"] is None
    assert services.resume_job(actor=alice.actor, job_id=job.id).next_fire_at == NOON + timedelta(hours=6)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "@daily", "run_at": SIX}, "run_at"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"inputs": {"prompt": 5}}, "prompt"),
        ({"workflow": "unheard-of"}, "workflow"),
        ({"status": "paused"}, "status"),
    ],
)
def test_what_could_never_run_is_refused(alice: Person, machine: Client, body: Any, named: str) -> None:
    job = make(alice)
    before = Job.objects.values().get()
    answer = patch(machine, job, body)
    assert (answer.status_code, list(answer.json()["details"])) == (422, [named])
    assert Job.objects.values().get() == before
    assert not Run.objects.exists()


def test_if_match_may_be_sent(alice: Person, machine: Client) -> None:
    job = make(alice)
    etag = machine.get(f"{JOBS}/{job.id}")["ETag"]
    assert patch(machine, job, {"name": "one"}, **{"If-Match": etag}).status_code == 200
    assert patch(machine, job, {"name": "two"}, **{"If-Match": etag}).status_code == 412
    assert fresh(job).name == "one"


def test_a_job_that_is_over(alice: Person, machine: Client) -> None:
    job = make(alice, run_at=None)
    answer = patch(machine, job, {"name": "again"})
    assert (answer.status_code, answer.json()["type"]) == (409, "conflict")
