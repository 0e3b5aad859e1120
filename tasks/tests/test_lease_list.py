"""GET /api/v1/collab/state/leases: who works on what."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.api import lists
from orchestrator.core import clock
from tasks.tests.calls import LEASE_STATE, LEASES, acquire, act, add, of, refused, send


def listed(person: Person, query: str = "") -> list[str]:
    answer = person.client.get(f"{LEASE_STATE}?{query}")
    assert answer.status_code == 200, answer.content
    assert answer.json()["kind"] == "leases"
    return [item["holder"] for item in answer.json()["items"]]


@pytest.fixture
def three(alice: Person) -> dict[str, Any]:
    """One lease that is over, two that are not; the last is of a task that the first was of."""
    first, second = add(alice), add(alice)
    over = acquire(alice, first, "over")
    act(alice, "release", over)
    return {"over": over, "ann": acquire(alice, second, "ann"), "bert": acquire(alice, first, "bert")}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["bert", "ann"]),
        ("active=true", ["bert", "ann"]),
        ("active=false", ["over"]),
        ("active=any", ["bert", "ann", "over"]),
        ("holder=ann", ["ann"]),
        ("holder=over", []),
        ("holder=over&active=any", ["over"]),
        ("limit=1", ["bert"]),
    ],
)
def test_the_filters(alice: Person, three: Any, query: str, expected: list[str]) -> None:
    assert listed(alice, query) == expected


def test_a_tasks_leases(alice: Person, three: Any) -> None:
    task = three["over"]["task"]["id"]
    assert listed(alice, f"task={task}") == ["bert"]
    assert listed(alice, f"task={task}&active=any") == ["bert", "over"]


def test_an_item_is_the_lease_without_its_result(alice: Person) -> None:
    lease = acquire(alice, add(alice))
    act(alice, "complete", lease, result={"long": "x"})
    [item] = alice.client.get(f"{LEASE_STATE}?active=any").json()["items"]
    whole = alice.client.get(f"{LEASES}/{lease['lease_id']}").json()
    assert whole.pop("result") == {"long": "x"}
    assert item == whole


@pytest.mark.parametrize("query", ["active=maybe", "active=", "task=x", "holder=" + "x" * 201, "status=todo"])
def test_a_senseless_filter_is_422(alice: Person, query: str) -> None:
    answer = alice.client.get(f"{LEASE_STATE}?{query}")
    if query == "active=":
        assert answer.status_code == 200
    else:
        assert list(refused(answer, 422, "validation_error")["details"]) == [query.partition("=")[0]]


def test_pages_hang_together(alice: Person, three: Any) -> None:
    first = alice.client.get(f"{LEASE_STATE}?active=any&limit=2").json()
    rest = alice.client.get(f"{LEASE_STATE}?active=any&limit=2&cursor={first['next_cursor']}").json()
    assert [item["holder"] for item in first["items"] + rest["items"]] == ["bert", "ann", "over"]
    assert rest["next_cursor"] is None


def test_the_tag_changes_with_whatever_the_list_shows(alice: Person) -> None:
    """A renewal is no event, and a deleted task takes its leases along without one of theirs."""

    def changed(path: str = f"{LEASE_STATE}?active=any") -> bool:
        before = tags.get(path)
        answer = alice.client.get(path, headers={"If-None-Match": before} if before else {})
        tags[path] = answer["ETag"]
        return bool(answer.status_code == 200)

    tags: dict[str, str] = {}
    task = add(alice)
    with time_machine.travel(clock.now(), tick=False) as traveller:
        assert changed()
        assert not changed()
        lease = acquire(alice, task)
        assert changed()
        traveller.shift(timedelta(seconds=1))
        act(alice, "heartbeat", lease)
        assert changed()
        assert not changed()
        act(alice, "release", lease)
        assert changed()
        send(alice.client, "DELETE", of(task), if_match="*")
        assert changed()
    assert listed(alice, "active=any") == []


def queries_of(person: Person, path: str, **headers: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert person.client.get(path, headers=headers).status_code in (200, 304)
    return [query["sql"] for query in captured.captured_queries]


def test_any_number_of_leases_costs_the_same(alice: Person) -> None:
    counts = []
    for more in (2, 8):
        for _ in range(more):
            acquire(alice, add(alice))
        lists.forget()
        counts.append(len(queries_of(alice, LEASE_STATE)))
    assert counts[0] == counts[1] == 5  # who asks, the revision of two kinds, the last renewal, leases


def test_an_unchanged_list_is_not_read_again(alice: Person) -> None:
    acquire(alice, add(alice))
    etag = alice.client.get(LEASE_STATE)["ETag"]
    for headers in ({}, {"If-None-Match": etag}):
        asked = [sql for sql in queries_of(alice, LEASE_STATE, **headers) if "tasks_tasklease" in sql]
        assert len(asked) == 1
        assert "MAX(renewed_at)" in asked[0]


def test_lists_are_apart(alice: Person, mallory: Person, three: Any) -> None:
    assert listed(mallory, "active=any") == []
    assert listed(mallory, f"active=any&task={three['ann']['task']['id']}") == []
    acquire(mallory, add(mallory), "hers")
    assert listed(mallory) == ["hers"]


def test_a_claim_costs_the_same_with_any_number_of_tasks(alice: Person) -> None:
    counts = []
    for more in (1, 20):
        for _ in range(more):
            add(alice, labels=["a"])
        with CaptureQueriesContext(connection) as captured:
            acquire(alice, labels=["a"])
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_a_heartbeat_is_one_small_write(alice: Person) -> None:
    lease = acquire(alice, add(alice))
    with CaptureQueriesContext(connection) as captured:
        act(alice, "heartbeat", lease)
    writes = [query["sql"] for query in captured.captured_queries if "UPDATE" in query["sql"].split()[:1]]
    assert len(writes) == 1, writes
    assert not [query for query in captured.captured_queries if "INSERT" in query["sql"]]
