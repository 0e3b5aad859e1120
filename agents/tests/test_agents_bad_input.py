"""What is no agent, no instance, no prompt. The rest of what no honest client sends: tests/contract."""

import json
from typing import Any

import pytest

from agents.models import MAX_DOCUMENT, MAX_TEXT, Agent, Prompt, RuntimeAgent
from agents.tests.calls import AGENTS, NOWHERE, PROMPTS, RUNTIME, ask, define, made, refused, register, send
from conftest import Person


def fields(answer: Any) -> list[str]:
    return sorted(refused(answer, 422, "validation_error")["details"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": " \n"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": 5}, "name"),
        ({"name": "N", "description": None}, "description"),
        ({"name": "N", "description": "x" * 20_001}, "description"),
        ({"name": "N", "agent_type": "wizard"}, "agent_type"),
        ({"name": "N", "agent_type": ""}, "agent_type"),
        ({"name": "N", "agent_type": None}, "agent_type"),
        ({"name": "N", "capabilities": "search"}, "capabilities"),
        ({"name": "N", "capabilities": [""]}, "capabilities"),
        ({"name": "N", "capabilities": [5]}, "capabilities"),
        ({"name": "N", "capabilities": ["x" * 101]}, "capabilities"),
        ({"name": "N", "capabilities": ["x"] * 101}, "capabilities"),
        ({"name": "N", "default_model": "x" * 201}, "default_model"),
        ({"name": "N", "system_prompt": "x" * (MAX_TEXT + 1)}, "system_prompt"),
        ({"name": "N", "config": []}, "config"),
        ({"name": "N", "config": None}, "config"),
        ({"name": "N", "config": {"k": "x" * MAX_DOCUMENT}}, "config"),
        ({"name": "N", "config": {"k": 1e22}}, "config"),
        ({"name": "N", "id": NOWHERE}, "id"),
        ({"name": "N", "version": 3}, "version"),
        ({"name": "N", "archived_at": None}, "archived_at"),
        ([], "body"),
    ],
)
def test_a_definition(alice: Person, body: Any, field: str) -> None:
    assert fields(send(alice.client, "POST", AGENTS, json.dumps(body))) == [field]
    assert not Agent.objects.exists()


def test_an_unknown_type_is_answered_with_those_that_there_are(alice: Person) -> None:
    answer = send(alice.client, "POST", AGENTS, {"name": "N", "agent_type": "wizard"})
    [sentence] = refused(answer, 422, "validation_error")["details"]["agent_type"]
    assert sentence == (
        "wizard is not a type of agent; there are planner, builder, reviewer, tester, orchestrator, utility."
    )


@pytest.mark.parametrize(
    "body",
    [
        {"name": "🚀" * 200, "description": "é" * 20_000, "default_model": "m" * 200},
        {"name": "N", "capabilities": ["c" * 100] * 100, "system_prompt": "x" * MAX_TEXT},
        {"name": "N", "config": {"k": "x" * (MAX_DOCUMENT - 8)}},
    ],
)
def test_the_limits_themselves_are_allowed(alice: Person, body: dict[str, Any]) -> None:
    assert made(alice, AGENTS, body)["name"] == body["name"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"agent_id": None}, "agent_id"),
        ({"agent_id": "x"}, "agent_id"),
        ({"agent_id": 5}, "agent_id"),
        ({"agent_id": f"urn:uuid:{NOWHERE}"}, "agent_id"),
        ({"session_id": ""}, "session_id"),
        ({"session_id": None}, "session_id"),
        ({"session_id": 7}, "session_id"),
        ({"session_id": "x" * 201}, "session_id"),
        ({"parent_id": "x"}, "parent_id"),
        ({"name": "x" * 201}, "name"),
        ({"config": "x"}, "config"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"k": "x" * MAX_DOCUMENT}}, "metadata"),
        ({"status": "idle"}, "status"),
        ({"input_tokens": 5}, "input_tokens"),
    ],
)
def test_an_instance(alice: Person, change: dict[str, Any], field: str) -> None:
    body = {"agent_id": define(alice)["id"], "session_id": "s", **change}
    assert fields(send(alice.client, "POST", RUNTIME, body)) == [field]
    assert not RuntimeAgent.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"runtime_agent_id": "x"}, "runtime_agent_id"),
        ({"prompt_type": "chat"}, "prompt_type"),
        ({"prompt_type": None}, "prompt_type"),
        ({"prompt_text": ""}, "prompt_text"),
        ({"prompt_text": None}, "prompt_text"),
        ({"prompt_text": "x" * (MAX_TEXT + 1)}, "prompt_text"),
        ({"prompt_name": "x" * 201}, "prompt_name"),
        ({"model": 5}, "model"),
        ({"response_text": "x"}, "response_text"),
        ({"status": "completed"}, "status"),
    ],
)
def test_a_prompt(alice: Person, change: dict[str, Any], field: str) -> None:
    body = {"runtime_agent_id": register(alice)["id"], "prompt_type": "adw", "prompt_text": "x", **change}
    answer = send(alice.client, "POST", PROMPTS, body)
    assert fields(answer) == [field]
    if field == "prompt_type" and change[field]:
        assert "adw, command, followup, correction, tool_call" in answer.json()["details"][field][0]
    assert not Prompt.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"status": "done"}, {"response_text": None}, {"response_text": "x" * (MAX_TEXT + 1)}, {"error": 5},
        {"error": "x" * 20_001}, {"model": "x" * 201}, {"input_tokens": -1}, {"input_tokens": 1.5},
        {"input_tokens": "5"}, {"input_tokens": True}, {"output_tokens": 10**9 + 1}, {"output_tokens": None},
        {"cost_usd": -0.01}, {"cost_usd": "0.5"}, {"cost_usd": True}, {"cost_usd": None}, {"cost_usd": 10**6 + 1},
        {"cost_usd": []}, {"latency_ms": -1}, {"latency_ms": 2**31}, {"prompt_text": "x"}, {"version": 2},
    ],
)  # fmt: skip
def test_an_answer(alice: Person, body: dict[str, Any]) -> None:
    prompt = ask(alice, register(alice))
    assert fields(send(alice.client, "PATCH", f"{PROMPTS}/{prompt['id']}", body)) == list(body)
    assert Prompt.objects.get().version == 1


@pytest.mark.parametrize("body", [{}, {"reason": "x"}, {"status": "idle", "reason": "x" * 501}, {"name": "x"}])
def test_a_change_of_status(alice: Person, body: dict[str, Any]) -> None:
    agent = register(alice)
    refused(send(alice.client, "PATCH", f"{RUNTIME}/{agent['id']}", body), 422, "validation_error")


@pytest.mark.parametrize("body", [{"status": "idle"}, {"status": "lost"}, {"status": None}, {"reason": "x"}])
def test_an_end(alice: Person, body: dict[str, Any]) -> None:
    agent = register(alice)
    told = refused(send(alice.client, "POST", f"{RUNTIME}/{agent['id']}/stop", body), 422, "validation_error")
    if body.get("status"):
        assert "cancelled, completed, failed" in told["details"]["status"][0]
    assert RuntimeAgent.objects.get().status == "initializing"


def test_all_faults_are_named_together(alice: Person) -> None:
    body = {"name": "", "agent_type": "x", "capabilities": [""], "config": [], "bogus": 1}
    assert fields(send(alice.client, "POST", AGENTS, body)) == sorted(body)
