"""POST …/leases/acquire: who gets which task."""

import hashlib
import uuid
from typing import Any

import pytest
import rfc8785

from conftest import Person
from orchestrator.core.errors import NotFound, PermissionDenied
from tasks import services
from tasks.models import Task, TaskLease
from tasks.tests.calls import LEASES, TASKS, acquire, act, add, ask, of, read, refused, send


def test_a_named_task_is_leased(alice: Person) -> None:
    task = add(alice, labels=["x"])
    answer = ask(alice, "worker-1", task_id=task["id"])
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"lease_id", "task", "token", "expires_at", "holder"}
    assert answer["ETag"] == f'"{hashlib.sha256(rfc8785.dumps(body)).hexdigest()}"'
    assert answer["Location"] == f"{LEASES}/{body['lease_id']}"
    assert (body["token"], body["holder"]) == (1, "worker-1")
    assert body["task"] == read(alice, task)
    changed = {name for name in body["task"] if body["task"][name] != task[name]}
    assert changed == {"status", "attempts", "version", "updated_at"}
    assert (body["task"]["status"], body["task"]["attempts"], body["task"]["version"]) == ("in_progress", 1, 2)


def test_the_lease_can_be_read(alice: Person) -> None:
    made = ask(alice, "worker-1", task_id=add(alice)["id"], ttl_seconds=5)
    lease = alice.client.get(made["Location"]).json()
    assert lease.pop("acquired_at") < lease["expires_at"] == made.json()["expires_at"]
    assert lease == {
        "id": made.json()["lease_id"],
        "task_id": made.json()["task"]["id"],
        "holder": "worker-1",
        "token": 1,
        "ttl_seconds": 5,
        "expires_at": lease["expires_at"],
        "ended_at": None,
        "outcome": "",
        "error": "",
        "result": None,
        "created_by": f"user:{alice.user.id}",
    }
    row = TaskLease.objects.get()
    assert (row.expires_at - row.acquired_at).total_seconds() == 5


def test_a_lease_lasts_a_minute_unless_asked_otherwise(alice: Person) -> None:
    add(alice)
    acquire(alice)
    assert TaskLease.objects.get().ttl_seconds == 60


def test_a_held_task_is_409_and_says_who_holds_it(alice: Person, bob: Person) -> None:
    task = add(alice)
    held = acquire(alice, task, "first")
    for holder in ("second", "first"):
        error = refused(ask(bob, holder, task_id=task["id"]), 409, "lease_held")
        assert error["details"] == {"holder": "first", "expires_at": held["expires_at"]}
    assert TaskLease.objects.count() == 1


@pytest.mark.parametrize("status", ["in_progress", "review", "approved", "merging", "blocked", "done", "cancelled"])
def test_only_what_is_todo_can_be_leased(alice: Person, status: str) -> None:
    task = add(alice)
    Task.objects.update(status=status)
    assert status in refused(ask(alice, task_id=task["id"]), 409, "conflict")["message"]
    assert ask(alice).status_code == 204


def test_what_waits_for_others_cannot_be_leased_until_they_are_done(alice: Person) -> None:
    first, second = add(alice), add(alice)
    Task.objects.update(status="review")
    task = add(alice, depends_on=[first["id"], second["id"]])
    error = refused(ask(alice, task_id=task["id"]), 409, "conflict")
    assert error["details"] == {"waits_for": [first["id"], second["id"]]}
    assert ask(alice).status_code == 204
    Task.objects.filter(pk=first["id"]).update(status="done")
    assert refused(ask(alice, task_id=task["id"]), 409, "conflict")["details"] == {"waits_for": [second["id"]]}
    Task.objects.filter(pk=second["id"]).update(status="cancelled")
    assert ask(alice).status_code == 204
    Task.objects.filter(pk=second["id"]).update(status="done")
    assert acquire(alice)["task"]["id"] == task["id"]


def test_without_an_attempt_left_it_cannot_be_leased(alice: Person) -> None:
    task = add(alice)
    Task.objects.update(attempts=3)
    assert "3 of 3" in refused(ask(alice, task_id=task["id"]), 409, "conflict")["message"]
    assert ask(alice).status_code == 204
    send(alice.client, "PATCH", of(task), {"max_attempts": 4}, if_match="*")
    assert acquire(alice)["task"]["attempts"] == 4


def test_the_queue_goes_by_priority_then_age(alice: Person) -> None:
    order = [add(alice, "low"), add(alice, "high, old", priority=9), add(alice, "high, new", priority=9)]
    assert [acquire(alice)["task"]["title"] for _ in order] == ["high, old", "high, new", "low"]
    answer = ask(alice)
    assert (answer.status_code, answer.content) == (204, b"")


