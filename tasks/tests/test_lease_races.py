"""Many holders and sweepers at once, each on a connection of its own."""

import random
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from conftest import Person
from orchestrator.core import clock
from orchestrator.core.errors import Conflict, LeaseHeld, OrchestratorError
from orchestrator.events.models import Event
from tasks import services
from tasks.models import Task, TaskLease
from tasks.services import leases
from tasks.tests.calls import acquire, act, add, ask, of, send
from tasks.tests.test_races import caller, race

pytestmark = pytest.mark.django_db(transaction=True)


def fill(person: Person, count: int, **fields: Any) -> None:
    Task.objects.bulk_create(Task(org=person.org, title=f"T{n}", created_by="test", **fields) for n in range(count))


def drained(person: Person, holder: str) -> list[Any]:
    """The tasks that a holder takes and completes until there are none."""
    found = []
    while lease := services.acquire_lease(actor=person.actor, holder=holder):
        services.complete_lease(actor=person.actor, lease_id=lease.id, token=lease.token)
        found.append(lease.task_id)
    return found


def test_twenty_holders_drain_the_queue_and_no_task_goes_twice(alice: Person) -> None:
    fill(alice, 100)
    found = race([lambda n=n: drained(alice, f"h{n}") for n in range(20)])  # type: ignore[misc]
    ids = [task_id for ids in found for task_id in ids]
    # On PostgreSQL a holder may find every row that is left in other hands and go; those that hold them come again.
    assert (len(ids), len(set(ids))) == (100, 100)
    assert set(Task.objects.values_list("status", "attempts", "lease_token", "version")) == {("review", 1, 1, 3)}
    assert not TaskLease.objects.active().exists()
    assert Counter(Event.objects.filter(kind="leases").values_list("event", flat=True)) == {
        "lease_acquired": 100, "lease_completed": 100,
    }  # fmt: skip


def test_of_twenty_who_want_one_task_one_gets_it(alice: Person) -> None:
    task = add(alice)
    body = {"task_id": task["id"], "holder": "h"}
    answers = race([caller(alice, "POST", "/api/v1/collab/leases/acquire", body) for _ in range(20)])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {"lease_held"}


def test_of_twenty_who_want_the_last_one_gets_it(alice: Person) -> None:
    add(alice)
    answers = race([caller(alice, "POST", "/api/v1/collab/leases/acquire", {"holder": "h"}) for _ in range(20)])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 204: 19}


def test_ten_sweepers_and_a_late_holder(alice: Person) -> None:
    fill(alice, 30)
    late = [services.acquire_lease(actor=alice.actor, holder="late", ttl_seconds=1) for _ in range(30)]
    then = clock.now() + timedelta(seconds=2)
    TaskLease.objects.update(expires_at=clock.now())

    def complete() -> int:
        refused = 0
        for lease in late:
            assert lease is not None
            with pytest.raises(Conflict):
                services.complete_lease(actor=alice.actor, lease_id=lease.id, token=lease.token)
            refused += 1
        return refused

    *swept, refused = race([*[lambda: services.reclaim_expired(now=then)] * 10, complete])
    while more := services.reclaim_expired(now=then):  # what was locked by the late one when all came by
        swept.append(more)
    assert (sum(swept), refused) == (30, 30)
    assert set(Task.objects.values_list("status", "attempts", "version")) == {("todo", 1, 3)}
    assert Event.objects.filter(event="lease_reclaimed").count() == 30
    assert not Event.objects.filter(event="lease_completed").exists()


@pytest.mark.parametrize("attempt", range(5))
def test_of_a_holder_a_person_and_a_sweeper_one_ends_the_lease(alice: Person, attempt: int) -> None:
    task = add(alice)
    lease = acquire(alice, task, ttl_seconds=60)
    long_after = clock.now() + timedelta(seconds=61)  # a sweeper whose clock is ahead
    race(
        [
            lambda: act(alice, "complete", lease),
            lambda: act(alice, "heartbeat", lease, ttl_seconds=30),
            caller(alice, "POST", f"{of(task)}/transition", {"status": "cancelled"}),
            lambda: services.reclaim_expired(now=long_after),
            lambda: ask(alice, task_id=task["id"]),
        ]
    )
    ends = Event.objects.filter(kind="leases").exclude(event="lease_acquired").order_by("seq")
    first = [event for event in ends if event.target == f"lease:{lease['lease_id']}"]
    assert len(first) == 1
    assert TaskLease.objects.get(pk=lease["lease_id"]).outcome == first[0].event.removeprefix("lease_")
    consistent()


