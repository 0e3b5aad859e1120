"""``manage.py prune --kind leases``: what ended long ago goes; what is in hand, and the fence of its task, stay."""

from datetime import timedelta
from io import StringIO
from typing import Any

from django.core.management import call_command

from conftest import Person
from orchestrator.core import clock
from orchestrator.events.models import Event
from tasks.models import TaskLease
from tasks.tests.calls import LEASE_STATE, acquire, act, add


def prune(**options: Any) -> str:
    out = StringIO()
    call_command("prune", kind="leases", older_than_days=30, stdout=out, **options)
    return out.getvalue()


def test_old_leases_that_have_ended_go(alice: Person, mallory: Person) -> None:
    task = add(alice)
    for person, action in ((alice, "release"), (alice, "complete"), (mallory, "release")):
        if person is mallory:
            add(mallory)
        act(person, action, acquire(person))
    held, long = acquire(alice, add(alice)), acquire(alice, add(alice))
    old = clock.now() - timedelta(days=31)
    TaskLease.objects.exclude(pk=long["lease_id"]).update(acquired_at=old)
    TaskLease.objects.ended().update(ended_at=old)
    TaskLease.objects.filter(pk=long["lease_id"]).update(acquired_at=old)
    act(alice, "complete", long)
    before = alice.client.get(f"{LEASE_STATE}?active=any")
    assert len(before.json()["items"]) == 4
    assert prune(dry_run=True).endswith("Would remove: 3.\n")
    out = prune()
    assert "Removed leases of org-of-alice: 2.\n" in out
    assert out.endswith("Removed: 3.\n")
    left = alice.client.get(f"{LEASE_STATE}?active=any", headers={"If-None-Match": before["ETag"]})
    assert {item["id"] for item in left.json()["items"]} == {held["lease_id"], long["lease_id"]}
    event = Event.objects.get(event="leases_pruned", org=alice.org)
    assert (event.kind, event.details["removed"]) == ("leases", 2)
    assert task["id"] not in {item["task_id"] for item in left.json()["items"]}


def test_the_fencing_token_grows_on_over_what_was_pruned(alice: Person) -> None:
    task = add(alice)
    act(alice, "release", acquire(alice, task))
    TaskLease.objects.update(acquired_at=clock.now() - timedelta(days=31), ended_at=clock.now() - timedelta(days=31))
    prune()
    assert acquire(alice, task)["token"] == 2
