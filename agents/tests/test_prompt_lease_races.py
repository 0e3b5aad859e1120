"""An answer, a renewal, a lapse and a lost agent at one moment, each on a connection of its own: exactly one wins."""

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from agents.models import Prompt, SystemLog
from agents.services import instances, prompt_leases, prompts
from agents.tests.calls import PROMPTS, RUNTIME, moved, race, read, register, send
from agents.tests.test_prompt_leases import handed
from conftest import Person
from orchestrator.core import clock
from orchestrator.events.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[tuple[uuid.UUID, bool]]:
    heard: list[tuple[uuid.UUID, bool]] = []
    monkeypatch.setattr(prompts, "_listeners", [lambda prompt, lapsed: heard.append((prompt.id, lapsed))])
    return heard


def caller(person: Person, method: str, path: str, body: Any) -> Callable[[], int]:
    def call() -> int:
        client = Client(headers={"Authorization": f"Bearer {person.access_token}"})
        return int(send(client, method, path, body).status_code)

    return call


def due_soon(prompt: Prompt) -> None:
    """Its time comes within the race."""
    Prompt.objects.filter(pk=prompt.pk).update(lease_expires_at=clock.now() + timedelta(milliseconds=15))


@pytest.mark.parametrize("attempt", range(5))
def test_an_answer_and_the_lapse(alice: Person, ends: list[tuple[uuid.UUID, bool]], attempt: int) -> None:
    prompt = handed(alice, register(alice))
    done = caller(alice, "PATCH", f"{PROMPTS}/{prompt.id}", {"status": "completed", "input_tokens": 5})

    def sweep() -> int:
        found = 0
        for _ in range(40):
            found += prompt_leases.sweep()
        return found

    due_soon(prompt)
    status, *swept = race([done, sweep, sweep])
    lapsed = sum(swept) + prompt_leases.sweep()
    shown = read(alice, f"{PROMPTS}/{prompt.id}")
    assert (status, lapsed, shown["status"]) in {(200, 0, "completed"), (409, 1, "cancelled")}
    assert ends == [(prompt.id, bool(lapsed))]
    assert Event.objects.filter(event__in=["prompt_answered", "prompt_lapsed"]).count() == 1
    assert shown["input_tokens"] == (0 if lapsed else 5)


@pytest.mark.parametrize("attempt", range(5))
def test_an_answer_and_the_loss_of_the_agent(alice: Person, ends: list[tuple[uuid.UUID, bool]], attempt: int) -> None:
    agent = moved(alice, register(alice), "idle")
    prompt = handed(alice, agent)
    answer = caller(alice, "PATCH", f"{PROMPTS}/{prompt.id}", {"status": "completed", "input_tokens": 5})
    stop = caller(alice, "POST", f"{RUNTIME}/{agent['id']}/stop", {})
    answered, stopped, _ = race([answer, stop, prompt_leases.sweep])
    prompt_leases.sweep()
    assert stopped == 200
    status = read(alice, f"{PROMPTS}/{prompt.id}")["status"]
    assert (answered, status) in {(200, "completed"), (409, "cancelled")}
    assert ends == [(prompt.id, answered == 409)]


def test_ten_sweepers_take_each_back_once(alice: Person, ends: list[tuple[uuid.UUID, bool]]) -> None:
    agent = register(alice)
    found = [handed(alice, agent) for _ in range(5)]
    Prompt.objects.update(lease_expires_at=clock.now())
    assert sum(race([prompt_leases.sweep] * 10)) == 5
    assert Counter(ends) == {(prompt.id, True): 1 for prompt in found}
    assert SystemLog.objects.count() == Event.objects.filter(event="prompt_lapsed").count() == 5


@pytest.mark.parametrize("attempt", range(3))
def test_a_renewal_and_the_lapse(alice: Person, ends: list[tuple[uuid.UUID, bool]], attempt: int) -> None:
    prompt = handed(alice, register(alice))
    due_soon(prompt)
    renew = caller(alice, "POST", f"{PROMPTS}/{prompt.id}/heartbeat", {})
    renewed, *_ = race([renew, prompt_leases.sweep, prompt_leases.sweep])
    prompt_leases.sweep()
    assert (renewed, read(alice, f"{PROMPTS}/{prompt.id}")["status"], len(ends)) in {
        (200, "pending", 0), (409, "cancelled", 1),
    }  # fmt: skip


def test_nothing_is_handed_to_one_that_ends_and_kept(alice: Person, ends: list[tuple[uuid.UUID, bool]]) -> None:
    for _ in range(3):
        agent = moved(alice, register(alice), "idle")

        def hand(agent: Any = agent) -> int:
            try:
                handed(alice, agent)
            except Exception:
                return 409
            return 200

        def stop(agent: Any = agent) -> Any:
            return instances.stop_instance(actor=alice.actor, instance_id=uuid.UUID(agent["id"])).status

        race([hand, hand, stop])
        prompt_leases.sweep()
        assert not Prompt.objects.leased().filter(runtime_agent_id=agent["id"]).exists()