def test_the_queue_passes_by_what_waits(alice: Person) -> None:
    first = add(alice, "first")
    add(alice, "urgent, but waits", priority=100, depends_on=[first["id"]])
    assert acquire(alice)["task"]["title"] == "first"
    assert ask(alice).status_code == 204


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "bare"),
        ({"labels": []}, "bare"),
        ({"labels": ["a"]}, "a"),
        ({"labels": ["b", "a"]}, "a b"),
        ({"labels": [" a ", "a"]}, "a"),
        ({"labels": ["c"]}, None),
        ({"q": "HÄLFTE"}, "a b"),
        ({"q": "A b"}, "a b"),
        ({"q": ".*"}, None),
        ({"labels": ["a"], "q": "b"}, "a b"),
        ({"assignee": "ann"}, "anns"),
        ({"assignee": ""}, "bare"),
        ({"holder": "ann"}, "anns"),
        ({"holder": "ann", "assignee": "bert"}, "bare"),
    ],
)
def test_the_queue_can_be_filtered(alice: Person, wanted: dict[str, Any], expected: str | None) -> None:
    add(alice, "anns", priority=100, assignee="ann")
    add(alice, "bare", priority=50)
    add(alice, "a", labels=["a"], priority=40)
    add(alice, "a b", labels=["a", "b"], description="Die Hälfte")
    add(alice, "not offered", labels=["c"], assignee="carl")
    answer = ask(alice, **{"holder": "h", **wanted})
    assert (answer.json()["task"]["title"] if answer.status_code == 200 else None) == expected


def test_a_named_task_may_be_assigned_to_anybody(alice: Person) -> None:
    assert acquire(alice, add(alice, assignee="ann"), "bert")["holder"] == "bert"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "holder"),
        ({"holder": ""}, "holder"),
        ({"holder": " "}, "holder"),
        ({"holder": "x" * 201}, "holder"),
        ({"holder": None}, "holder"),
        ({"holder": 7}, "holder"),
        ({"holder": "h", "ttl_seconds": 0}, "ttl_seconds"),
        ({"holder": "h", "ttl_seconds": 3601}, "ttl_seconds"),
        ({"holder": "h", "ttl_seconds": "60"}, "ttl_seconds"),
        ({"holder": "h", "ttl_seconds": None}, "ttl_seconds"),
        ({"holder": "h", "task_id": "x"}, "task_id"),
        ({"holder": "h", "task_id": None}, "task_id"),
        ({"holder": "h", "labels": "a"}, "labels"),
        ({"holder": "h", "labels": [""]}, "labels"),
        ({"holder": "h", "assignee": None}, "assignee"),
        ({"holder": "h", "q": ""}, "q"),
        ({"holder": "h", "task_id": str(uuid.uuid4()), "labels": ["a"]}, "task_id"),
        ({"holder": "h", "task_id": str(uuid.uuid4()), "q": "a"}, "task_id"),
        ({"holder": "h", "token": 1}, "token"),
        ({"holder": "h", "status": "todo"}, "status"),
    ],
)
def test_a_fault_is_named_by_its_field(alice: Person, body: dict[str, Any], field: str) -> None:
    add(alice)
    answer = send(alice.client, "POST", f"{LEASES}/acquire", body)
    assert list(refused(answer, 422, "validation_error")["details"]) == [field]
    assert not TaskLease.objects.exists()


def test_an_idempotency_key_takes_once(alice: Person) -> None:
    add(alice)
    add(alice)
    key = {"Idempotency-Key": "k"}
    one, two = (send(alice.client, "POST", f"{LEASES}/acquire", {"holder": "h"}, **key) for _ in range(2))
    assert (one.content, one["ETag"], one["Location"]) == (two.content, two["ETag"], two["Location"])
    assert (TaskLease.objects.count(), two["Idempotent-Replayed"]) == (1, "true")


def test_nothing_is_replayed_as_nothing(alice: Person) -> None:
    for _ in range(2):
        answer = send(alice.client, "POST", f"{LEASES}/acquire", {"holder": "h"}, **{"Idempotency-Key": "k"})
        assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Idempotent-Replayed"] == "true"


def test_the_next_lease_has_the_next_token(alice: Person) -> None:
    task = add(alice)
    for token in (1, 2, 3):
        lease = acquire(alice, task)
        assert (lease["token"], lease["task"]["attempts"]) == (token, 1)
        assert act(alice, "release", lease).status_code == 200


def test_another_orgs_work_is_not_there(alice: Person, mallory: Person) -> None:
    task = add(alice)
    assert ask(mallory).status_code == 204
    foreign, nowhere = (ask(mallory, task_id=found) for found in (task["id"], str(uuid.uuid4())))
    errors = [refused(answer, 404, "not_found") for answer in (foreign, nowhere)]
    assert errors[0]["message"] == errors[1]["message"]
    with pytest.raises(NotFound):
        services.acquire_lease(actor=mallory.actor, holder="h", task_id=uuid.UUID(task["id"]))
    assert read(alice, task)["version"] == 1


def test_a_viewer_takes_nothing(alice: Person, carol: Person) -> None:
    task = add(alice)
    refused(ask(carol), 403, "permission_denied")
    with pytest.raises(PermissionDenied):
        services.acquire_lease(actor=carol.actor, holder="h", task_id=uuid.UUID(task["id"]))


def test_a_held_task_stays_in_the_list_of_tasks(alice: Person) -> None:
    task = add(alice)
    before = alice.client.get(TASKS)["ETag"]
    acquire(alice, task)
    again = alice.client.get(TASKS, headers={"If-None-Match": before})
    assert [item["status"] for item in again.json()["items"]] == ["in_progress"]
