"""Live instances: registered, listed, related; also under the shared state."""

from typing import Any

import pytest

from agents.models import RuntimeAgent
from agents.tests.calls import NOWHERE, RUNTIME, define, items, move, moved, read, refused, register, send
from conftest import Person
from orchestrator.events.models import Event

STATE = "/api/v1/collab/state/agents"
FIELDS = {
    "id", "agent_id", "parent_id", "session_id", "name", "status", "config", "metadata", "input_tokens",
    "output_tokens", "cost_usd", "created_by", "created_at", "updated_at", "started_at", "completed_at", "version",
}  # fmt: skip


@pytest.mark.parametrize("base", ["/api/v1/runtime/agents", "/api/runtime/agents"])
def test_an_instance_is_registered_and_read_at_both_mounts(alice: Person, base: str) -> None:
    definition = define(alice)
    body = {"agent_id": definition["id"], "session_id": "s", "config": {"a": 1}, "metadata": {"host": "h"}}
    answer = send(alice.client, "POST", base, body)
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == FIELDS
    assert {name: made[name] for name in body} == body
    assert (made["status"], made["name"], made["parent_id"], made["cost_usd"]) == ("initializing", "Builder", None, 0)
    assert answer["Location"] == f"/api/v1/runtime/agents/{made['id']}"
    shown = alice.client.get(f"{base}/{made['id']}")
    assert (shown.json(), shown["ETag"]) == (made, answer["ETag"])
    assert items(alice.client.get(base)) == [made]
    event = Event.objects.get(event="agent_created")
    assert event.kind == "runtime_agents"
    assert event.details["definition_id"] == definition["id"]


def test_children_name_their_parent(alice: Person) -> None:
    parent = register(alice, name="chief")
    children = [register(alice, parent_id=parent["id"], name=name) for name in ("one", "two")]
    assert all(child["parent_id"] == parent["id"] for child in children)
    found = items(alice.client.get(f"{RUNTIME}?parent_id={parent['id']}"))
    assert [item["name"] for item in found] == ["two", "one"]


@pytest.mark.parametrize("field", ["agent_id", "parent_id"])
def test_what_a_body_names_must_be_there(alice: Person, field: str) -> None:
    body = {"agent_id": define(alice)["id"], "session_id": "s", field: NOWHERE}
    assert NOWHERE in refused(send(alice.client, "POST", RUNTIME, body), 404, "not_found")["message"]
    assert not RuntimeAgent.objects.exists()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "cba"),
        ("?session_id=s1", "ba"),
        ("?session_id=S1", ""),
        ("?status=idle", "a"),
        ("?status=idle&status=failed", "ba"),
        ("?status=idle&session_id=s2", ""),
        ("?agent_id={definition}", "c"),
        ("?limit=2", "cb"),
    ],
)
def test_filters(alice: Person, query: str, names: str) -> None:
    first, second = define(alice, "First"), define(alice, "Second")
    moved(alice, register(alice, first, name="a"), "idle")
    moved(alice, register(alice, first, name="b"), "failed")
    register(alice, second, name="c", session="s2")
    found = items(alice.client.get(RUNTIME + query.format(definition=second["id"])))
    assert "".join(item["name"] for item in found) == names


def test_pages_follow_each_other(alice: Person) -> None:
    wanted = [register(alice, name=f"n{number}")["name"] for number in range(5)][::-1]
    seen, cursor = [], ""
    while True:
        page = read(alice, f"{RUNTIME}?limit=2{cursor}")
        seen += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == wanted


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("status=working", 422, "status"),
        ("status=idle&status=x", 422, "status"),
        ("agent_id=x", 422, "agent_id"),
        ("agent_id=%7B01900000-0000-7000-8000-000000000000%7D", 422, "agent_id"),
        ("parent_id=1", 422, "parent_id"),
        (f"agent_id={NOWHERE}", 404, None),
        (f"parent_id={NOWHERE}", 404, None),
        ("session=s", 422, "session"),
        (f"session_id={'x' * 201}", 422, "session_id"),
    ],
)
def test_a_filter_that_names_nothing(alice: Person, query: str, status: int, field: str | None) -> None:
    answer = alice.client.get(f"{RUNTIME}?{query}")
    told = refused(answer, status, "validation_error" if status == 422 else "not_found")
    assert field is None or list(told["details"]) == [field]


def test_the_shared_state_has_the_same_rows_under_its_own_kind(alice: Person) -> None:
    define(alice, "Only a definition")
    agent = register(alice)
    body = read(alice, STATE)
    assert body == {"kind": "agents", "items": [agent], "next_cursor": None}
    assert read(alice, RUNTIME) == {**body, "kind": "runtime_agents"}
    assert [item["name"] for item in read(alice, "/api/v1/agents")["items"]] == ["Builder", "Only a definition"]
    assert read(alice, f"{STATE}?status=idle")["items"] == []


@pytest.mark.parametrize("path", [STATE, RUNTIME])
def test_the_list_is_conditional_and_changes_with_every_change(alice: Person, path: str) -> None:
    def tag() -> str:
        return str(alice.client.get(path)["ETag"])

    tags = [tag()]
    agent = register(alice)
    tags.append(tag())
    move(alice, agent, "idle")
    tags.append(tag())
    assert alice.client.get(path, headers={"If-None-Match": tags[2]}).status_code == 304
    prompt = {"runtime_agent_id": agent["id"], "prompt_type": "adw", "prompt_text": "x"}
    made = send(alice.client, "POST", "/api/v1/runtime/prompts", prompt).json()
    send(alice.client, "PATCH", f"/api/v1/runtime/prompts/{made['id']}", {"input_tokens": 5})
    tags.append(tag())
    assert len(set(tags)) == 4
    assert items(alice.client.get(path))[0]["input_tokens"] == 5


def test_a_heartbeat_changes_no_tag(alice: Person) -> None:
    agent: Any = register(alice)
    tags = alice.client.get(RUNTIME)["ETag"], alice.client.get(f"{RUNTIME}/{agent['id']}")["ETag"]
    RuntimeAgent.objects.update(last_heartbeat_at="2020-01-01T00:00:00Z")
    assert send(alice.client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat").status_code == 200
    assert tags == (alice.client.get(RUNTIME)["ETag"], alice.client.get(f"{RUNTIME}/{agent['id']}")["ETag"])


def test_a_repeated_post_registers_one(alice: Person) -> None:
    body = {"agent_id": define(alice)["id"], "session_id": "s"}
    first, second = (send(alice.client, "POST", RUNTIME, body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.content == second.content
    assert RuntimeAgent.objects.count() == 1
