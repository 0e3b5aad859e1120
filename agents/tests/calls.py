"""Short forms of what most of these tests do."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conftest import Person

AGENTS = "/api/v1/agents"
RUNTIME = "/api/v1/runtime/agents"
PROMPTS = "/api/v1/runtime/prompts"
LOGS = "/api/v1/runtime/logs"
JSON = "application/json"
NOWHERE = "01900000-0000-7000-8000-000000000000"


def send(client: Client, method: str, path: str, body: Any = None, if_match: str | None = None, **headers: str) -> Any:
    """A request with a JSON body: bytes and text go as they are."""
    if if_match is not None:
        headers["If-Match"] = if_match
    data = body if isinstance(body, str | bytes) else b"" if body is None else json.dumps(body)
    return client.generic(method, path, data, content_type=headers.pop("type", JSON), headers=headers)


def made(person: Person, path: str, body: dict[str, Any]) -> Any:
    answer = send(person.client, "POST", path, body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def define(person: Person, name: str = "Builder", **fields: Any) -> Any:
    return made(person, AGENTS, {"name": name, **fields})


def register(person: Person, definition: Any = None, session: str = "s1", **fields: Any) -> Any:
    """A runtime agent; of a new definition when none is given."""
    if definition is None:
        found = items(person.client.get(f"{AGENTS}?q=Builder"))
        definition = found[0] if found else define(person)
    return made(person, RUNTIME, {"agent_id": definition["id"], "session_id": session, **fields})


def ask(person: Person, agent: Any, text: str = "Build it.", **fields: Any) -> Any:
    body = {"runtime_agent_id": agent["id"], "prompt_type": "command", "prompt_text": text, **fields}
    return made(person, PROMPTS, body)


def line(agent: Any, message: str = "Done.", level: str = "INFO", **fields: Any) -> dict[str, Any]:
    return {"runtime_agent_id": agent["id"], "level": level, "message": message, **fields}


def log(person: Person, *lines: dict[str, Any]) -> Any:
    return made(person, LOGS, {"logs": list(lines)})


def move(person: Person, agent: Any, status: str, **headers: str) -> Any:
    return send(person.client, "PATCH", f"{RUNTIME}/{agent['id']}", {"status": status}, **headers)


def moved(person: Person, agent: Any, *statuses: str) -> Any:
    """The runtime agent after these changes of status."""
    for status in statuses:
        answer = move(person, agent, status)
        assert answer.status_code == 200, answer.content
    return answer.json()


def read(person: Person, path: str) -> Any:
    answer = person.client.get(path)
    assert answer.status_code == 200, answer.content
    return answer.json()


def items(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.content
    found: list[Any] = answer.json()["items"]
    return found


def refused(answer: Any, status: int, kind: str) -> Any:
    """The error body, after a look at its form (CONTRACT §2)."""
    assert (answer.status_code, answer.json()["type"]) == (status, kind), answer.content
    assert set(answer.json()) <= {"type", "message", "details", "request_id"}
    return answer.json()


def statements(call: Callable[[], Any]) -> list[str]:
    """The SQL of a call."""
    with CaptureQueriesContext(connection) as captured:
        call()
    return [query["sql"] for query in captured.captured_queries]


def race(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The answers of calls that start at one moment, each on a connection of its own."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            start.wait(10)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
