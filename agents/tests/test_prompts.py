"""What was asked, what was answered, and what it cost: added up on the agent, exactly."""

import json
from typing import Any

import pytest
from django.test import Client

from agents.models import Prompt
from agents.tests.calls import NOWHERE, PROMPTS, RUNTIME, ask, items, move, race, read, refused, register, send
from conftest import Person
from orchestrator.events.models import Event

FIELDS = {
    "id", "runtime_agent_id", "prompt_type", "prompt_name", "prompt_text", "response_text", "status", "error", "model",
    "input_tokens", "output_tokens", "cost_usd", "latency_ms", "source", "lease_expires_at", "created_by", "created_at",
    "updated_at", "completed_at", "version",
}  # fmt: skip


def of(prompt: Any) -> str:
    return f"{PROMPTS}/{prompt['id']}"


def answer(person: Person, prompt: Any, **fields: Any) -> Any:
    return send(person.client, "PATCH", of(prompt), fields)


def sums(person: Person, agent: Any) -> tuple[Any, ...]:
    body = read(person, f"{RUNTIME}/{agent['id']}")
    return body["input_tokens"], body["output_tokens"], body["cost_usd"]


@pytest.mark.parametrize("base", ["/api/v1/runtime/prompts", "/api/runtime/prompts"])
def test_a_prompt_is_asked_and_read_at_both_mounts(alice: Person, base: str) -> None:
    agent = register(alice)
    body = {
        "runtime_agent_id": agent["id"], "prompt_type": "followup", "prompt_name": "second", "prompt_text": " go\n ",
        "model": "large",
    }  # fmt: skip
    made = send(alice.client, "POST", base, body)
    assert made.status_code == 201
    assert set(made.json()) == FIELDS
    assert {name: made.json()[name] for name in body} == body
    assert (made.json()["status"], made.json()["latency_ms"], made.json()["version"]) == ("pending", None, 1)
    assert made["Location"] == f"/api/v1/runtime/prompts/{made.json()['id']}"
    shown = alice.client.get(f"{base}/{made.json()['id']}")
    assert (shown.json(), shown["ETag"]) == (made.json(), made["ETag"])
    assert items(alice.client.get(base)) == [made.json()]
    assert Event.objects.get(event="prompt_created").details["session_id"] == "s1"


def test_an_answer_is_written_in_parts(alice: Person) -> None:
    prompt = ask(alice, register(alice))
    answer(alice, prompt, status="streaming", response_text="Once")
    last = answer(
        alice, prompt, status="completed", response_text="Once upon a time", model="m", input_tokens=12,
        output_tokens=34, cost_usd=0.0123, latency_ms=850,
    )  # fmt: skip
    assert last.status_code == 200
    body = last.json()
    assert (body["status"], body["response_text"], body["version"]) == ("completed", "Once upon a time", 3)
    assert (body["input_tokens"], body["output_tokens"], body["cost_usd"], body["latency_ms"]) == (12, 34, 0.0123, 850)
    assert body["completed_at"] == body["updated_at"]
    assert read(alice, of(prompt)) == body


def test_costs_are_totals_of_the_prompt_and_add_up_on_the_agent(alice: Person) -> None:
    agent = register(alice)
    first, second = ask(alice, agent), ask(alice, agent)
    answer(alice, first, input_tokens=10, cost_usd=0.1)
    assert sums(alice, agent) == (10, 0, 0.1)
    answer(alice, first, input_tokens=15, output_tokens=3, cost_usd=0.3)
    assert sums(alice, agent) == (15, 3, 0.3), "15 in place of 10, not beside it."
    answer(alice, second, input_tokens=1, cost_usd=0.000001)
    assert sums(alice, agent) == (16, 3, 0.300001)
    answer(alice, first, input_tokens=5, output_tokens=0, cost_usd=0)
    assert sums(alice, agent) == (6, 0, 0.000001)
    updates = Event.objects.filter(event="agent_updated", kind="runtime_agents").order_by("seq")
    assert [event.details["input_tokens"] for event in updates] == [10, 15, 16, 6]
    assert updates[2].details["cost_usd"] == 0.300001


def test_an_answer_that_costs_nothing_more_leaves_the_agent_alone(alice: Person) -> None:
    agent = register(alice)
    prompt = ask(alice, agent)
    answer(alice, prompt, response_text="x", latency_ms=5)
    assert read(alice, f"{RUNTIME}/{agent['id']}") == agent


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0", "0"), ("0.1", "0.1"), ("0.30000000000000004", "0.3"), ("1e-6", "0.000001"), ("4e-7", "0"),
        ("1e6", "1000000"), ("12", "12"), ("1.50", "1.5"), ("999999.999999", "999999.999999"), ("1e-300", "0"),
    ],
)  # fmt: skip
def test_dollars_are_rounded_to_a_millionth(alice: Person, sent: str, kept: str) -> None:
    agent = register(alice)
    prompt = ask(alice, agent)
    body = f'{{"cost_usd": {sent}}}'
    found = send(alice.client, "PATCH", of(prompt), body)
    assert found.status_code == 200, found.content
    assert f'"cost_usd":{kept},' in found.content.decode()
    assert f'"cost_usd":{kept},' in alice.client.get(f"{RUNTIME}/{agent['id']}").content.decode()


