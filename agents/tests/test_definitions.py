"""Definitions: made, read, changed under If-Match, listed, archived."""

from typing import Any

import pytest
from django.test import Client

from agents.models import Agent
from agents.tests.calls import AGENTS, RUNTIME, define, items, move, race, read, refused, register, send
from conftest import Person
from orchestrator.events.models import Event

FULL = {
    "name": "Planner",
    "description": "Plans trips.",
    "agent_type": "planner",
    "capabilities": ["search", "book"],
    "default_model": "large",
    "system_prompt": "You plan.\n",
    "config": {"temperature": 0.5, "nested": {"deep": [1, None, True]}},
}
DEFAULTS = {
    "description": "", "agent_type": "utility", "capabilities": [], "default_model": "", "system_prompt": "",
    "config": {},
}  # fmt: skip


def of(agent: Any) -> str:
    return f"{AGENTS}/{agent['id']}"


def tag(person: Person, agent: Any) -> str:
    return str(person.client.get(of(agent))["ETag"])


def events_of(agent: Any) -> list[tuple[str, dict[str, Any]]]:
    rows = Event.objects.filter(target=f"agent:{agent['id']}", kind="agents").order_by("seq")
    return [(row.event, row.details) for row in rows]


@pytest.mark.parametrize("base", ["/api/v1/agents", "/api/agents"])
def test_a_definition_is_made_and_read_at_both_mounts(alice: Person, base: str) -> None:
    answer = send(alice.client, "POST", base, FULL)
    assert answer.status_code == 201
    body = answer.json()
    assert {name: body[name] for name in FULL} == FULL
    assert (body["version"], body["archived_at"], body["created_by"]) == (1, None, str(alice.actor))
    assert answer["Location"] == f"/api/v1/agents/{body['id']}"
    shown = alice.client.get(f"{base}/{body['id']}")
    assert shown.json() == body
    assert shown["ETag"] == answer["ETag"]
    assert items(alice.client.get(base)) == [body]


def test_only_the_name_must_be_said(alice: Person) -> None:
    agent = define(alice, "Bare")
    assert {name: agent[name] for name in DEFAULTS} == DEFAULTS
    assert events_of(agent)[0][0] == "agent_defined"


