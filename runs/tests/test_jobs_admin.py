"""Operators see all jobs and act on them through the services, in their own name."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.events.models import Event
from orchestrator.identity.models import User
from runs.jobs import services
from runs.jobs.models import Job
from runs.models import Run
from runs.tests.jobs import fresh, make

BASE = "/admin/runs/"


def page(client: Client, path: str) -> str:
    answer = client.get(BASE + path)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def act(client: Client, action: str, *jobs: Job) -> str:
    sent = {"action": action, "_selected_action": [job.id for job in jobs], "confirmed": "yes"}
    return client.post(f"{BASE}job/", sent, follow=True).content.decode()


def test_lists_and_pages(alice: Person, desk: Client) -> None:
    job = make(alice, name="Findable", timezone="Europe/Berlin")
    fire = services.trigger_job(actor=alice.actor, job_id=job.id)
    for query in ("", "?q=findable", "?status=scheduled", "?overlap=allow"):
        assert "Findable" in page(desk, f"job/{query}"), query
        assert "Findable" not in page(desk, "job/?q=nothing-of-this-name")
    assert "Findable" in page(desk, "jobfire/?q=findable")
    assert "Europe/Berlin" in page(desk, f"job/{job.id}/change/")
    assert str(fire.run_id) in page(desk, f"jobfire/{fire.id}/change/")


def test_nothing_can_be_added_changed_or_deleted(alice: Person, desk: Client) -> None:
    job = make(alice)
    for path in ("add/", f"{job.id}/change/", f"{job.id}/delete/"):
        assert desk.post(f"{BASE}job/{path}", {"name": "Forged", "post": "yes"}).status_code == 403
    assert "delete_selected" not in page(desk, "job/")


def test_actions(alice: Person, mallory: Person, operator: User, desk: Client) -> None:
    jobs = [make(alice), make(mallory)]
    over = make(alice, name="Over", run_at=None)
    said = act(desk, "pause_selected", *jobs, over)
    assert "Paused: 2." in said
    assert "Over: A job that is completed cannot become paused." in said
    assert "Resumed: 2." in act(desk, "resume_selected", *jobs)
    assert "Fired: 2." in act(desk, "trigger_selected", *jobs)
    assert "Cancelled: 2." in act(desk, "cancel_selected", *jobs)
    assert {fresh(job).status for job in jobs} == {"cancelled"}
    assert Run.objects.filter(created_by=f"user:{operator.pk}").count() == 2
    recorded = Event.objects.filter(event="job_paused", actor=f"user:{operator.pk}")
    assert {event.org_id for event in recorded} == {alice.org.pk, mallory.org.pk}


def test_staff_who_may_only_look_cannot_act(alice: Person) -> None:
    staff = User.objects.create_user("temp@example.com", is_staff=True)
    client = Client()
    client.force_login(staff)
    job = make(alice)
    staff.user_permissions.add(Permission.objects.get(codename="view_job"))
    assert "cancel_selected" not in page(client, "job/")
    act(client, "cancel_selected", job)
    assert fresh(job).status == "scheduled"


def test_lists_cost_the_same_with_more_rows(alice: Person, desk: Client) -> None:
    counts: list[Any] = []
    for _ in range(2):
        for _ in range(3):
            make(alice, run_at=None)
        with CaptureQueriesContext(connection) as captured:
            for model in ("job", "jobfire"):
                page(desk, f"{model}/")
        counts.append(len(captured))
    assert counts[0] == counts[1]
