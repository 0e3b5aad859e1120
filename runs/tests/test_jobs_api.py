"""/api/v1/jobs: bodies, answers, lists, scopes. What jobs do is tested in test_jobs.py."""

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.api import lists
from runs.jobs import scheduler
from runs.jobs.models import Job, JobFire
from runs.models import Run
from runs.tests.jobs import BODY, JOBS, NOON, end, make, pass_time, send, the_run
from runs.tests.steps import PARIS

HOURLY = {**BODY, "cron": "@hourly"}


def made(client: Client, **fields: Any) -> Any:
    answer = send(client, JOBS, {**BODY, **fields})
    assert answer.status_code == 202, answer.content
    return answer.json()


def test_now(alice: Person) -> None:
    answer = send(alice.client, JOBS, BODY)
    body = answer.json()
    run = Run.objects.get()
    assert answer.status_code == 202
    assert answer["Location"] == f"/api/v1/jobs/{body['id']}"
    assert body["job_id"] == body["id"]
    assert (body["status"], body["workflow"], body["next_fire_at"]) == ("completed", "agent-graph", None)
    assert [(found["id"], found["status"]) for found in body["runs"]] == [(str(run.id), "queued")]
    assert (run.inputs, run.created_by) == ({"prompt": PARIS}, str(alice.actor))
    body.pop("job_id")
    assert alice.client.get(answer["Location"]).json() == body


@time_machine.travel(NOON, tick=False)
def test_later_and_often(api_client: Callable[..., Client]) -> None:
    client = api_client("read", "jobs")  # whose credentials do not run out by the clock
    later = made(client, run_at="2026-03-10T15:00:00+01:00")
    assert (later["status"], later["run_at"]) == ("scheduled", "2026-03-10T14:00:00.000000Z")
    assert later["next_fire_times"] == [later["next_fire_at"]] == ["2026-03-10T14:00:00.000000Z"]
    local = made(client, run_at="2026-07-01T12:00:00", timezone="Europe/Berlin")
    assert local["run_at"] == "2026-07-01T10:00:00.000000Z"
    often = made(client, cron="30 2 * * *", timezone="Europe/Berlin", priority=7, overlap="skip", misfire="skip")
    assert often["next_fire_at"] == "2026-03-11T01:30:00.000000Z"
    assert often["next_fire_times"] == [f"2026-03-{day}T01:30:00.000000Z" for day in (11, 12, 13, 14, 15)]
    assert (often["cron"], often["timezone"], often["priority"]) == ("30 2 * * *", "Europe/Berlin", 7)
    assert not Run.objects.exists()
    past = made(client, run_at="2026-03-10T11:59:59Z")
    assert (past["status"], len(past["runs"])) == ("completed", 1)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": 5}, "name"),
        ({"cron": "@hourly", "run_at": "2099-01-01T00:00:00Z"}, "run_at"),
        ({"run_at": "tomorrow"}, "run_at"),
        ({"run_at": "2099-02-30T00:00:00Z"}, "run_at"),
        ({"run_at": "2099-01-01T00:00:00", "timezone": "Nowhere"}, "timezone"),
        ({"run_at": 5}, "run_at"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "x" * 101}, "cron"),
        ({"cron": "@daily", "timezone": "Nowhere"}, "timezone"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"priority": 101}, "priority"),
        ({"priority": -1}, "priority"),
        ({"misfire": "ignore"}, "misfire"),
        ({"misfire_grace_seconds": -1}, "misfire_grace_seconds"),
        ({"overlap": "maybe"}, "overlap"),
        ({"workflow": "unheard-of"}, "workflow"),
        ({"ref": "~99"}, "ref"),
        ({"inputs": []}, "inputs"),
        ({"inputs": {"prompt": 5}}, "prompt"),
        ({"inputs": {"prompt": "x", "big": 1e22}}, "inputs"),
        ({"every": "day"}, "every"),
    ],
)
@pytest.mark.parametrize("schedule", [{}, {"cron": "@hourly"}], ids=["now", "often"])
def test_bad_bodies(alice: Person, schedule: Any, fields: Any, named: str) -> None:
    schedule = {} if "run_at" in fields else schedule
    answer = send(alice.client, JOBS, {**BODY, **schedule, **fields})
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    assert named in answer.json()["details"]
    assert not Job.objects.exists()


def test_the_life_of_a_job(alice: Person) -> None:
    job = made(alice.client, cron="@hourly")
    path = f"{JOBS}/{job['id']}"
    for how, status in (("pause", "paused"), ("resume", "scheduled"), ("cancel", "cancelled"), ("cancel", "cancelled")):
        answer = send(alice.client, f"{path}/{how}")
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        assert answer.json() == alice.client.get(path).json()
    for how in ("pause", "resume", "trigger"):
        answer = send(alice.client, f"{path}/{how}")
        assert (answer.status_code, answer.json()["type"]) == (409, "invalid_transition")


def test_trigger(alice: Person) -> None:
    job = made(alice.client, cron="@hourly", overlap="queue")
    path = f"{JOBS}/{job['id']}"
    send(alice.client, f"{path}/pause")
    first, second, third = (send(alice.client, f"{path}/trigger") for _ in range(3))
    assert [answer.status_code for answer in (first, second, third)] == [202, 202, 409]
    assert first["Location"] == f"/api/v1/runs/{first.json()['run_id']}"
    assert (first.json()["status"], first.json()["run_status"]) == ("fired", "queued")
    assert (second.json()["status"], second.json()["run_id"]) == ("waiting", None)
    body = alice.client.get(path).json()
    assert (body["status"], [run["id"] for run in body["runs"]]) == ("paused", [first.json()["run_id"]])


