"""Short forms of what most of these tests do."""

from typing import Any

from django.test import Client

from conftest import Person

TASKS = "/api/v1/collab/tasks"
STATE = "/api/v1/collab/state/tasks"
JSON = "application/json"


def send(client: Client, method: str, path: str, body: Any = None, if_match: str | None = None, **headers: str) -> Any:
    """A request with a JSON body: bytes and text go as they are."""
    if if_match is not None:
        headers["If-Match"] = if_match
    data = "" if body is None else body
    return client.generic(method, path, _encoded(client, data), content_type=JSON, headers=headers)


def add(person: Person, title: str = "Demo", **fields: Any) -> Any:
    """A new task, as its JSON with the tag of its answer under ``etag``."""
    answer = send(person.client, "POST", TASKS, {"title": title, **fields})
    assert answer.status_code == 200, answer.content
    return {**answer.json(), "etag": answer["ETag"]}


def of(task: Any) -> str:
    return f"{TASKS}/{task['id']}"


def read(person: Person, task: Any) -> Any:
    answer = person.client.get(of(task))
    assert answer.status_code == 200, answer.content
    return answer.json()


def titles(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["title"] for item in answer.json()["items"]]


def refused(answer: Any, status: int, kind: str) -> Any:
    """The error body, after a look at its form (CONTRACT §2)."""
    assert (answer.status_code, answer.json()["type"]) == (status, kind), answer.content
    assert set(answer.json()) <= {"type", "message", "details", "request_id"}
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    return answer.json()


def _encoded(client: Client, data: Any) -> Any:
    return data if isinstance(data, str | bytes) else client._encode_json(data, JSON)
