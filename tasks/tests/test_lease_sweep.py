"""What nobody renewed comes back into the queue."""

from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.core import clock, sweeps
from orchestrator.events.models import Event
from tasks import services
from tasks.models import Task, TaskLease
from tasks.services import leases
from tasks.tests.calls import acquire, act, add, ask, read, refused


@pytest.fixture
def no_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_sweeps", [])


def in_seconds(seconds: float) -> time_machine.travel:
    return time_machine.travel(clock.now() + timedelta(seconds=seconds), tick=False)


def test_a_lease_that_ran_out_is_reclaimed_and_its_task_goes_back(alice: Person, mallory: Person) -> None:
    task, hers, other = add(alice, labels=["x"]), add(mallory), add(alice)
    late = acquire(alice, task, ttl_seconds=5)
    acquire(mallory, hers, ttl_seconds=5)
    acquire(alice, other, "long", ttl_seconds=60)
    with in_seconds(10):
        assert services.reclaim_expired(now=clock.now()) == 2
        assert services.reclaim_expired(now=clock.now()) == 0
        refused(act(alice, "complete", late), 409, "conflict")
    now = read(alice, task)
    assert (now["status"], now["attempts"], now["version"]) == ("todo", 1, 3)
    assert read(mallory, hers)["status"] == "todo"
    assert read(alice, other)["status"] == "in_progress"
    reclaimed = Event.objects.filter(event="lease_reclaimed").order_by("seq")
    assert {(event.org_id, event.actor) for event in reclaimed} == {
        (alice.org.pk, "system"), (mallory.org.pk, "system"),
    }  # fmt: skip
    moved = Event.objects.get(event="task_transitioned", actor="system", org_id=alice.org.pk)
    assert moved.details == {"from": "in_progress", "to": "todo", "lease_id": late["lease_id"], "version": 3}
    [told] = alice.client.get("/api/v1/runtime/system-logs?component=sweeper").json()["items"]
    assert (told["level"], told["details"]) == ("WARNING", {"task_id": task["id"]})


def test_it_is_not_reclaimed_before_its_time(alice: Person) -> None:
    lease = acquire(alice, add(alice), ttl_seconds=5)
    until = TaskLease.objects.get().expires_at
    assert services.reclaim_expired(now=until - timedelta(microseconds=1)) == 0
    act(alice, "heartbeat", lease, ttl_seconds=60)
    assert services.reclaim_expired(now=until) == 0
    assert services.reclaim_expired(now=until + timedelta(seconds=60)) == 1


def test_one_that_was_renewed_after_it_was_found_stays(alice: Person) -> None:
    lease = acquire(alice, add(alice), ttl_seconds=5)
    found = TaskLease.objects.get()
    act(alice, "heartbeat", lease, ttl_seconds=60)
    assert not leases.reclaim_lease(found, found.expires_at)
    assert Task.objects.get().status == "in_progress"


def test_a_task_that_nobody_survives_is_parked(alice: Person) -> None:
    task = add(alice, max_attempts=2)
    for status in ("todo", "blocked"):
        acquire(alice, task, ttl_seconds=1)
        with in_seconds(2):
            assert services.reclaim_expired(now=clock.now()) == 1
        assert read(alice, task)["status"] == status
    assert ask(alice).status_code == 204


def test_a_batch_is_bounded_and_the_oldest_go_first(alice: Person) -> None:
    for ttl in (30, 10, 20):
        acquire(alice, add(alice), f"of {ttl}", ttl_seconds=ttl)
    with in_seconds(40):
        assert services.reclaim_expired(now=clock.now(), limit=2) == 2
    assert TaskLease.objects.active().get().holder == "of 30"


def test_a_sweep_reclaims_all(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        acquire(alice, add(alice), ttl_seconds=1)
    monkeypatch.setattr(leases, "BATCH", 2)
    with in_seconds(2):
        sweeps.run()
    assert not TaskLease.objects.active().exists()


def test_a_task_that_was_moved_behind_our_back_stays_where_it_is(alice: Person) -> None:
    task = add(alice)
    acquire(alice, task, ttl_seconds=1)
    Task.objects.update(status="done")
    with in_seconds(2):
        assert services.reclaim_expired(now=clock.now()) == 1
    assert (read(alice, task)["status"], TaskLease.objects.get().outcome) == ("done", "reclaimed")


def test_a_claim_does_not_wait_for_the_sweeper(alice: Person) -> None:
    for _ in range(3):
        acquire(alice, add(alice), ttl_seconds=1)
    with in_seconds(2):
        lease = acquire(alice)
        assert lease["token"] == 2
    assert sorted(TaskLease.objects.values_list("outcome", flat=True)) == ["", "reclaimed", "reclaimed", "reclaimed"]


def test_a_sweep_that_finds_nothing_asks_once(alice: Person) -> None:
    acquire(alice, add(alice))
    with CaptureQueriesContext(connection) as captured:
        leases.sweep()
    assert len(captured) == 1


def test_a_sweep_that_fails_is_logged_and_keeps_nobody_from_the_next(
    no_sweeps: None, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    def fail() -> None:
        raise OperationalError("gone")

    sweeps.register(fail)
    first, second = (lambda: ran.append("first")), (lambda: ran.append("second"))
    for sweep in (first, second, first):
        sweeps.register(sweep)
    sweeps.run()
    assert ran == ["first", "second"]
    assert "A sweep failed" in caplog.text
