"""Which status may follow which: every pair, through the API, against a table that is written out here by itself."""

import itertools
from typing import Any

import pytest
import time_machine

from agents.models import Prompt, RuntimeAgent
from agents.services import instances
from agents.states import PromptStatus, RuntimeStatus
from agents.tests.calls import PROMPTS, RUNTIME, ask, move, read, refused, register, send
from conftest import Person
from orchestrator.events.models import Event

WORK = {"idle", "planning", "executing", "reviewing"}
ENDS = {"completed", "failed", "cancelled"}
# What a caller may ask for; "lost" is never asked for.
RUNTIME_TABLE = {
    "initializing": {"idle", "planning", "executing", "failed", "cancelled"},
    "idle": {"planning", "executing", "reviewing", "completed", "failed", "cancelled"},
    "planning": {"idle", "executing", "reviewing", "completed", "failed", "cancelled"},
    "executing": {"idle", "planning", "reviewing", "completed", "failed", "cancelled"},
    "reviewing": {"idle", "planning", "executing", "completed", "failed", "cancelled"},
    "lost": {"initializing", "idle", "planning", "executing", "reviewing", "failed", "cancelled"},
    "completed": set(),
    "failed": set(),
    "cancelled": set(),
}
PROMPT_TABLE = {
    "pending": {"streaming", "completed", "failed", "cancelled"},
    "streaming": {"completed", "failed", "cancelled"},
    "completed": set(),
    "failed": set(),
    "cancelled": set(),
}
PAIRS = list(itertools.product(RuntimeStatus.values, [value for value in RuntimeStatus.values if value != "lost"]))


def of(agent: Any) -> str:
    return f"{RUNTIME}/{agent['id']}"


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_runtime_agent_moves_by_the_table(alice: Person, old: str, new: str) -> None:
    agent = register(alice)
    RuntimeAgent.objects.filter(pk=agent["id"]).update(status=old)
    answer = move(alice, agent, new)
    if new in RUNTIME_TABLE[old]:
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["version"]) == (new, 2)
        event = Event.objects.get(event="agent_status_changed")
        assert event.target == f"runtime_agent:{agent['id']}"
        assert (event.details["old_status"], event.details["new_status"]) == (old, new)
    else:
        told = refused(answer, 409, "invalid_transition")["details"]
        assert (told["from"], told["to"]) == (old, new)
        assert set(told["allowed"]) - {"lost"} == RUNTIME_TABLE[old]
        assert read(alice, of(agent))["version"] == 1


def test_both_tables_are_whole() -> None:
    assert set(RUNTIME_TABLE) == set(RuntimeStatus.values)
    assert set(PROMPT_TABLE) == set(PromptStatus.values)


@pytest.mark.parametrize("status", ["lost", "", "working", "IDLE", None, 1, [], {}])
def test_what_nobody_may_ask_for_is_answered_with_what_they_may(alice: Person, status: Any) -> None:
    agent = register(alice)
    told = refused(send(alice.client, "PATCH", of(agent), {"status": status}), 422, "validation_error")["details"]
    assert list(told) == ["status"]
    if isinstance(status, str):
        assert "initializing, idle, planning, executing, reviewing, completed, failed, cancelled" in told["status"][0]


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("old", RuntimeStatus.values)
def test_stop_ends_what_can_end_so_and_leaves_what_has_ended(alice: Person, old: str, end: str) -> None:
    agent = register(alice)
    RuntimeAgent.objects.filter(pk=agent["id"]).update(status=old)
    answer = send(alice.client, "POST", f"{of(agent)}/stop", {"status": end})
    if old in ENDS:
        assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, old, 1)
    elif end in RUNTIME_TABLE[old]:
        assert (answer.status_code, answer.json()["status"]) == (200, end)
        assert answer.json()["completed_at"] is not None
    else:
        refused(answer, 409, "invalid_transition")


def test_stop_cancels_when_nothing_is_said_and_is_idempotent(alice: Person) -> None:
    agent = register(alice)
    first, second = (send(alice.client, "POST", f"{of(agent)}/stop") for _ in range(2))
    assert first.json()["status"] == "cancelled"
    assert first.json() == second.json()
    assert first["ETag"] == second["ETag"]
    assert Event.objects.filter(event="agent_status_changed").count() == 1


def test_the_stamps_of_a_life(alice: Person) -> None:
    agent, seen = register(alice), []
    with time_machine.travel("2099-01-01T00:00:00Z", tick=False) as now:
        for status in ("idle", "planning", "idle", "executing", "completed"):
            now.shift(1)
            row = instances.set_status(actor=alice.actor, instance_id=agent["id"], status=status)
            stamps = (row.started_at, row.completed_at, row.updated_at)
            seen.append(tuple(stamp and stamp.second for stamp in stamps))
    assert seen == [(None, None, 1), (2, None, 2), (2, None, 3), (2, None, 4), (2, 5, 5)]


def test_a_reason_is_kept_in_the_log(alice: Person) -> None:
    agent = register(alice)
    send(alice.client, "PATCH", of(agent), {"status": "failed", "reason": "out of memory"})
    event = Event.objects.get(event="agent_status_changed")
    assert event.details["reason"] == "out of memory"
    assert event.details["session_id"] == "s1"


def test_if_match_is_optional_and_kept_when_sent(alice: Person) -> None:
    agent = register(alice)
    old = alice.client.get(of(agent))["ETag"]
    assert move(alice, agent, "idle").status_code == 200
    refused(move(alice, agent, "planning", if_match=old), 412, "precondition_failed")
    assert move(alice, agent, "planning", if_match=alice.client.get(of(agent))["ETag"]).status_code == 200
    assert move(alice, agent, "idle", if_match="*").status_code == 200


@pytest.mark.parametrize(("old", "new"), list(itertools.product(PromptStatus.values, repeat=2)))
def test_a_prompt_moves_by_the_table(alice: Person, old: str, new: str) -> None:
    prompt = ask(alice, register(alice))
    Prompt.objects.filter(pk=prompt["id"]).update(status=old)
    answer = send(alice.client, "PATCH", f"{PROMPTS}/{prompt['id']}", {"status": new})
    if new in PROMPT_TABLE[old]:
        assert answer.status_code == 200
        assert answer.json()["status"] == new
        assert (answer.json()["completed_at"] is not None) == (new in ENDS)
    elif old == new:
        assert answer.status_code == 200
        assert answer.json()["version"] == (1 if old in ENDS else 2)
    else:
        told = refused(answer, 409, "invalid_transition")["details"]
        assert set(told["allowed"]) == PROMPT_TABLE[old]
