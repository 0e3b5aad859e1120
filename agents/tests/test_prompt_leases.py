"""Prompts in an agent's hands: kept by signs of life, answered once, taken back when nobody is there any more."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings

from agents.models import Prompt, RuntimeAgent, SystemLog
from agents.services import instances, prompt_leases, prompts
from agents.tests.calls import PROMPTS, RUNTIME, ask, items, moved, read, refused, register, send, statements
from conftest import Person
from orchestrator.core import clock as real_clock, sweeps
from orchestrator.core.errors import Conflict
from orchestrator.events.models import Event

TTL = 30
Told = list[tuple[str, str, bool]]


@pytest.fixture
def clock(settings: LazySettings) -> Iterator[Any]:
    """A clock that stands still until it is shifted."""
    settings.AGENT_TIMEOUT_SECONDS = 10_000
    with time_machine.travel(datetime.now(UTC), tick=False) as stopped:
        yield stopped


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What a listener heard: source, status, lapsed."""
    heard: Told = []
    monkeypatch.setattr(prompts, "_listeners", [])
    prompts.on_end(lambda prompt, lapsed: heard.append((prompt.source, str(prompt.status), lapsed)))
    return heard


def handed(person: Person, agent: Any, *, ttl: int = TTL, source: str = "test:1", text: str = "Go.") -> Prompt:
    return prompts.hand_out(
        actor=person.actor, instance_id=uuid.UUID(agent["id"]), prompt_type="command", prompt_text=text,
        ttl_seconds=ttl, source=source,
    )  # fmt: skip


def answer(person: Person, prompt: Prompt, **fields: Any) -> Any:
    return send(person.client, "PATCH", f"{PROMPTS}/{prompt.id}", fields)


def beat(person: Person, prompt: Prompt, **body: Any) -> Any:
    return send(person.client, "POST", f"{PROMPTS}/{prompt.id}/heartbeat", body)


def expiry(prompt: Prompt) -> float:
    """Seconds from now."""
    prompt.refresh_from_db()
    assert prompt.lease_expires_at is not None
    return (prompt.lease_expires_at - real_clock.now()).total_seconds()


# --- in hand ---------------------------------------------------------------------------------------------------------


def test_it_says_that_it_is_leased_and_what_waits_for_it(clock: Any, alice: Person) -> None:
    prompt = handed(alice, register(alice))
    shown = read(alice, f"{PROMPTS}/{prompt.id}")
    assert (shown["status"], shown["source"]) == ("pending", "test:1")
    assert expiry(prompt) == TTL
    event = Event.objects.get(event="prompt_created")
    assert event.details["source"] == "test:1"


def test_a_heartbeat_keeps_it_by_one_small_write_and_no_event(clock: Any, alice: Person) -> None:
    prompt = handed(alice, register(alice))
    clock.shift(TTL - 1)
    events = Event.objects.count()
    kept = beat(alice, prompt)
    assert (kept.status_code, expiry(prompt)) == (200, TTL)
    assert kept.json() == read(alice, f"{PROMPTS}/{prompt.id}")
    assert kept.json()["version"] == 1
    written = [sql for sql in statements(lambda: beat(alice, prompt)) if sql.startswith(("INSERT", "UPDATE"))]
    assert len(written) == 1
    assert Event.objects.count() == events
    beat(alice, prompt, ttl_seconds=100)
    clock.shift(50)
    beat(alice, prompt)
    assert expiry(prompt) == 100, "As long as the last time."


def test_an_answer_in_parts_keeps_it_too(clock: Any, alice: Person, told: Told) -> None:
    prompt = handed(alice, register(alice))
    clock.shift(TTL - 1)
    assert answer(alice, prompt, status="streaming", response_text="On").status_code == 200
    assert expiry(prompt) == TTL
    assert told == []


def test_the_list_shows_a_renewal_though_it_is_no_event(clock: Any, alice: Person) -> None:
    prompt = handed(alice, register(alice))
    first = alice.client.get(PROMPTS)
    clock.shift(1)
    beat(alice, prompt, ttl_seconds=5)
    second = alice.client.get(PROMPTS, headers={"If-None-Match": first["ETag"]})
    assert items(second) == [read(alice, f"{PROMPTS}/{prompt.id}")]


