"""A key that is bound to one runtime agent: it acts in the agent's name, and finds what is the agent's."""

import uuid
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from agents.models import AgentLog, Prompt
from agents.services import instances
from agents.tests.calls import (
    AGENTS,
    LOGS,
    NOWHERE,
    PROMPTS,
    RUNTIME,
    ask,
    define,
    items,
    line,
    log,
    moved,
    read,
    refused,
    register,
    send,
)
from conftest import Person
from orchestrator.api.models import IdempotencyRecord
from orchestrator.events.models import Event
from orchestrator.identity import services
from orchestrator.identity.models import ApiKey

KEYS = "/api/v1/api-keys"


def bound(person: Person, agent: Any, *scopes: str) -> Client:
    """A client with a key of the agent's own."""
    _, secret = services.create_api_key(
        actor=person.actor, name="own", scopes=scopes or ("read", "write"), runtime_agent_id=uuid.UUID(agent["id"])
    )
    return Client(headers={"X-API-Key": secret})


def make(person: Person, agent_id: Any, scopes: Any = ("read", "write")) -> Any:
    body = {"name": "own", "scopes": list(scopes), "runtime_agent_id": agent_id}
    return send(person.client, "POST", KEYS, body)


# --- making one ------------------------------------------------------------------------------------------------------


def test_an_administrator_makes_one_and_sees_whose_it_is(alice: Person) -> None:
    agent = register(alice)
    made = make(alice, agent["id"])
    assert (made.status_code, made.json()["runtime_agent_id"]) == (201, agent["id"])
    assert items(alice.client.get(KEYS))[0]["runtime_agent_id"] == agent["id"]
    assert Event.objects.get(event="api_key_created").details == {"name": "own", "runtime_agent_id": agent["id"]}
    me = Client(headers={"X-API-Key": made.json()["secret"]}).get("/auth/me").json()
    assert (me["actor"], me["scopes"], me["role"]) == (f"agent:{agent['id']}", ["read", "write"], "")
    assert (me["user"], me["api_key"], me["organization"]["id"]) == (None, None, str(alice.org.pk))


def test_a_key_of_nobody_stays_what_it_was(alice: Person) -> None:
    assert make(alice, None).json()["runtime_agent_id"] is None


@pytest.mark.parametrize("found", ["nowhere", "stranger", "ended", "malformed"])
def test_it_is_bound_to_a_live_agent_of_the_org(alice: Person, mallory: Person, found: str) -> None:
    agent_id = {
        "nowhere": lambda: NOWHERE,
        "stranger": lambda: register(mallory)["id"],
        "ended": lambda: moved(alice, register(alice), "cancelled")["id"],
        "malformed": lambda: "x",
    }[found]()
    told = refused(make(alice, agent_id), 422, "validation_error")
    assert list(told["details"]) == ["runtime_agent_id"]
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("scope", ["jobs", "admin"])
def test_an_agent_has_no_scope_beyond_its_work(alice: Person, scope: str) -> None:
    told = refused(make(alice, register(alice)["id"], ["read", scope]), 422, "validation_error")
    assert list(told["details"]) == ["scopes"]


def test_a_key_that_was_given_more_has_no_more(alice: Person) -> None:
    client = bound(alice, register(alice))
    ApiKey.objects.update(scopes=["admin", "jobs", "read"])
    assert client.get("/auth/me").json()["scopes"] == ["read"]


