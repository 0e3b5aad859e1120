"""What is not a task, and what is not even JSON."""

import json
import uuid
from typing import Any

import pytest

from conftest import Person
from tasks.models import MAX_LABELS, Task
from tasks.tests.calls import JSON, TASKS, add, of, refused, send


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": None}, "title"),
        ({"title": ""}, "title"),
        ({"title": " \n\t"}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": True}, "title"),
        ({"title": ["x"]}, "title"),
        ({"title": {}}, "title"),
        ({"title": "T", "description": None}, "description"),
        ({"title": "T", "description": "x" * 20_001}, "description"),
        ({"title": "T", "priority": -1}, "priority"),
        ({"title": "T", "priority": 101}, "priority"),
        ({"title": "T", "priority": 1.5}, "priority"),
        ({"title": "T", "priority": "high"}, "priority"),
        ({"title": "T", "priority": True}, "priority"),
        ({"title": "T", "priority": None}, "priority"),
        ({"title": "T", "priority": 2**53 - 1}, "priority"),
        ({"title": "T", "max_attempts": 0}, "max_attempts"),
        ({"title": "T", "max_attempts": 101}, "max_attempts"),
        ({"title": "T", "max_attempts": "3"}, "max_attempts"),
        ({"title": "T", "attempts": 1}, "attempts"),
        ({"title": "T", "assignee": "x" * 201}, "assignee"),
        ({"title": "T", "assignee": None}, "assignee"),
        ({"title": "T", "labels": "ops"}, "labels"),
        ({"title": "T", "labels": None}, "labels"),
        ({"title": "T", "labels": {"ops": 1}}, "labels"),
        ({"title": "T", "labels": ["ok", ""]}, "labels"),
        ({"title": "T", "labels": [" "]}, "labels"),
        ({"title": "T", "labels": [None]}, "labels"),
        ({"title": "T", "labels": [["x"]]}, "labels"),
        ({"title": "T", "labels": ["x" * 51]}, "labels"),
        ({"title": "T", "labels": [str(n) for n in range(MAX_LABELS + 1)]}, "labels"),
        ({"title": "T", "depends_on": "x"}, "depends_on"),
        ({"title": "T", "titel": "x"}, "titel"),
        ({"title": "T", "status": "done"}, "status"),
        ({"title": "T", "id": str(uuid.uuid4())}, "id"),
        ({"title": "T", "version": 7}, "version"),
        ({"title": "T", "created_by": "system"}, "created_by"),
        ({"title": "T", "org": str(uuid.uuid4())}, "org"),
        ([], "body"),
        ("T", "body"),
        (None, "body"),
    ],
)
def test_a_fault_is_named_by_its_field(alice: Person, body: Any, field: str) -> None:
    answer = send(alice.client, "POST", TASKS, json.dumps(body))
    assert list(refused(answer, 422, "validation_error")["details"]) == [field]
    assert not Task.objects.exists()


def test_all_faults_are_named_together(alice: Person) -> None:
    answer = send(alice.client, "POST", TASKS, {"title": "", "priority": 101, "bogus": 1})
    assert set(refused(answer, 422, "validation_error")["details"]) == {"title", "priority", "bogus"}


@pytest.mark.parametrize(
    "body",
    [
        {"title": "x" * 200},
        {"title": "é" * 200},
        {"title": "🚀" * 200},
        {"title": "T", "description": "x" * 20_000, "assignee": "x" * 200, "labels": ["🚀" * 50], "priority": 100},
        {"title": "T", "labels": [str(n) for n in range(MAX_LABELS)]},
    ],
)
def test_the_limits_themselves_are_allowed(alice: Person, body: dict[str, Any]) -> None:
    task = add(alice, **body)
    assert task["title"] == body["title"]
    assert task["labels"] == sorted(body.get("labels", []))


@pytest.mark.parametrize(
    ("raw", "status", "kind"),
    [
        (b" ", 400, "malformed_request"),
        (b"{", 400, "malformed_request"),
        (b"{'title': 'T'}", 400, "malformed_request"),
        (b'{"title": "T"} trailing', 400, "malformed_request"),
        (b'{"title": "\xff"}', 400, "malformed_request"),
        (b'{"title": "T", "description": "\\u0000"}', 422, "validation_error"),
        (b'{"title": "\\ud800"}', 422, "validation_error"),
        (b'{"title": "T", "priority": NaN}', 422, "validation_error"),
        (b'{"title": "T", "priority": Infinity}', 422, "validation_error"),
        (b'{"title": "T", "priority": 1e999}', 422, "validation_error"),
        (b'{"title": "T", "priority": 9007199254740993}', 422, "validation_error"),
        (b'{"title": "T", "title": "U"}', 422, "validation_error"),
        (b'{"title": "T", "labels": ' + b"[" * 100 + b"]" * 100 + b"}", 422, "validation_error"),
        (b'{"title": "' + b"x" * 1024 * 1024 + b'"}', 413, "payload_too_large"),
    ],
)
def test_what_no_honest_client_sends_is_refused(alice: Person, raw: bytes, status: int, kind: str) -> None:
    refused(send(alice.client, "POST", TASKS, raw), status, kind)
    assert not Task.objects.exists()


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_other_media_types_are_415(alice: Person, media_type: str) -> None:
    answer = alice.client.generic("POST", TASKS, b'{"title": "T"}', content_type=media_type)
    refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("bad", ["x", "1", "..", "%00", "0" * 36, "{}0", "%7B{}%7D"])
@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/transition")])
def test_a_malformed_id_is_404(alice: Person, bad: str, method: str, suffix: str) -> None:
    known = add(alice)["id"]
    answer = send(alice.client, method, f"{TASKS}/{bad.format(known)}{suffix}", {"status": "todo"}, if_match="*")
    refused(answer, 404, "not_found")


def test_an_id_in_capitals_names_the_same_task(alice: Person) -> None:
    task = add(alice)
    assert alice.client.get(f"{TASKS}/{task['id'].upper()}").json()["id"] == task["id"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", TASKS, {"GET", "POST", "HEAD", "OPTIONS"}),
        ("DELETE", TASKS, {"GET", "POST", "HEAD", "OPTIONS"}),
        ("POST", "/api/v1/collab/state/tasks", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "{}", {"GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}),
        ("GET", "{}/transition", {"POST", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_and_names_the_right_ones(
    alice: Person, method: str, path: str, allowed: set[str]
) -> None:
    answer = send(alice.client, method, path.format(of(add(alice))))
    refused(answer, 405, "method_not_allowed")
    assert set(answer["Allow"].split(", ")) == allowed


def test_a_single_task_takes_no_parameters(alice: Person) -> None:
    answer = alice.client.get(f"{of(add(alice))}?expand=1")
    assert list(refused(answer, 422, "validation_error")["details"]) == ["expand"]


def test_an_empty_body_is_not_a_transition(alice: Person) -> None:
    answer = alice.client.generic("POST", f"{of(add(alice))}/transition", b"", content_type=JSON)
    assert answer.status_code in (400, 422)
