"""Who moves a leased task by the ordinary endpoints wins over its holder. And what the database itself keeps true."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from conftest import Person
from orchestrator.core import clock
from orchestrator.events.models import Event
from tasks import services
from tasks.models import Task, TaskLease
from tasks.tests.calls import acquire, act, add, of, read, refused, send


@pytest.mark.parametrize("status", ["todo", "review", "blocked", "cancelled"])
def test_moving_a_leased_task_ends_its_lease(alice: Person, bob: Person, status: str) -> None:
    task = add(alice)
    lease = acquire(bob, task)
    assert send(alice.client, "POST", f"{of(task)}/transition", {"status": status}).status_code == 200
    row = TaskLease.objects.get()
    assert (row.outcome, row.ended_at is not None) == ("superseded", True)
    last = list(Event.objects.filter(actor=f"user:{alice.user.pk}").order_by("seq"))[-2:]
    assert [(event.event, event.kind) for event in last] == [
        ("task_transitioned", "tasks"), ("lease_superseded", "leases"),
    ]  # fmt: skip
    assert last[1].details == {"task_id": task["id"], "holder": "h", "token": 1}
    for action, body in (("heartbeat", {}), ("complete", {}), ("release", {}), ("fail", {"error": "x"})):
        refused(act(bob, action, lease, **body), 409, "conflict")
    assert (read(alice, task)["status"], read(alice, task)["version"]) == (status, 3)


def test_a_refused_move_leaves_the_lease(alice: Person) -> None:
    task = add(alice)
    lease = acquire(alice, task)
    refused(send(alice.client, "POST", f"{of(task)}/transition", {"status": "done"}), 409, "invalid_transition")
    assert act(alice, "heartbeat", lease).status_code == 200


def test_writing_a_leased_task_leaves_the_lease(alice: Person) -> None:
    task = add(alice)
    lease = acquire(alice, task)
    assert send(alice.client, "PATCH", of(task), {"priority": 7, "labels": ["x"]}, if_match="*").status_code == 200
    assert act(alice, "complete", lease).status_code == 200
    assert (read(alice, task)["priority"], read(alice, task)["version"]) == (7, 4)


def test_a_leased_task_is_not_deleted(alice: Person) -> None:
    task = add(alice)
    lease = acquire(alice, task, "worker-1")
    error = refused(send(alice.client, "DELETE", of(task), if_match="*"), 409, "conflict")
    assert error["details"] == {"holder": "worker-1"}
    assert read(alice, task)["version"] == 2
    act(alice, "release", lease)
    assert send(alice.client, "DELETE", of(task), if_match="*").status_code == 204
    assert not TaskLease.objects.exists()


def test_a_task_that_somebody_works_on_by_hand_has_no_lease_to_end(alice: Person) -> None:
    task = add(alice)
    for status in ("in_progress", "todo"):
        send(alice.client, "POST", f"{of(task)}/transition", {"status": status})
    assert not Event.objects.filter(kind="leases").exists()


@transaction.atomic
def insert(task: Task, **fields: object) -> None:
    row = {"org_id": task.org_id, "task": task, "holder": "h", "token": 1, "ttl_seconds": 5,
           "expires_at": clock.now() + timedelta(seconds=5), "created_by": "test", **fields}  # fmt: skip
    TaskLease.objects.create(**row)
    connection.check_constraints()  # also those that wait for the commit


def refuses(task: Task, **fields: object) -> None:
    with pytest.raises(IntegrityError):
        insert(task, **fields)


def test_the_database_holds_the_rules(alice: Person, mallory: Person) -> None:
    task = services.create_task(actor=alice.actor, title="T")
    insert(task)
    refuses(task, token=2)
    refuses(task, ended_at=clock.now(), outcome="failed")
    refuses(task, token=2, outcome="failed")
    refuses(task, token=2, ended_at=clock.now())
    insert(task, token=2, ended_at=clock.now(), outcome="failed")
    for most in (0, 101):
        with pytest.raises(IntegrityError), transaction.atomic():
            Task.objects.update(max_attempts=most)


def test_a_lease_never_leaves_its_org(alice: Person, mallory: Person) -> None:
    task = services.create_task(actor=alice.actor, title="T")
    refuses(task, org_id=mallory.org.pk)
