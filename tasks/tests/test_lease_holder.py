"""What the holder of a lease does with it, and what it may not do once the lease is not its own any more."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from conftest import Person
from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound, PermissionDenied
from orchestrator.events.models import Event
from tasks import services
from tasks.models import Task, TaskLease
from tasks.states import TRANSITIONS, Status
from tasks.tests.calls import LEASES, acquire, act, add, ask, of, read, refused, send

ACTS: list[tuple[str, dict[str, Any]]] = [
    ("heartbeat", {}),
    ("release", {}),
    ("complete", {}),
    ("fail", {"error": "Out of paper."}),
]
each_act = pytest.mark.parametrize(("action", "body"), ACTS, ids=[name for name, _ in ACTS])
ENDS = {"release": "released", "complete": "completed", "fail": "failed"}


def everything() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in (Task, TaskLease, Event)]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_heartbeat_keeps_the_lease_from_now_on(alice: Person) -> None:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        lease = acquire(alice, add(alice), ttl_seconds=60)
        began = moment(lease["expires_at"]) - timedelta(seconds=60)
        events = Event.objects.count()
        for after, body, until in ((30, {}, 90), (50, {"ttl_seconds": 10}, 60), (55, {}, 65), (64, {}, 74)):
            traveller.move_to(began + timedelta(seconds=after))
            answer = act(alice, "heartbeat", lease, **body)
            assert answer.status_code == 200, answer.content
            assert moment(answer.json()["expires_at"]) == began + timedelta(seconds=until)
            assert alice.client.get(f"{LEASES}/{lease['lease_id']}").content == answer.content
    assert Event.objects.count() == events
    assert Task.objects.get().version == 2


@pytest.mark.parametrize("status", Status.values)
def test_complete_moves_the_task_on_by_the_table(alice: Person, status: str) -> None:
    lease = acquire(alice, add(alice))
    before = everything()
    answer = act(alice, "complete", lease, status=status)
    if status in TRANSITIONS["in_progress"]:
        assert answer.status_code == 200
        assert (Task.objects.get().status, Task.objects.get().version) == (status, 3)
    else:
        error = refused(answer, 409, "invalid_transition")
        assert error["details"]["from"] == "in_progress"
        assert everything() == before


def test_complete_goes_to_review_and_keeps_the_result(alice: Person) -> None:
    lease = acquire(alice, add(alice))
    result = {"pages": 3, "ratio": 0.5, "notes": ["é", None]}
    answer = act(alice, "complete", lease, result=result)
    body = answer.json()
    assert (body["outcome"], body["result"], body["error"]) == ("completed", result, "")
    assert body["ended_at"] is not None
    assert alice.client.get(f"{LEASES}/{lease['lease_id']}").content == answer.content
    task = read(alice, lease["task"])
    assert (task["status"], task["attempts"]) == ("review", 1)


def test_release_gives_the_task_back_and_does_not_count(alice: Person) -> None:
    task = add(alice, max_attempts=1)
    for version in (3, 5):
        assert act(alice, "release", acquire(alice, task)).json()["outcome"] == "released"
        now = read(alice, task)
        assert (now["status"], now["attempts"], now["version"]) == ("todo", 0, version)


def test_fail_gives_the_task_back_and_counts_until_it_is_parked(alice: Person) -> None:
    task = add(alice, max_attempts=2)
    for attempts, status in ((1, "todo"), (2, "blocked")):
        body = act(alice, "fail", acquire(alice), error="Out of paper.").json()
        assert (body["outcome"], body["error"]) == ("failed", "Out of paper.")
        now = read(alice, task)
        assert (now["status"], now["attempts"]) == (status, attempts)
    assert ask(alice).status_code == 204


def test_who_moves_a_parked_task_back_gives_it_all_its_attempts(alice: Person) -> None:
    task = add(alice, max_attempts=1)
    act(alice, "fail", acquire(alice), error="x")
    assert send(alice.client, "POST", f"{of(task)}/transition", {"status": "todo"}).json()["attempts"] == 0
    assert acquire(alice)["task"]["attempts"] == 1


@pytest.mark.parametrize(
    ("action", "body", "events"),
    [
        ("release", {}, [("todo", "lease_released")]),
        ("complete", {}, [("review", "lease_completed")]),
        ("fail", {"error": "x"}, [("todo", "lease_failed")]),
    ],
)
def test_each_end_is_recorded_for_both_lists(
    alice: Person, bob: Person, action: str, body: dict[str, Any], events: list[tuple[str, str]]
) -> None:
    task = add(alice)
    lease = acquire(bob, task, "worker-1")
    act(bob, action, lease, **body)
    named = {"task_id": task["id"], "holder": "worker-1", "token": 1}
    [(to, end)] = events
    moved = {"lease_id": lease["lease_id"]}
    assert [
        (event.event, event.kind, event.target, event.details)
        for event in Event.objects.filter(actor=f"user:{bob.user.pk}").order_by("seq")
    ] == [
        ("task_transitioned", "tasks", f"task:{task['id']}",
         {**moved, "from": "todo", "to": "in_progress", "version": 2}),
        ("lease_acquired", "leases", f"lease:{lease['lease_id']}",
         {**named, "expires_at": lease["expires_at"], "attempt": 1}),
        ("task_transitioned", "tasks", f"task:{task['id']}",
         {**moved, "from": "in_progress", "to": to, "version": 3}),
        (end, "leases", f"lease:{lease['lease_id']}", named),
    ]  # fmt: skip


@each_act
@pytest.mark.parametrize("ended_by", sorted(ENDS))
def test_an_ended_lease_is_nobodys(alice: Person, action: str, body: dict[str, Any], ended_by: str) -> None:
    lease = acquire(alice, add(alice))
    act(alice, ended_by, lease, **dict(ACTS)[ended_by])
    before = everything()
    assert refused(act(alice, action, lease, **body), 409, "conflict")["message"] == "The lease is not yours any more."
    assert everything() == before


@each_act
@pytest.mark.parametrize("token", [2, 2**53 - 1])
def test_another_token_changes_nothing(alice: Person, action: str, body: dict[str, Any], token: int) -> None:
    lease = acquire(alice, add(alice))
    before = everything()
    refused(act(alice, action, {**lease, "token": token}, **body), 409, "conflict")
    assert everything() == before


@each_act
def test_a_lease_that_has_run_out_is_lost_at_that_moment(alice: Person, action: str, body: dict[str, Any]) -> None:
    """Nobody has swept yet, and nobody else has taken it."""
    lease = acquire(alice, add(alice), ttl_seconds=5)
    before = everything()
    with time_machine.travel(moment(lease["expires_at"]), tick=False):
        refused(act(alice, action, lease, **body), 409, "conflict")
    assert everything() == before
    with time_machine.travel(moment(lease["expires_at"]) - timedelta(microseconds=1), tick=False):
        assert act(alice, action, lease, **body).status_code == 200


@each_act
@pytest.mark.parametrize("named", [True, False])
def test_who_slept_cannot_touch_what_another_took_over(
    alice: Person, bob: Person, action: str, body: dict[str, Any], named: bool
) -> None:
    task = add(alice)
    late = acquire(alice, task, "late", ttl_seconds=5)
    with time_machine.travel(moment(late["expires_at"]) + timedelta(seconds=1), tick=False):
        lease = acquire(bob, task if named else None, "quick")
        assert (lease["token"], lease["task"]["attempts"], lease["task"]["version"]) == (2, 2, 4)
        before = everything()
        refused(act(alice, action, late, **body), 409, "conflict")
        refused(act(alice, action, {**lease, "token": 1}, **body), 409, "conflict")
        assert everything() == before
        assert act(bob, "complete", lease).status_code == 200
    names = list(Event.objects.filter(kind="leases").order_by("seq").values_list("event", "actor"))
    assert names == [
        ("lease_acquired", f"user:{alice.user.pk}"),
        ("lease_reclaimed", "system"),
        ("lease_acquired", f"user:{bob.user.pk}"),
        ("lease_completed", f"user:{bob.user.pk}"),
    ]


def test_a_lease_that_ran_out_on_the_last_attempt_parks_the_task(alice: Person) -> None:
    task = add(alice, max_attempts=1)
    lease = acquire(alice, task, ttl_seconds=5)
    with time_machine.travel(moment(lease["expires_at"]), tick=False):
        assert ask(alice).status_code == 204
        assert read(alice, task)["status"] == "blocked"
        assert "blocked" in refused(ask(alice, task_id=task["id"]), 409, "conflict")["message"]


@each_act
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"token": None}, "token"),
        ({"token": "1"}, "token"),
        ({"token": 0}, "token"),
        ({"token": 1.0}, "token"),
        ({"token": True}, "token"),
        ({"holder": "h"}, "holder"),
    ],
)
def test_a_fault_is_named_by_its_field(
    alice: Person, action: str, body: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    lease = acquire(alice, add(alice))
    before = everything()
    answer = act(alice, action, lease, **{**body, **change})
    assert list(refused(answer, 422, "validation_error")["details"]) == [field]
    assert everything() == before


@pytest.mark.parametrize(
    ("action", "change", "field"),
    [
        ("heartbeat", {"ttl_seconds": 0}, "ttl_seconds"),
        ("heartbeat", {"ttl_seconds": 3601}, "ttl_seconds"),
        ("heartbeat", {"ttl_seconds": None}, "ttl_seconds"),
        ("complete", {"status": "banana"}, "status"),
        ("complete", {"result": [1]}, "result"),
        ("complete", {"result": {"text": "x" * 100_000}}, "result"),
        ("complete", {"result": {"big": 4e16}}, "message"),
        ("fail", {}, "error"),
        ("fail", {"error": ""}, "error"),
        ("fail", {"error": "x" * 10_001}, "error"),
        ("release", {"error": "x"}, "error"),
    ],
)
def test_what_each_call_takes(alice: Person, action: str, change: dict[str, Any], field: str) -> None:
    lease = acquire(alice, add(alice))
    before = everything()
    error = refused(act(alice, action, lease, **change), 422, "validation_error")
    assert field in error.get("details", error)
    assert everything() == before


@pytest.mark.parametrize("action", sorted(ENDS))
def test_an_idempotency_key_lets_a_holder_ask_again(alice: Person, action: str) -> None:
    lease = acquire(alice, add(alice))
    path, body = f"{LEASES}/{lease['lease_id']}/{action}", {"token": 1, **dict(ACTS)[action]}
    one, two = (send(alice.client, "POST", path, body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (one.status_code, one.content, one["ETag"]) == (two.status_code, two.content, two["ETag"])
    assert two["Idempotent-Replayed"] == "true"


@each_act
def test_another_orgs_lease_is_not_there(
    alice: Person, mallory: Person, carol: Person, action: str, body: dict[str, Any]
) -> None:
    lease = acquire(alice, add(alice))
    before = everything()
    foreign = act(mallory, action, lease, **body)
    nowhere = act(mallory, action, {**lease, "lease_id": str(uuid.uuid4())}, **body)
    errors = [refused(answer, 404, "not_found") for answer in (foreign, nowhere)]
    assert errors[0]["message"] == errors[1]["message"]
    refused(act(mallory, action, {**lease, "lease_id": "x"}, **body), 404, "not_found")
    refused(act(carol, action, lease, **body), 403, "permission_denied")
    refused(mallory.client.get(f"{LEASES}/{lease['lease_id']}"), 404, "not_found")
    assert everything() == before


def test_the_services_know_the_org_and_the_scope_too(alice: Person, mallory: Person, carol: Person) -> None:
    lease = acquire(alice, add(alice))
    lease_id = uuid.UUID(lease["lease_id"])
    calls: list[Callable[..., Any]] = [
        lambda actor: services.heartbeat_lease(actor=actor, lease_id=lease_id, token=1),
        lambda actor: services.release_lease(actor=actor, lease_id=lease_id, token=1),
        lambda actor: services.complete_lease(actor=actor, lease_id=lease_id, token=1),
        lambda actor: services.fail_lease(actor=actor, lease_id=lease_id, token=1, error="x"),
        lambda actor: services.revoke_lease(actor=actor, lease_id=lease_id),
    ]
    before = everything()
    for call in calls:
        with pytest.raises(NotFound):
            call(mallory.actor)
        with pytest.raises(PermissionDenied):
            call(carol.actor)
    assert everything() == before


def test_a_lease_is_revoked_once(alice: Person) -> None:
    lease = acquire(alice, add(alice))
    lease_id = uuid.UUID(lease["lease_id"])
    assert services.revoke_lease(actor=alice.actor, lease_id=lease_id).outcome == "superseded"
    assert (Task.objects.get().status, Task.objects.get().attempts) == ("todo", 0)
    before = everything()
    with pytest.raises(Conflict):
        services.revoke_lease(actor=alice.actor, lease_id=lease_id)
    refused(act(alice, "complete", lease), 409, "conflict")
    assert everything() == before