@pytest.mark.parametrize("seconds", [0, -1, 3601, "5", 1.5, True])
def test_a_senseless_renewal(alice: Person, seconds: Any) -> None:
    prompt = handed(alice, register(alice))
    told = refused(beat(alice, prompt, ttl_seconds=seconds), 422, "validation_error")
    assert list(told["details"]) == ["ttl_seconds"]


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_its_end_is_told_once_and_ends_the_lease(clock: Any, alice: Person, told: Told, end: str) -> None:
    prompt = handed(alice, register(alice))
    last = {"status": end, "response_text": "yes", "input_tokens": 3}
    done = answer(alice, prompt, **last)
    assert (done.status_code, done.json()["lease_expires_at"]) == (200, None)
    assert told == [("test:1", end, False)]
    assert answer(alice, prompt, **last).content == done.content
    assert told == [("test:1", end, False)], "The same answer again is not heard."
    assert end in refused(beat(alice, prompt), 409, "conflict")["message"]
    clock.shift(TTL * 2)
    assert prompt_leases.sweep() == 0


def test_a_prompt_that_was_asked_by_hand_has_no_lease_and_is_nobodys_to_hear(alice: Person, told: Told) -> None:
    asked = ask(alice, register(alice))
    assert (asked["source"], asked["lease_expires_at"]) == ("", None)
    refusal = refused(send(alice.client, "POST", f"{PROMPTS}/{asked['id']}/heartbeat", {}), 409, "conflict")
    assert "no lease" in refusal["message"]
    assert send(alice.client, "PATCH", f"{PROMPTS}/{asked['id']}", {"status": "completed"}).status_code == 200
    assert told == []


