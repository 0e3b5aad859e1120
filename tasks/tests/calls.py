"""Short forms of what most of these tests do."""

from typing import Any

from django.test import Client

from conftest import Person

TASKS = "/api/v1/collab/tasks"
STATE = "/api/v1/collab/state/tasks"
LEASES = "/api/v1/collab/leases"
LEASE_STATE = "/api/v1/collab/state/leases"
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


def ask(person: Person, holder: str = "h", **wanted: Any) -> Any:
    """The answer to a holder who wants work."""
    return send(person.client, "POST", f"{LEASES}/acquire", {"holder": holder, **wanted})


def acquire(person: Person, task: Any = None, holder: str = "h", **wanted: Any) -> Any:
    """A new lease, of the task if it is given, as the JSON of the answer."""
    named = {"task_id": task["id"]} if task else {}
    answer = ask(person, holder, **named, **wanted)
    assert answer.status_code == 200, answer.content
    return answer.json()


def act(person: Person, action: str, lease: Any, **body: Any) -> Any:
    """The answer to a holder who does something with what ``acquire`` gave."""
    path = f"{LEASES}/{lease['lease_id']}/{action}"
    return send(person.client, "POST", path, {"token": lease["token"], **body})


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