@pytest.mark.django_db(transaction=True)
def test_ten_racing_answers_lose_no_cent(alice: Person) -> None:
    agent = register(alice)
    prompts = [ask(alice, agent) for _ in range(10)]

    def write(prompt: Any) -> list[int]:
        client = Client(headers={"Authorization": f"Bearer {alice.access_token}"})
        body = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
        return [
            int(send(client, "PATCH", of(prompt), {name: value * step for name, value in cost.items()}).status_code)
            for step in (1, 2, 3)
            for cost in [{**body, "input_tokens": 7, "output_tokens": 11, "cost_usd": 0.000001}]
        ]

    assert race([lambda prompt=prompt: write(prompt) for prompt in prompts]) == [[200] * 3] * 10
    assert sums(alice, agent) == (210, 330, 0.00003)
    assert read(alice, f"{RUNTIME}/{agent['id']}")["version"] == 31


def test_of_what_has_ended_the_answer_stands(alice: Person) -> None:
    agent = register(alice)
    prompt = ask(alice, agent)
    last = {"status": "completed", "response_text": "yes", "input_tokens": 3, "cost_usd": 0.25}
    done = answer(alice, prompt, **last)
    told = refused(answer(alice, prompt, response_text="no"), 409, "conflict")
    assert "completed" in told["message"]
    refused(answer(alice, prompt, status="completed", input_tokens=4), 409, "conflict")
    again = answer(alice, prompt, **last)
    assert (again.status_code, again.content) == (200, done.content), "A lost answer may be asked for again."
    assert sums(alice, agent) == (3, 0, 0.25)
    assert Event.objects.filter(event="prompt_answered").count() == 1


def test_if_match_is_optional_and_kept_when_sent(alice: Person) -> None:
    prompt = ask(alice, register(alice))
    old = alice.client.get(of(prompt))["ETag"]
    assert answer(alice, prompt, status="streaming").status_code == 200
    refused(send(alice.client, "PATCH", of(prompt), {"model": "m"}, if_match=old), 412, "precondition_failed")
    new = alice.client.get(of(prompt))["ETag"]
    assert send(alice.client, "PATCH", of(prompt), {"model": "m"}, if_match=new).status_code == 200


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_nothing_is_asked_of_one_that_has_ended(alice: Person, end: str) -> None:
    agent = register(alice)
    prompt = ask(alice, agent)
    for status in ("idle", end):
        move(alice, agent, status)
    body = {"runtime_agent_id": agent["id"], "prompt_type": "adw", "prompt_text": "x"}
    assert end in refused(send(alice.client, "POST", PROMPTS, body), 409, "conflict")["message"]
    assert answer(alice, prompt, status="failed", error="too late").status_code == 200, "Its last words are kept."


def test_nothing_is_asked_of_one_that_is_not_there(alice: Person) -> None:
    body = {"runtime_agent_id": NOWHERE, "prompt_type": "adw", "prompt_text": "x"}
    assert NOWHERE in refused(send(alice.client, "POST", PROMPTS, body), 404, "not_found")["message"]


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("", "cba"), ("agent={agent}", "ba"), ("status=pending", "cb"), ("status=pending&status=failed", "cba"),
        ("prompt_type=command", "cb"), ("prompt_type=adw&agent={agent}", "a"), ("limit=1&status=pending", "c"),
    ],
)  # fmt: skip
def test_filters(alice: Person, query: str, texts: str) -> None:
    agent, other = register(alice), register(alice)
    answer(alice, ask(alice, agent, "a", prompt_type="adw"), status="failed")
    ask(alice, agent, "b")
    ask(alice, other, "c")
    found = items(alice.client.get(f"{PROMPTS}?{query.format(agent=agent['id'])}"))
    assert "".join(item["prompt_text"] for item in found) == texts


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("status=done", 422, "status"), ("prompt_type=x", 422, "prompt_type"), ("agent=x", 422, "agent"),
        (f"agent={NOWHERE}", 404, None), ("runtime_agent_id=x", 422, "runtime_agent_id"),
    ],
)  # fmt: skip
def test_a_filter_that_names_nothing(alice: Person, query: str, status: int, field: str | None) -> None:
    told = refused(alice.client.get(f"{PROMPTS}?{query}"), status, "not_found" if status == 404 else "validation_error")
    assert field is None or list(told["details"]) == [field]


def test_the_list_is_conditional(alice: Person) -> None:
    prompt = ask(alice, register(alice))
    first = alice.client.get(PROMPTS)["ETag"]
    assert alice.client.get(PROMPTS, headers={"If-None-Match": first}).status_code == 304
    answer(alice, prompt, status="streaming")
    assert alice.client.get(PROMPTS, headers={"If-None-Match": first}).status_code == 200


def test_a_repeated_post_asks_once(alice: Person) -> None:
    body = json.dumps({"runtime_agent_id": register(alice)["id"], "prompt_type": "adw", "prompt_text": "x"})
    first, second = (send(alice.client, "POST", PROMPTS, body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.content == second.content
    assert Prompt.objects.count() == 1