def test_one_that_may_only_read_writes_nothing(alice: Person) -> None:
    agent = register(alice)
    client = bound(alice, agent, "read")
    assert client.get(f"{RUNTIME}/{agent['id']}").status_code == 200
    refused(send(client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat"), 403, "permission_denied")


# --- itself ----------------------------------------------------------------------------------------------------------


def test_it_lives_its_life_in_its_own_name(alice: Person) -> None:
    agent, other = register(alice), register(alice)
    client = bound(alice, agent)
    assert client.get(f"{RUNTIME}/{agent['id']}").json() == agent
    assert client.get(f"{AGENTS}/{agent['agent_id']}").json()["id"] == agent["agent_id"]
    assert send(client, "PATCH", f"{RUNTIME}/{agent['id']}", {"status": "idle"}).status_code == 200
    assert Event.objects.get(event="agent_status_changed").actor == f"agent:{agent['id']}"
    assert send(client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat").status_code == 200
    for method, path, body in (
        ("GET", other["id"], None), ("PATCH", other["id"], {"status": "idle"}),
        ("POST", f"{other['id']}/heartbeat", {}), ("POST", f"{other['id']}/stop", {}),
        ("POST", f"{other['id']}/next", {}),
    ):  # fmt: skip
        refused(send(client, method, f"{RUNTIME}/{path}", body), 404, "not_found")
    refused(client.get(f"{AGENTS}/{define(alice, 'Another')['id']}"), 404, "not_found")
    assert read(alice, f"{RUNTIME}/{other['id']}") == other
    assert send(client, "POST", f"{RUNTIME}/{agent['id']}/stop", {}).status_code == 200
    refused(send(client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat"), 409, "conflict")


def test_a_lost_one_comes_back_with_it(alice: Person) -> None:
    agent = moved(alice, register(alice), "idle")
    client = bound(alice, agent)
    instances.mark_lost(actor=alice.actor, instance_id=uuid.UUID(agent["id"]))
    assert send(client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat").json()["status"] == "idle"


def test_revoking_works_at_once(alice: Person) -> None:
    agent = register(alice)
    client = bound(alice, agent)
    services.revoke_api_key(actor=alice.actor, key_id=ApiKey.objects.get().pk)
    refused(client.get(f"{RUNTIME}/{agent['id']}"), 401, "not_authenticated")


# --- prompts ---------------------------------------------------------------------------------------------------------


def test_it_reads_and_answers_what_it_was_asked(alice: Person) -> None:
    agent, other = register(alice), register(alice)
    mine, theirs = ask(alice, agent, "mine"), ask(alice, other, "theirs")
    client = bound(alice, agent)
    assert [item["prompt_text"] for item in items(client.get(PROMPTS))] == ["mine"]
    assert client.get(f"{PROMPTS}/{mine['id']}").json() == mine
    done = send(client, "PATCH", f"{PROMPTS}/{mine['id']}", {"status": "completed", "input_tokens": 4})
    assert (done.status_code, read(alice, f"{RUNTIME}/{agent['id']}")["input_tokens"]) == (200, 4)
    assert Event.objects.get(event="prompt_answered").actor == f"agent:{agent['id']}"
    for method, path, body in (("GET", "", None), ("PATCH", "", {"model": "x"}), ("POST", "/heartbeat", {})):
        refused(send(client, method, f"{PROMPTS}/{theirs['id']}{path}", body), 404, "not_found")
    refused(client.get(f"{PROMPTS}?agent={other['id']}"), 404, "not_found")
    assert len(items(client.get(f"{PROMPTS}?agent={agent['id']}"))) == 1


def test_it_asks_itself_and_its_children_and_reads_what_they_answer(alice: Person) -> None:
    agent, other = register(alice), register(alice)
    child = register(alice, parent_id=agent["id"])
    client = bound(alice, agent)
    ask(alice, child, "asked by somebody else")

    def asked(whom: Any) -> Any:
        return send(client, "POST", PROMPTS, {**body, "runtime_agent_id": whom["id"]})

    body = {"prompt_type": "command", "prompt_text": "by me"}
    assert [asked(whom).status_code for whom in (agent, child)] == [201, 201]
    refused(asked(other), 404, "not_found")
    assert {item["runtime_agent_id"] for item in items(client.get(PROMPTS))} == {agent["id"], child["id"]}
    assert {item["prompt_text"] for item in items(client.get(PROMPTS))} == {"by me"}
    prompt = Prompt.objects.get(runtime_agent_id=child["id"], prompt_text="by me")
    refused(send(client, "PATCH", f"{PROMPTS}/{prompt.pk}", {"status": "completed"}), 403, "permission_denied")
    refused(send(client, "POST", f"{PROMPTS}/{prompt.pk}/heartbeat", {}), 403, "permission_denied")
    of_child = bound(alice, child)
    assert send(of_child, "PATCH", f"{PROMPTS}/{prompt.pk}", {"status": "completed"}).status_code == 200
    assert client.get(f"{PROMPTS}/{prompt.pk}").json()["status"] == "completed"
    refused(send(of_child, "POST", PROMPTS, {**body, "runtime_agent_id": agent["id"]}), 404, "not_found")


# --- logs ------------------------------------------------------------------------------------------------------------


def test_it_logs_for_itself_alone(alice: Person) -> None:
    agent, other = register(alice), register(alice)
    client = bound(alice, agent)
    log(alice, line(other, "theirs"))
    assert send(client, "POST", LOGS, {"logs": [line(agent, "mine")]}).status_code == 201
    refused(send(client, "POST", LOGS, {"logs": [line(agent), line(other)]}), 404, "not_found")
    assert AgentLog.objects.count() == 2, "All or none."
    assert [item["message"] for item in items(client.get(LOGS))] == ["mine"]
    assert [item["message"] for item in items(client.get(f"{LOGS}/agent/{agent['id']}"))] == ["mine"]
    refused(client.get(f"{LOGS}/agent/{other['id']}"), 404, "not_found")
    refused(client.get(f"{LOGS}?agent={other['id']}"), 404, "not_found")


# --- kept answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PROMPTS, LOGS, f"{PROMPTS}?limit=1", f"{LOGS}?level=INFO"])
def test_no_kept_list_is_given_to_another(alice: Person, path: str) -> None:
    """All at one revision: the bytes are kept by who may see them."""
    first, second = register(alice), register(alice)
    for agent in (first, second):
        ask(alice, agent, agent["id"])
        log(alice, line(agent, agent["id"]))
    clients = {agent["id"]: bound(alice, agent) for agent in (first, second)}
    whole = alice.client.get(path)
    for _ in range(2):
        for agent_id, client in clients.items():
            seen = client.get(path, headers={"If-None-Match": whole["ETag"]})
            assert seen.status_code == 200 or whole.content == seen.content
            assert {item["runtime_agent_id"] for item in items(client.get(path))} == {agent_id}
            assert client.get(path, headers={"If-None-Match": client.get(path)["ETag"]}).status_code == 304
        assert alice.client.get(path).content == whole.content


def test_an_idempotency_key_is_the_agents_own(alice: Person) -> None:
    first, second = register(alice), register(alice)
    for agent in (first, second):
        body = {"runtime_agent_id": agent["id"], "prompt_type": "adw", "prompt_text": "x"}
        client = bound(alice, agent)
        answers = [send(client, "POST", PROMPTS, body, **{"Idempotency-Key": "k"}) for _ in range(2)]
        assert answers[0].content == answers[1].content
        assert (answers[0].status_code, answers[1]["Idempotent-Replayed"]) == (201, "true")
    assert Prompt.objects.count() == 2
    actors = set(IdempotencyRecord.objects.values_list("actor", flat=True))
    assert actors == {f"agent:{agent['id']}" for agent in (first, second)}


@pytest.mark.usefixtures("still")
def test_the_limit_of_keys_is_counted_for_each_agent(alice: Person, settings: LazySettings) -> None:
    settings.RATE_LIMIT = "2/m"
    agents = [register(alice), register(alice)]
    for agent in agents:
        client, again = bound(alice, agent), bound(alice, agent)
        found = [each.get("/api/v1/auth/me").status_code for each in (client, again, client)]
        assert found == [200, 200, 429], "Both its keys count."


# --- streams ---------------------------------------------------------------------------------------------------------


def test_no_stream_opens_for_it(alice: Person) -> None:
    client = bound(alice, register(alice))
    for path in ("/api/v1/events/tail?once=1", f"/api/v1/runs/{NOWHERE}/events/stream"):
        refused(client.get(path), 403, "permission_denied")
    refused(send(client, "POST", "/api/v1/auth/ticket"), 403, "permission_denied")