def test_a_storm(alice: Person) -> None:
    """Holders that complete, fail, release, sleep past their time, and people who move what is leased."""
    fill(alice, 40, max_attempts=100)
    stop = threading.Event()

    def hold(seed: int) -> int:
        dice, completed = random.Random(seed), 0
        while not stop.is_set():
            lease = services.acquire_lease(actor=alice.actor, holder=f"h{seed}")
            if lease is None:
                if not Task.objects.exclude(status="review").exists():
                    stop.set()
                continue
            named = {"actor": alice.actor, "lease_id": lease.id, "token": lease.token}
            try:
                match dice.choice("cccfrhs"):
                    case "c":
                        services.complete_lease(**named)
                        completed += 1
                    case "f":
                        services.fail_lease(**named, error="x")
                    case "r":
                        services.release_lease(**named)
                    case "h":
                        services.heartbeat_lease(**named)
                        services.complete_lease(**named)
                        completed += 1
                    case "s":
                        TaskLease.objects.filter(pk=lease.pk).update(expires_at=clock.now())
            except Conflict:
                pass
        return completed

    def meddle() -> None:
        dice = random.Random(0)
        ids = list(Task.objects.values_list("pk", flat=True))
        for task_id in dice.choices(ids, k=30):
            try:
                services.transition_task(actor=alice.actor, task_id=task_id, to="todo")
            except OrchestratorError:
                continue

    def sweep() -> None:
        while not stop.wait(0.01):
            leases.sweep()

    found = race([*[lambda n=n: hold(n) for n in range(8)], meddle, sweep, sweep])  # type: ignore[misc]
    assert sum(found[:8]) == 40
    assert Event.objects.filter(event="lease_completed").values("details__task_id").distinct().count() == 40
    assert not TaskLease.objects.active().exists()
    consistent()


def consistent() -> None:
    """Every lease was acquired once and ended at most once; what is active is in progress, under the last token."""
    for lease in TaskLease.objects.select_related("task"):
        told = list(Event.objects.filter(target=f"lease:{lease.pk}").order_by("seq").values_list("event", flat=True))
        assert told == ["lease_acquired", *([f"lease_{lease.outcome}"] if lease.outcome else [])]
        if lease.ended_at is None:
            assert (lease.task.status, lease.task.lease_token) == ("in_progress", lease.token)


def test_a_dependency_that_is_added_meanwhile_counts(alice: Person) -> None:
    """Either the claim comes first, or the dependency does and nothing is claimed."""
    for _ in range(5):
        first = add(alice, assignee="nobody here")
        task = add(alice)
        added, claimed = race(
            [
                caller(alice, "PATCH", of(task), {"depends_on": [first["id"]]}, "*"),
                caller(alice, "POST", "/api/v1/collab/leases/acquire", {"holder": "h"}),
            ]
        )
        assert added.status_code == 200
        if claimed.status_code == 200:
            versions = {added.json()["version"]: "added", claimed.json()["task"]["version"]: "claimed"}
            assert versions == {2: "claimed", 3: "added"}
        Task.objects.filter(pk=task["id"]).update(status="done")


def test_a_task_is_not_deleted_while_it_is_taken(alice: Person) -> None:
    for _ in range(5):
        task = add(alice)
        deleted, claimed = race(
            [caller(alice, "DELETE", of(task), None, "*"), lambda: claim(alice, task)]  # noqa: B023
        )
        assert (deleted.status_code, claimed) in {(204, "gone"), (409, "held")}
        if claimed == "held":
            send(alice.client, "POST", f"{of(task)}/transition", {"status": "cancelled"})


def claim(person: Person, task: Any) -> str:
    try:
        services.acquire_lease(actor=person.actor, holder="h", task_id=task["id"])
    except LeaseHeld:
        raise
    except OrchestratorError:
        return "gone"
    return "held"