def test_a_listener_may_refuse_the_answer(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = register(alice)
    prompt = handed(alice, agent)

    def refuse(prompt: Prompt, lapsed: bool) -> None:
        raise Conflict("Nobody waits for this.")

    monkeypatch.setattr(prompts, "_listeners", [refuse])
    before = read(alice, f"{PROMPTS}/{prompt.id}")
    refusal = refused(answer(alice, prompt, status="completed", input_tokens=9), 409, "conflict")
    assert refusal["message"] == "Nobody waits for this."
    assert read(alice, f"{PROMPTS}/{prompt.id}") == before
    assert read(alice, f"{RUNTIME}/{agent['id']}")["input_tokens"] == 0
    assert not Event.objects.filter(event="prompt_answered").exists()


# --- taken back ------------------------------------------------------------------------------------------------------


def test_at_its_time_it_is_lost_to_the_agent_even_before_the_sweep(clock: Any, alice: Person, told: Told) -> None:
    prompt = handed(alice, register(alice))
    clock.shift(TTL)
    for late in (answer(alice, prompt, status="completed"), answer(alice, prompt, model="m"), beat(alice, prompt)):
        assert "run out" in refused(late, 409, "conflict")["message"]
    assert told == []


def test_what_nobody_renewed_lapses_once(clock: Any, alice: Person, told: Told) -> None:
    agent = register(alice)
    prompt, other = handed(alice, agent), handed(alice, agent, ttl=TTL + 1, source="test:2")
    clock.shift(TTL - 0.001)
    assert prompt_leases.sweep() == 0
    clock.shift(0.001)
    assert (prompt_leases.sweep(), prompt_leases.sweep()) == (1, 0)
    shown = read(alice, f"{PROMPTS}/{prompt.id}")
    assert (shown["status"], shown["error"], shown["version"]) == ("cancelled", "The lease ran out.", 2)
    assert (shown["lease_expires_at"], shown["completed_at"]) == (None, shown["updated_at"])
    assert told == [("test:1", "cancelled", True)]
    event = Event.objects.get(event="prompt_lapsed")
    assert (event.kind, event.actor, event.details["reason"]) == ("prompts", "system", "The lease ran out.")
    line = SystemLog.objects.get()
    assert (line.component, line.level) == ("sweeper", 2)
    assert line.details == {"prompt_id": str(prompt.id), "agent_id": agent["id"], "source": "test:1"}
    refused(answer(alice, prompt, status="completed", response_text="late"), 409, "invalid_transition")
    assert answer(alice, other, status="completed").status_code == 200


def test_a_beat_of_the_sweeper_takes_it_back(clock: Any, alice: Person, told: Told) -> None:
    handed(alice, register(alice))
    clock.shift(TTL)
    sweeps.run()
    assert told == [("test:1", "cancelled", True)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("gone", ["lost", "stopped", "completed"])
def test_with_its_agent_goes_what_it_had_in_hand(alice: Person, told: Told, gone: str) -> None:
    agent, other = moved(alice, register(alice), "idle"), register(alice)
    prompt, theirs = handed(alice, agent), handed(alice, other)
    if gone == "lost":
        instances.mark_lost(actor=alice.actor, instance_id=uuid.UUID(agent["id"]))
    elif gone == "stopped":
        assert send(alice.client, "POST", f"{RUNTIME}/{agent['id']}/stop", {}).status_code == 200
    else:
        moved(alice, agent, "completed")
    assert "run out" in refused(answer(alice, prompt, status="completed"), 409, "conflict")["message"]
    assert prompt_leases.sweep() == 1
    status = read(alice, f"{RUNTIME}/{agent['id']}")["status"]
    assert read(alice, f"{PROMPTS}/{prompt.id}")["error"] == f"Its agent is {status}."
    assert told == [("test:1", "cancelled", True)]
    assert expiry(theirs) > 0


@pytest.mark.django_db(transaction=True)
def test_an_agent_that_comes_back_at_once_has_lost_it_all_the_same(alice: Person, told: Told) -> None:
    agent = moved(alice, register(alice), "idle")
    prompt = handed(alice, agent)
    instances.mark_lost(actor=alice.actor, instance_id=uuid.UUID(agent["id"]))
    send(alice.client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat")
    refused(beat(alice, prompt), 409, "conflict")
    assert prompt_leases.sweep() == 1
    assert read(alice, f"{PROMPTS}/{prompt.id}")["error"] == "The lease ran out."


def test_a_process_that_died_before_it_let_go_is_made_good(alice: Person, told: Told) -> None:
    """The instance is lost, and the statement that lets its leases run out never came."""
    agent = register(alice)
    prompt = handed(alice, agent)
    RuntimeAgent.objects.filter(pk=agent["id"]).update(status="lost")
    refusal = refused(answer(alice, prompt, status="completed"), 409, "conflict")
    assert refusal["message"] == "Its agent is lost: what it had in hand goes back."
    assert prompt_leases.sweep() == 1
    assert (told, read(alice, f"{PROMPTS}/{prompt.id}")["error"]) == (
        [("test:1", "cancelled", True)], "Its agent is lost.",
    )  # fmt: skip


def test_one_that_was_renewed_or_ended_after_it_was_found_does_not_lapse(clock: Any, alice: Person, told: Told) -> None:
    agent = register(alice)
    renewed, ended = handed(alice, agent), handed(alice, agent, source="test:2")
    clock.shift(TTL - 1)
    beat(alice, renewed)
    answer(alice, ended, status="completed")
    clock.shift(1)
    assert not any(prompts.lapse(prompt_id=prompt.id) for prompt in (renewed, ended))
    assert (told, expiry(renewed)) == ([("test:2", "completed", False)], TTL - 1)


def test_a_sweep_is_bounded_and_the_oldest_go_first(clock: Any, alice: Person, told: Told) -> None:
    agent = register(alice)
    for ttl in (30, 10, 20):
        handed(alice, agent, ttl=ttl, source=f"test:{ttl}")
    clock.shift(40)
    assert prompt_leases.sweep(limit=2) == 2
    assert [source for source, _, _ in told] == ["test:10", "test:20"]
    assert prompt_leases.sweep(limit=2) == 1


def test_one_whose_listener_fails_stays_and_keeps_nobody_else(
    clock: Any, alice: Person, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    agent = register(alice)
    bad, good = handed(alice, agent, source="bad"), handed(alice, agent, source="good")

    def fail(prompt: Prompt, lapsed: bool) -> None:
        if prompt.source == "bad":
            raise ZeroDivisionError

    prompts.on_end(fail)
    clock.shift(TTL)
    assert prompt_leases.sweep() == 1
    assert "A prompt could not lapse." in caplog.text
    assert [read(alice, f"{PROMPTS}/{prompt.id}")["status"] for prompt in (bad, good)] == ["pending", "cancelled"]
    prompts._listeners.remove(fail)
    assert prompt_leases.sweep() == 1


def test_a_sweep_that_finds_nothing_asks_twice(alice: Person) -> None:
    handed(alice, register(alice))
    assert len(statements(prompt_leases.sweep)) == 2