def test_an_idempotency_key_makes_one_job_and_one_fire(alice: Person) -> None:
    first, again = (send(alice.client, JOBS, BODY, **{"Idempotency-Key": "one"}) for _ in range(2))
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    path = f"{JOBS}/{first.json()['id']}/trigger"
    fired = [send(alice.client, path, **{"Idempotency-Key": "two"}).content for _ in range(2)]
    assert fired[0] == fired[1]
    assert (Job.objects.count(), Run.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [(("jobs",), 403, 202), (("read",), 200, 403), (("read", "write"), 200, 403), (("read", "jobs"), 200, 202)],
)
def test_keys_need_the_scope(
    api_client: Callable[..., Client], alice: Person, scopes: tuple[str, ...], reads: int, writes: int
) -> None:
    client = api_client(*scopes)
    path = f"{JOBS}/{make(alice).id}"
    assert (client.get(JOBS).status_code, client.get(f"{path}/fires").status_code) == (reads, reads)
    assert send(client, JOBS, BODY).status_code == writes
    assert send(client, JOBS, HOURLY).status_code == writes
    assert send(client, f"{path}/trigger").status_code == writes
    assert send(client, f"{path}/cancel").status_code == (200 if writes == 202 else 403)


def test_lists_are_filtered(alice: Person, mallory: Person) -> None:
    made(alice.client, name="Nightly Übersicht")
    made(alice.client, name="weekly", cron="@weekly")
    made(mallory.client, name="weekly")
    expected = {
        "": ["weekly", "Nightly Übersicht"],
        "?status=scheduled": ["weekly"],
        "?name=weekly": ["weekly"],
        "?name=week": [],
        "?q=übers": ["Nightly Übersicht"],
        "?q=.": [],
        "?workflow=agent-graph&limit=1": ["weekly"],
        "?workflow=other": [],
    }
    for query, names in expected.items():
        assert [item["name"] for item in alice.client.get(JOBS + query).json()["items"]] == names, query
    assert alice.client.get(f"{JOBS}?status=sleeping").status_code == 422


def test_fires_are_listed_with_their_runs(alice: Person) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        job = make(alice, overlap="skip")
        for _ in range(3):
            pass_time(clock, hours=1)
    path = f"{JOBS}/{job.id}/fires"
    page = alice.client.get(f"{path}?limit=2").json()
    assert [(item["fire_time"][11:16], item["status"]) for item in page["items"]] == [
        ("15:00", "skipped"), ("14:00", "skipped"),
    ]  # fmt: skip
    rest = alice.client.get(f"{path}?limit=2&cursor={page['next_cursor']}").json()
    assert [item["run_id"] for item in rest["items"]] == [str(the_run(job).id)]
    assert len(alice.client.get(f"{path}?status=skipped").json()["items"]) == 2


def test_the_list_of_fires_hears_of_its_runs(alice: Person) -> None:
    job = make(alice, run_at=None)
    path = f"{JOBS}/{job.id}/fires"
    before = alice.client.get(path)
    assert send(alice.client, f"/api/v1/runs/{the_run(job).id}/cancel").status_code == 202
    after = alice.client.get(path, headers={"If-None-Match": before["ETag"]})
    assert (after.status_code, after.json()["items"][0]["run_status"]) == (200, "cancelled")
    assert alice.client.get(path, headers={"If-None-Match": after["ETag"]}).status_code == 304


def test_a_job_shows_its_last_twenty_runs(alice: Person) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        job = make(alice)
        for _ in range(22):
            pass_time(clock, hours=1)
    body = alice.client.get(f"{JOBS}/{job.id}").json()
    assert len(body["runs"]) == 20
    assert body["runs"][0]["id"] == str(the_run(job).id)
    end(the_run(job), "failed")
    assert alice.client.get(f"{JOBS}/{job.id}").json()["runs"][0]["status"] == "failed"


def queries(client: Client, path: str) -> int:
    lists.forget()
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def test_lists_cost_the_same_with_more_rows(alice: Person) -> None:
    job = make(alice)
    counts = []
    for _ in range(2):
        for _ in range(3):
            made(alice.client)
            send(alice.client, f"{JOBS}/{job.id}/trigger")
        counts.append([queries(alice.client, path) for path in (JOBS, f"{JOBS}/{job.id}", f"{JOBS}/{job.id}/fires")])
    assert counts[0] == counts[1]
    assert counts[0] == [3, 3, 5]  # who asks, the revisions, the job, the rows


def test_a_schedule_runs_its_course(api_client: Callable[..., Client]) -> None:
    client = api_client("read", "jobs")
    with time_machine.travel(NOON, tick=False) as clock:
        job = made(client, cron="0 * * * *")
        before = client.get(JOBS)
        pass_time(clock, hours=1)
        scheduler.sweep()
        after = client.get(JOBS, headers={"If-None-Match": before["ETag"]})
        assert after.status_code == 200
        assert after.json()["items"][0]["next_fire_at"] == "2026-03-10T14:00:00.000000Z"
    events = client.get("/api/v1/events", {"target": f"job:{job['id']}"}).json()["items"]
    assert [event["event"] for event in events] == ["job_created", "job_fired"]
    assert events[1]["details"]["run_id"] == str(JobFire.objects.get().run_id)