def test_put_replaces_and_patch_changes(alice: Person) -> None:
    agent = define(alice, **{**FULL, "name": "One"})
    patched = send(alice.client, "PATCH", of(agent), {"name": "Two"}, if_match=tag(alice, agent))
    assert patched.json() == {**agent, "name": "Two", "version": 2, "updated_at": patched.json()["updated_at"]}
    put = send(alice.client, "PUT", of(agent), {"name": "Three"}, if_match=patched["ETag"])
    assert {name: put.json()[name] for name in DEFAULTS} == DEFAULTS
    assert put.json()["version"] == 3
    assert [event for event, _ in events_of(agent)] == ["agent_defined", "agent_redefined", "agent_redefined"]
    assert events_of(agent)[1][1]["fields"] == ["name"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_needs_the_tag_that_was_read(alice: Person, method: str) -> None:
    agent = define(alice)
    old = tag(alice, agent)
    refused(send(alice.client, method, of(agent), {"name": "X"}), 428, "precondition_required")
    assert send(alice.client, "PATCH", of(agent), {"description": "new"}, if_match=old).status_code == 200
    refused(send(alice.client, method, of(agent), {"name": "X"}, if_match=old), 412, "precondition_failed")
    assert send(alice.client, method, of(agent), {"name": "X"}, if_match="*").status_code in (200, 204)


@pytest.mark.django_db(transaction=True)
def test_one_of_ten_writers_with_the_same_tag_wins(alice: Person) -> None:
    agent = define(alice)
    etag = tag(alice, agent)

    def write(number: int) -> int:
        client = Client(headers={"Authorization": f"Bearer {alice.access_token}"})
        return int(send(client, "PATCH", of(agent), {"name": f"W{number}"}, if_match=etag).status_code)

    statuses = race([lambda number=number: write(number) for number in range(10)])
    assert sorted(statuses) == [200, *[412] * 9]


def test_a_name_is_taken_once_in_an_org(alice: Person, mallory: Person) -> None:
    first, second = define(alice, "Same"), define(alice, "Other")
    define(mallory, "Same")
    told = refused(send(alice.client, "POST", AGENTS, {"name": "Same"}), 409, "conflict")
    assert "Same" in told["message"]
    refused(send(alice.client, "PATCH", of(second), {"name": "Same"}, if_match="*"), 409, "conflict")
    assert read(alice, of(second))["version"] == 1
    assert send(alice.client, "PATCH", of(first), {"name": "Same"}, if_match="*").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_one_of_ten_with_the_same_name_is_made(alice: Person) -> None:
    def make() -> int:
        client = Client(headers={"Authorization": f"Bearer {alice.access_token}"})
        return int(send(client, "POST", AGENTS, {"name": "Same"}).status_code)

    assert sorted(race([make] * 10)) == [201, *[409] * 9]


def test_an_archived_one_can_be_read_and_nothing_else(alice: Person) -> None:
    agent = define(alice)
    assert send(alice.client, "DELETE", of(agent), if_match=tag(alice, agent)).status_code == 204
    shown = read(alice, of(agent))
    assert shown["archived_at"] is not None
    assert shown["version"] == 2
    for method in ("PUT", "PATCH", "DELETE"):
        refused(send(alice.client, method, of(agent), {"name": "X"}, if_match="*"), 404, "not_found")
    refused(send(alice.client, "POST", RUNTIME, {"agent_id": agent["id"], "session_id": "s"}), 404, "not_found")
    assert items(alice.client.get(AGENTS)) == []
    assert items(alice.client.get(f"{AGENTS}?archived=false")) == []
    assert items(alice.client.get(f"{AGENTS}?archived=true")) == [shown]
    assert define(alice, agent["name"])["id"] != agent["id"], "The name is free again."


def test_one_with_a_live_instance_is_not_archived(alice: Person) -> None:
    agent = define(alice)
    instance = register(alice, agent)
    told = refused(send(alice.client, "DELETE", of(agent), if_match="*"), 409, "conflict")
    assert told["details"] == {"live": 1}
    assert read(alice, of(agent))["archived_at"] is None
    move(alice, instance, "cancelled")
    assert send(alice.client, "DELETE", of(agent), if_match="*").status_code == 204
    assert read(alice, f"{RUNTIME}/{instance['id']}")["agent_id"] == agent["id"], "History stays."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_an_instance_is_not_made_of_what_is_archived_in_the_same_moment(alice: Person, attempt: int) -> None:
    agent = define(alice)

    def call(method: str, path: str, body: Any = None) -> int:
        client = Client(headers={"Authorization": f"Bearer {alice.access_token}"})
        return int(send(client, method, path, body, if_match="*").status_code)

    body = {"agent_id": agent["id"], "session_id": "s"}
    archived, registered = race([lambda: call("DELETE", of(agent)), lambda: call("POST", RUNTIME, body)])
    assert (archived, registered) in {(204, 404), (409, 201)}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["c", "b", "a"]),
        ("?agent_type=planner", ["a"]),
        ("?agent_type=planner&agent_type=builder", ["b", "a"]),
        ("?q=ÉTÉ", ["b"]),
        ("?q=C", ["c"]),
        ("?q=.", []),
        ("?q=a&agent_type=builder", []),
        ("?limit=1", ["c"]),
        ("?q=&archived=", ["c", "b", "a"]),
    ],
)
def test_filters(alice: Person, query: str, names: list[str]) -> None:
    define(alice, "a", agent_type="planner")
    define(alice, "b", agent_type="builder", description="en été")
    define(alice, "c")
    assert [item["name"] for item in items(alice.client.get(AGENTS + query))] == names


@pytest.mark.parametrize(
    ("query", "field"), [("agent_type=bad", "agent_type"), ("archived=maybe", "archived"), ("nosuch=1", "nosuch")]
)
def test_a_filter_that_makes_no_sense_is_refused(alice: Person, query: str, field: str) -> None:
    told = refused(alice.client.get(f"{AGENTS}?{query}"), 422, "validation_error")["details"]
    assert list(told) == [field]
    if field == "agent_type":
        assert "planner, builder, reviewer, tester, orchestrator, utility" in told[field][0]


def test_the_list_is_conditional_and_changes_with_every_write(alice: Person) -> None:
    tags = [alice.client.get(AGENTS)["ETag"]]
    agent = define(alice)
    tags.append(alice.client.get(AGENTS)["ETag"])
    send(alice.client, "PATCH", of(agent), {"name": "New"}, if_match="*")
    tags.append(alice.client.get(AGENTS)["ETag"])
    assert len(set(tags)) == 3
    assert alice.client.get(AGENTS, headers={"If-None-Match": tags[2]}).status_code == 304
    send(alice.client, "DELETE", of(agent), if_match="*")
    assert alice.client.get(AGENTS)["ETag"] == tags[0]


def test_a_repeated_post_makes_one(alice: Person) -> None:
    answers = [send(alice.client, "POST", AGENTS, {"name": "Once"}, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert Agent.objects.count() == 1


def test_documents_come_back_as_they_went_in(alice: Person) -> None:
    """Also from jsonb, which has its own idea of numbers."""
    config = {"b": 1.0, "a": [0.1, 1e-7, 123456789012345.0, -0.5], "é": "ü", "n": 2**53 - 1}
    agent = define(alice, config=config)
    assert agent["config"] == config
    shown = alice.client.get(of(agent))
    assert shown.json() == agent
