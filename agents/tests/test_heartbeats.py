"""The proof of life: cheap while it is young, lost in silence, found again."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.test import Client

from agents.models import RuntimeAgent, SystemLog
from agents.services import instances
from agents.tests.calls import RUNTIME, items, moved, race, read, refused, register, send, statements
from conftest import Person
from orchestrator.core import sweeps
from orchestrator.events.models import Event

TIMEOUT = 60


@pytest.fixture
def clock(settings: LazySettings) -> Iterator[Any]:
    """A clock that stands still until it is shifted."""
    settings.AGENT_TIMEOUT_SECONDS = TIMEOUT
    with time_machine.travel(datetime.now(UTC), tick=False) as stopped:
        yield stopped


def beat(person: Person, agent: Any) -> Any:
    return send(person.client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat")


def status_of(person: Person, agent: Any) -> str:
    return str(read(person, f"{RUNTIME}/{agent['id']}")["status"])


def writes(found: list[str]) -> list[str]:
    return [sql for sql in found if sql.startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_heartbeat_says_where_the_agent_stands(clock: Any, alice: Person) -> None:
    agent = register(alice)
    answer = beat(alice, agent)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "initializing", "last_heartbeat_at": agent["created_at"], "timeout_seconds": TIMEOUT,
    }  # fmt: skip


def test_within_the_window_nothing_is_written_and_behind_it_one_small_row(clock: Any, alice: Person) -> None:
    agent = register(alice)
    first = statements(lambda: beat(alice, agent))
    clock.shift(TIMEOUT / 6)
    assert len(statements(lambda: beat(alice, agent))) == len(first)
    assert not writes(first)
    clock.shift(1)
    [written] = writes(statements(lambda: beat(alice, agent)))
    assert written.startswith('UPDATE "agents_runtimeagent" SET "last_heartbeat_at"')
    assert not writes(statements(lambda: beat(alice, agent)))
    assert Event.objects.filter(kind="runtime_agents").count() == 1, "The registration alone."


def test_silence_makes_it_lost_once_and_says_so(clock: Any, alice: Person) -> None:
    agent, loud = moved(alice, register(alice), "idle", "executing"), register(alice)
    clock.shift(TIMEOUT - 1)
    beat(alice, loud)
    clock.shift(1)
    assert instances.lose_silent() == 0, "Not past it yet."
    clock.shift(1)
    assert (instances.lose_silent(), instances.lose_silent()) == (1, 0)
    assert (status_of(alice, agent), status_of(alice, loud)) == ("lost", "initializing")
    event = Event.objects.filter(event="agent_status_changed").latest("seq")
    assert event.actor == "system"
    assert event.details["old_status"] == "executing"
    assert event.details["reason"] == f"no heartbeat for {TIMEOUT} seconds"
    log = SystemLog.objects.get()
    assert (log.component, log.level, log.org_id) == ("sweeper", 2, alice.org.pk)
    assert log.details == {"agent_id": agent["id"], "session_id": "s1", "was": "executing"}


@pytest.mark.parametrize("before", ["initializing", "idle", "planning", "executing", "reviewing"])
def test_a_heartbeat_brings_it_back_to_where_it_was(clock: Any, alice: Person, before: str) -> None:
    agent = register(alice)
    RuntimeAgent.objects.filter(pk=agent["id"]).update(status=before)
    clock.shift(TIMEOUT + 1)
    instances.lose_silent()
    assert beat(alice, agent).json()["status"] == before
    assert instances.lose_silent() == 0, "The heartbeat counts."
    event = Event.objects.filter(event="agent_status_changed").latest("seq")
    assert (event.details["old_status"], event.details["new_status"]) == ("lost", before)
    assert event.actor == str(alice.actor)


def test_a_change_of_status_is_a_sign_of_life(clock: Any, alice: Person) -> None:
    agent = register(alice)
    clock.shift(TIMEOUT - 1)
    moved(alice, agent, "idle")
    clock.shift(TIMEOUT - 1)
    assert instances.lose_silent() == 0


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_one_that_has_ended_has_no_heartbeat_and_is_never_lost(clock: Any, alice: Person, end: str) -> None:
    agent = moved(alice, register(alice), "idle", end)
    told = refused(beat(alice, agent), 409, "conflict")
    assert end in told["message"]
    clock.shift(TIMEOUT * 10)
    assert instances.lose_silent() == 0


def test_one_that_was_lost_or_ended_under_the_heartbeat(
    clock: Any, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the heartbeat's look and its write."""
    agent = register(alice)
    clock.shift(TIMEOUT - 1)
    live = type(RuntimeAgent.objects.all()).live

    def lost_meanwhile(rows: Any) -> Any:
        monkeypatch.undo()
        instances.mark_lost(actor=alice.actor, instance_id=uuid.UUID(agent["id"]))
        return live(rows)

    monkeypatch.setattr(type(RuntimeAgent.objects.all()), "live", lost_meanwhile)
    assert instances.heartbeat(actor=alice.actor, instance_id=uuid.UUID(agent["id"])).status == "initializing"
    assert status_of(alice, agent) == "initializing"


def test_the_sweep_is_registered_and_bounded(clock: Any, alice: Person) -> None:
    agents = [register(alice) for _ in range(3)]
    clock.shift(TIMEOUT + 1)
    assert instances.lose_silent(limit=2) == 2
    assert [status_of(alice, agent) for agent in agents].count("lost") == 2
    sweeps.run()
    assert [status_of(alice, agent) for agent in agents] == ["lost"] * 3


@pytest.mark.django_db(transaction=True)
def test_ten_sweepers_lose_each_agent_once(clock: Any, alice: Person) -> None:
    for _ in range(5):
        register(alice)
    clock.shift(TIMEOUT + 1)
    assert sum(race([instances.lose_silent] * 10)) == 5
    assert Event.objects.filter(event="agent_status_changed").count() == SystemLog.objects.count() == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_a_heartbeat_and_the_sweeper_leave_it_alive(clock: Any, alice: Person, attempt: int) -> None:
    agent = register(alice)
    clock.shift(TIMEOUT + 1)

    def call() -> int:
        client = Client(headers={"Authorization": f"Bearer {alice.access_token}"})
        return int(send(client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat").status_code)

    assert race([call, call, instances.lose_silent, call])[0] == 200
    beat(alice, agent)
    assert status_of(alice, agent) == "initializing"
    assert instances.lose_silent() == 0


def test_operators_may_say_that_it_is_lost_and_members_may_not(alice: Person, bob: Person) -> None:
    agent = register(alice)
    with pytest.raises(Exception, match="scope 'admin'"):
        instances.mark_lost(actor=bob.actor, instance_id=uuid.UUID(agent["id"]))
    instances.mark_lost(actor=alice.actor, instance_id=uuid.UUID(agent["id"]))
    assert items(alice.client.get(f"{RUNTIME}?status=lost"))[0]["id"] == agent["id"]
