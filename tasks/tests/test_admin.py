"""The admin shows all and changes nothing, but for cancelling through the service."""

from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.events.models import Event
from orchestrator.identity.models import User
from tasks.models import Task, TaskLease
from tasks.tests.calls import acquire, act, add

LIST = "/admin/tasks/task/"


def cancel(client: Client, *tasks: Any) -> Any:
    body = {"action": "cancel_selected", "_selected_action": [task["id"] for task in tasks], "confirmed": "yes"}
    return client.post(LIST, body, follow=True)


def test_tasks_are_listed_searched_and_shown(alice: Person, desk: Client) -> None:
    task = add(alice, "Findable", labels=["ops"], depends_on=[add(alice, "Other")["id"]])
    assert "Findable" in desk.get(LIST).content.decode()
    assert "Findable" not in desk.get(f"{LIST}?q=nothing").content.decode()
    assert "Findable" in desk.get(f"{LIST}?q=ops").content.decode()
    page = desk.get(f"{LIST}{task['id']}/change/").content.decode()
    assert all(text in page for text in ("Findable", "ops", "Other", task["created_by"]))


def test_nothing_can_be_added_changed_or_deleted(alice: Person, desk: Client) -> None:
    task = add(alice)
    for path in (f"{LIST}add/", f"{LIST}{task['id']}/change/", f"{LIST}{task['id']}/delete/"):
        assert desk.post(path, {"title": "Forged", "post": "yes"}).status_code == 403
    assert "delete_selected" not in desk.get(LIST).content.decode()
    assert Task.objects.get().title == "Demo"


def test_cancelling_goes_through_the_service(alice: Person, mallory: Person, operator: User, desk: Client) -> None:
    tasks = [add(alice), add(mallory)]
    assert "Cancelled tasks: 2." in cancel(desk, *tasks).content.decode()
    assert set(Task.objects.values_list("status", "version")) == {("cancelled", 2)}
    recorded = Event.objects.filter(event="task_transitioned", actor=f"user:{operator.pk}")
    assert {event.org_id for event in recorded} == {alice.org.pk, mallory.org.pk}


def test_what_cannot_be_cancelled_is_said_and_stays(alice: Person, desk: Client) -> None:
    task, done = add(alice), add(alice, "Finished")
    Task.objects.filter(pk=done["id"]).update(status="done")
    page = cancel(desk, task, done).content.decode()
    assert "Cancelled tasks: 1." in page
    assert "Finished: A task that is done cannot become cancelled." in page
    assert Task.objects.get(pk=done["id"]).version == 1


def test_staff_without_the_permission_cannot_cancel(alice: Person) -> None:
    client = Client()
    client.force_login(User.objects.create_user("temp@example.com", is_staff=True))
    task = add(alice)
    assert client.get(LIST).status_code == 403
    assert cancel(client, task).status_code == 403
    assert Task.objects.get().status == "todo"


def test_the_list_costs_the_same_with_more_rows(alice: Person, desk: Client) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            add(alice)
        with CaptureQueriesContext(connection) as captured:
            desk.get(LIST)
        counts.append(len(captured))
    assert counts[0] == counts[1]


LEASES = "/admin/tasks/tasklease/"


def revoke(client: Client) -> str:
    leases = [str(lease.pk) for lease in TaskLease.objects.all()]
    body = {"action": "revoke_selected", "_selected_action": leases, "confirmed": "yes"}
    answer = client.post(LEASES, body, follow=True)
    return str(answer.content.decode()) if answer.status_code == 200 else str(answer.status_code)


def test_leases_are_listed_filtered_and_shown(alice: Person, desk: Client) -> None:
    over = acquire(alice, add(alice, "Findable"), "worker-1")
    act(alice, "fail", over, error="Out of paper.")
    acquire(alice, add(alice, "Other"), "worker-2")
    assert {"worker-1", "worker-2"} <= set(desk.get(LEASES).content.decode().replace("<", ">").split(">"))
    assert "worker-1" not in desk.get(f"{LEASES}?ended_at__isempty=1").content.decode()
    assert "worker-2" not in desk.get(f"{LEASES}?outcome__exact=failed").content.decode()
    assert "worker-2" not in desk.get(f"{LEASES}?q=Findable").content.decode()
    page = desk.get(f"{LEASES}{over['lease_id']}/change/").content.decode()
    assert all(text in page for text in ("Findable", "worker-1", "Out of paper."))
    for path in (f"{LEASES}add/", f"{LEASES}{over['lease_id']}/change/", f"{LEASES}{over['lease_id']}/delete/"):
        assert desk.post(path, {"holder": "me", "post": "yes"}).status_code == 403


def test_revoking_goes_through_the_service(alice: Person, mallory: Person, operator: User, desk: Client) -> None:
    lease = acquire(alice, add(alice), "worker-1")
    acquire(mallory, add(mallory))
    act(alice, "release", lease)
    acquire(alice, lease["task"], "worker-2")
    page = revoke(desk)
    assert "Revoked leases: 2." in page
    assert "The lease has ended already." in page
    assert set(Task.objects.values_list("status", "attempts")) == {("todo", 0)}
    recorded = Event.objects.filter(event="lease_superseded", actor=f"user:{operator.pk}")
    assert {event.org_id for event in recorded} == {alice.org.pk, mallory.org.pk}


def test_staff_without_the_permission_cannot_revoke(alice: Person) -> None:
    client = Client()
    client.force_login(User.objects.create_user("temp@example.com", is_staff=True))
    acquire(alice, add(alice))
    assert revoke(client) == "403"
    assert Task.objects.get().status == "in_progress"


def test_a_parked_task_goes_back_into_the_queue(alice: Person, operator: User, desk: Client) -> None:
    task = add(alice)
    Task.objects.filter(pk=task["id"]).update(status="blocked", attempts=3)
    body = {"action": "requeue_selected", "_selected_action": [task["id"]]}
    assert "Back in the queue: 1." in desk.post(LIST, body, follow=True).content.decode()
    assert Task.objects.values_list("status", "attempts").get() == ("todo", 0)
    assert Event.objects.get(event="task_transitioned").actor == f"user:{operator.pk}"
