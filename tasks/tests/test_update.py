"""PUT replaces, PATCH changes; both give the next version."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from conftest import Person
from orchestrator.core import clock
from tasks.tests.calls import add, of, read, refused, send

FULL: dict[str, Any] = {
    "title": "Full",
    "description": "text",
    "priority": 7,
    "assignee": "ann",
    "max_attempts": 9,
    "labels": ["x", "y"],
}


def test_put_takes_what_is_left_out_back_to_its_default(alice: Person) -> None:
    task = add(alice, **FULL, depends_on=[add(alice)["id"]])
    answer = send(alice.client, "PUT", of(task), {"title": "Bare"}, if_match=task["etag"])
    assert answer.status_code == 200
    written = answer.json()
    assert written["title"] == "Bare"
    assert (written["description"], written["priority"], written["assignee"]) == ("", 0, "")
    assert written["max_attempts"] == 3
    assert (written["labels"], written["depends_on"]) == ([], [])


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"description": ""},
        {"priority": 0},
        {"assignee": "bert"},
        {"max_attempts": 100},
        {"labels": []},
        {"labels": ["a", "y"]},
        {"title": "Other", "labels": ["q"]},
        {},
    ],
)
def test_patch_leaves_the_rest_as_it_is(alice: Person, change: dict[str, Any]) -> None:
    other = add(alice)
    task = add(alice, **FULL, depends_on=[other["id"]])
    answer = send(alice.client, "PATCH", of(task), change, if_match=task["etag"])
    assert answer.status_code == 200
    moving = {"etag", "version", "updated_at"}
    expected = {name: value for name, value in {**task, **change}.items() if name not in moving}
    assert {name: value for name, value in answer.json().items() if name not in moving} == expected


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_answer_is_the_task_as_it_is_now(alice: Person, method: str) -> None:
    task = add(alice)
    answer = send(alice.client, method, of(task), {"title": "New", "labels": ["b", "a"]}, if_match=task["etag"])
    again = alice.client.get(of(task))
    assert (again.content, again["ETag"]) == (answer.content, answer["ETag"])
    assert answer["ETag"] != task["etag"]


def test_each_write_adds_one_to_the_version_and_moves_updated_at(alice: Person) -> None:
    made_at = clock.now() + timedelta(minutes=1)  # her token must be valid then
    with time_machine.travel(made_at, tick=False) as traveller:
        task = add(alice)
        traveller.shift(timedelta(seconds=1))
        send(alice.client, "PATCH", of(task), {"title": "A"}, if_match="*")
        traveller.shift(timedelta(seconds=1))
        send(alice.client, "PUT", of(task), {"title": "B"}, if_match="*")
        traveller.shift(timedelta(seconds=1))
        send(alice.client, "POST", f"{of(task)}/transition", {"status": "blocked"})
        written = read(alice, task)
    assert written["version"] == 4
    assert written["created_at"] == clock.rfc3339(made_at)
    assert written["updated_at"] == clock.rfc3339(made_at + timedelta(seconds=3))


def test_neither_id_nor_author_nor_creation_ever_change(alice: Person, bob: Person) -> None:
    task = add(alice)
    written = send(bob.client, "PUT", of(task), {"title": "His"}, if_match="*").json()
    assert {name: written[name] for name in ("id", "created_by", "created_at")} == {
        name: task[name] for name in ("id", "created_by", "created_at")
    }


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_status_moves_by_transitions_alone(alice: Person, method: str) -> None:
    task = add(alice)
    body = {"title": "T", "status": "done"}
    assert (
        "status"
        in refused(send(alice.client, method, of(task), body, if_match="*"), 422, "validation_error")["details"]
    )
    assert read(alice, task)["status"] == "todo"


def test_put_needs_the_title_and_patch_does_not(alice: Person) -> None:
    task = add(alice)
    answer = send(alice.client, "PUT", of(task), {"priority": 1}, if_match="*")
    assert list(refused(answer, 422, "validation_error")["details"]) == ["title"]
    assert send(alice.client, "PATCH", of(task), {"priority": 1}, if_match="*").status_code == 200


def test_a_refused_write_changes_nothing(alice: Person) -> None:
    task = add(alice, **FULL)
    body = {"title": "New", "labels": ["new"], "depends_on": [task["id"]]}
    refused(send(alice.client, "PATCH", of(task), body, if_match="*"), 422, "validation_error")
    assert alice.client.get(of(task))["ETag"] == task["etag"]
