"""The page of a run says what it waits for."""

import pytest

from conftest import Person
from runs.pages.waits import sentences
from runs.tests.steps import carry, start, start_graph


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ({"node": "review", "kind": "approval", "title": "Publish?"}, "review: somebody's decision “Publish?”"),
        ({"node": "ask", "kind": "agent", "agent": "writer"}, "ask: the answer of an agent writer, not taken yet"),
        (
            {"node": "ask", "kind": "agent", "agent": "writer", "attempt": 2, "prompt_id": "x"},
            "ask: the answer of an agent writer (attempt 2)",
        ),
        ({"node": "nap", "kind": "timer", "until": "2030-01-01T12:00:00.000000Z"}, "nap: 2030-01-01 12:00:00 UTC"),
        (
            {"node": "get", "kind": "retry", "at": "2030-01-01T12:00:00.000000Z", "error": "timeout"},
            "get: another attempt at 2030-01-01 12:00:00 UTC, after timeout",
        ),
        ({"node": "call", "kind": "run", "workflow": "inner"}, "call: its run of inner"),
        ({"node": "each", "kind": "items", "total": 5, "made": 3, "ended": 2}, "each: 3 of 5 items"),
        (
            {"kind": "limit", "scope": "workflow:daily", "limit": 2, "holders": ["a", "b"]},
            "one of the 2 slots of workflow:daily, held by 2",
        ),
        ({"kind": "queue", "position": 3, "ahead": 2}, "a free worker; number 3 in line"),
        (
            {"kind": "cancel", "until": "2030-01-01T12:00:00.000000Z"},
            "what is being executed to stop, until 2030-01-01 12:00:00 UTC at the longest",
        ),
        ({"node": "own", "kind": "carrier-pigeon"}, "own: carrier-pigeon"),
    ],
)
def test_each_reason_is_a_sentence(reason: dict[str, object], told: str) -> None:
    assert sentences([reason]) == [told]


def test_the_page_of_a_queued_and_of_a_waiting_run_says_so(alice: Person) -> None:
    alice.client.force_login(alice.user)
    queued = start(alice)
    assert "a free worker; number 1 in line" in alice.client.get(f"/dashboard/runs/{queued.id}").content.decode()
    approval = {"type": "approval", "with": {"title": "Go on?"}}
    waiting = carry(start_graph(alice, {"review": approval}))
    page = alice.client.get(f"/dashboard/runs/{waiting.id}").content.decode()
    assert "review: somebody&#x27;s decision “Go on?”" in page
    assert "Waits for" not in alice.client.get(f"/dashboard/runs/{carry(queued).id}").content.decode()
