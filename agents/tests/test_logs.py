"""Lines in: one, a batch, NDJSON; all of them or none."""

import json
from typing import Any

import pytest

from agents.models import MAX_DOCUMENT, MAX_LINE, AgentLog
from agents.tests.calls import JSON, LOGS, NOWHERE, line, log, read, refused, register, send, statements
from conftest import Person
from orchestrator.events.models import Event

NDJSON = "application/x-ndjson"


def ndjson(*lines: Any) -> bytes:
    return b"".join(json.dumps(found).encode() + b"\n" for found in lines)


def messages() -> list[str]:
    return list(AgentLog.objects.order_by("id").values_list("message", flat=True))


@pytest.mark.parametrize("base", ["/api/v1/runtime/logs", "/api/runtime/logs"])
def test_one_line(alice: Person, base: str) -> None:
    agent = register(alice)
    sent = line(agent, "Half way.", "WARNING", log_type="milestone", details={"percent": 50, "of": [1, {"é": 0.5}]})
    answer = send(alice.client, "POST", base, sent)
    assert answer.status_code == 201
    [kept] = read(alice, base)["items"]
    assert answer.json() == {"appended": 1, "first_id": kept["id"], "last_id": kept["id"]}
    assert kept == {**sent, "id": kept["id"], "created_at": kept["created_at"]}


def test_only_agent_level_and_message_must_be_said(alice: Person) -> None:
    log(alice, line(register(alice)))
    [kept] = read(alice, LOGS)["items"]
    assert (kept["log_type"], kept["details"]) == ("", {})


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_a_batch_keeps_its_order(alice: Person, form: str) -> None:
    first, second = register(alice), register(alice)
    lines = [line((first, second)[number % 2], f"n{number}") for number in range(250)]
    body, kind = (json.dumps({"logs": lines}), JSON) if form == "json" else (ndjson(*lines), NDJSON)
    answer = send(alice.client, "POST", LOGS, body, type=kind)
    assert answer.status_code == 201, answer.content
    rows = list(AgentLog.objects.order_by("id"))
    assert [row.message for row in rows] == [f"n{number}" for number in range(250)]
    assert answer.json() == {"appended": 250, "first_id": str(rows[0].id), "last_id": str(rows[-1].id)}
    events = Event.objects.filter(event="agent_logged", kind="agent_logs").order_by("seq")
    assert [event.target for event in events] == [f"runtime_agent:{agent['id']}" for agent in (first, second)]
    assert [event.details["lines"] for event in events] == [125, 125]
    assert events[1].details["first"] == str(rows[1].id)
    assert events[1].details["last"] == str(rows[-1].id)
    assert events[1].details["session_id"] == "s1"


@pytest.mark.parametrize("kind", [NDJSON, f"{NDJSON}; charset=utf-8"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n"])
def test_ndjson_may_end_as_it_likes(alice: Person, kind: str, end: bytes) -> None:
    agent = register(alice)
    body = ndjson(line(agent, "a"))[:-1] + b"\r\n\n" + ndjson(line(agent, "b\nc é"))[:-1] + end
    assert send(alice.client, "POST", LOGS, body, type=kind).json()["appended"] == 2
    assert messages() == ["a", "b\nc é"]


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "debug", "critical"])
def test_levels_are_taken_in_either_case(alice: Person, level: str) -> None:
    log(alice, line(register(alice), level=level))
    assert read(alice, LOGS)["items"][0]["level"] == level.upper()


@pytest.mark.parametrize(
    ("fault", "places"),
    [
        ({"level": "LOUD"}, ["level"]),
        ({"level": "Info"}, ["level"]),
        ({"level": 1}, ["level"]),
        ({"level": None}, ["level"]),
        ({"level": ["INFO"]}, ["level"]),
        ({"log_type": "chat"}, ["log_type"]),
        ({"log_type": None}, ["log_type"]),
        ({"message": ""}, ["message"]),
        ({"message": 5}, ["message"]),
        ({"message": "x" * (MAX_LINE + 1)}, ["message"]),
        ({"details": []}, ["details"]),
        ({"details": None}, ["details"]),
        ({"details": {"k": "x" * MAX_DOCUMENT}}, ["details"]),
        ({"details": {"k": [1e22]}}, ["details"]),
        ({"runtime_agent_id": "x"}, ["runtime_agent_id"]),
        ({"runtime_agent_id": 5}, ["runtime_agent_id"]),
        ({"runtime_agent_id": f"{{{NOWHERE}}}"}, ["runtime_agent_id"]),
        ({"id": NOWHERE}, ["id"]),
        ({"created_at": "2020-01-01T00:00:00Z"}, ["created_at"]),
        ({"level": "LOUD", "message": "", "org": 1}, ["level", "message", "org"]),
    ],
)
def test_every_fault_is_named_by_its_place_and_nothing_is_kept(
    alice: Person, fault: dict[str, Any], places: list[str]
) -> None:
    agent = register(alice)
    good, bad = line(agent), {**line(agent), **fault}
    told = refused(send(alice.client, "POST", LOGS, bad), 422, "validation_error")["details"]
    assert sorted(told) == places
    for body, kind in ((json.dumps({"logs": [good, bad, good, bad]}), JSON), (ndjson(good, bad, good, bad), NDJSON)):
        told = refused(send(alice.client, "POST", LOGS, body, type=kind), 422, "validation_error")["details"]
        assert sorted(told) == [f"logs/{number}/{place}" for number in (1, 3) for place in places]
    assert not messages()


def test_a_level_or_a_type_that_there_is_not_is_answered_with_those_that_there_are(alice: Person) -> None:
    bad = line(register(alice), level="x", log_type="x")
    told = refused(send(alice.client, "POST", LOGS, bad), 422, "validation_error")["details"]
    assert told == {
        "level": ["There are DEBUG, INFO, WARNING, ERROR, CRITICAL."],
        "log_type": ["There are state_change, milestone, error, performance, tool_call, cost_update."],
    }


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["level", "message", "runtime_agent_id"]),
        ([], ["body"]),
        ("x", ["body"]),
        (None, ["body"]),
        ({"logs": []}, ["logs"]),
        ({"logs": {}}, ["logs"]),
        ({"logs": "x"}, ["logs"]),
        ({"logs": None}, ["logs"]),
        ({"logs": [1, None, []]}, ["logs/0", "logs/1", "logs/2"]),
        ({"logs": [{}]}, ["logs/0/level", "logs/0/message", "logs/0/runtime_agent_id"]),
        ({"logs": [], "level": "INFO"}, ["level"]),
        ({"logs": [{}] * 1001}, ["logs"]),
    ],
)
def test_what_is_no_batch(alice: Person, body: Any, places: list[str]) -> None:
    told = refused(send(alice.client, "POST", LOGS, json.dumps(body)), 422, "validation_error")["details"]
    assert sorted(told) == places


@pytest.mark.parametrize(
    ("raw", "status", "kind", "place"),
    [
        (b'{"a": \n', 400, "malformed_request", "Line 1 "),
        (b"{} {}\n", 400, "malformed_request", "Line 1 "),
        (b'{"message": "\xff"}\n', 400, "malformed_request", "Line 1 "),
        (b"plain text\n", 400, "malformed_request", "Line 1 "),
        (b'{},{"a":1}', 400, "malformed_request", "Line 1 "),
        (b'{"a": 1, "a": 2}\n', 422, "validation_error", "logs/1"),
        (b'{"message": "\\u0000"}\n', 422, "validation_error", "logs/1"),
        (b'{"message": "\\ud800"}\n', 422, "validation_error", "logs/1"),
        (b'{"details": {"n": NaN}}\n', 422, "validation_error", "logs/1"),
        (b'{"details": {"n": 9007199254740993}}\n', 422, "validation_error", "logs/1"),
        (b'{"details": ' + b"[" * 100 + b"]" * 100 + b"}", 422, "validation_error", "logs/1"),
        (b"[]\n", 422, "validation_error", "logs/1"),
        (b"null\n", 422, "validation_error", "logs/1"),
    ],
)
def test_a_line_of_ndjson_is_as_strict_as_a_body(alice: Person, raw: bytes, status: int, kind: str, place: str) -> None:
    body = ndjson(line(register(alice))) + raw
    told = refused(send(alice.client, "POST", LOGS, body, type=NDJSON), status, kind)
    assert told["message"].startswith(place) if status == 400 else list(told["details"]) == [place]
    assert not messages()


def test_an_empty_ndjson_body_has_no_lines(alice: Person) -> None:
    for body in (b"", b"\n", b" \r\n\n"):
        refused(send(alice.client, "POST", LOGS, body, type=NDJSON), 422, "validation_error")


def test_more_than_a_thousand_lines_of_ndjson_are_refused(alice: Person) -> None:
    agent = register(alice)
    full = ndjson(line(agent)) * 1000
    assert send(alice.client, "POST", LOGS, full, type=NDJSON).json()["appended"] == 1000
    refused(send(alice.client, "POST", LOGS, full + b"{}", type=NDJSON), 422, "validation_error")
    assert AgentLog.objects.count() == 1000


@pytest.mark.parametrize("kind", [JSON, NDJSON])
def test_a_line_of_one_mebibyte_is_too_large(alice: Person, kind: str) -> None:
    body = json.dumps(line(register(alice), "x" * 1024 * 1024)) + "\n"
    refused(send(alice.client, "POST", LOGS, body, type=kind), 413, "payload_too_large")


@pytest.mark.parametrize("kind", ["text/plain", "application/jsonl", "application/x-www-form-urlencoded"])
def test_other_media_types_are_415(alice: Person, kind: str) -> None:
    refused(send(alice.client, "POST", LOGS, ndjson(line(register(alice))), type=kind), 415, "unsupported_media_type")


def test_ndjson_is_for_logs_alone(alice: Person) -> None:
    refused(send(alice.client, "POST", "/api/v1/agents", b'{"name": "x"}', type=NDJSON), 415, "unsupported_media_type")


def test_one_agent_that_is_not_there_refuses_them_all(alice: Person) -> None:
    agent = register(alice)
    body = {"logs": [line(agent), line({"id": NOWHERE})]}
    assert NOWHERE in refused(send(alice.client, "POST", LOGS, body), 404, "not_found")["message"]
    assert not messages()


def test_one_that_has_ended_may_still_say_why(alice: Person) -> None:
    agent = register(alice)
    send(alice.client, "POST", f"/api/v1/runtime/agents/{agent['id']}/stop")
    assert log(alice, line(agent, "Out of memory.", "CRITICAL"))["appended"] == 1


def test_a_repeated_post_appends_once(alice: Person) -> None:
    body = ndjson(line(register(alice), "x"))
    headers = {"type": NDJSON, "Idempotency-Key": "k"}
    first, second = (send(alice.client, "POST", LOGS, body, **headers) for _ in range(2))
    assert first.content == second.content
    assert messages() == ["x"]


def test_a_thousand_lines_cost_as_many_statements_as_their_hundreds(alice: Person) -> None:
    agent = register(alice)
    counts = [len(statements(lambda n=n: log(alice, *[line(agent)] * n))) for n in (1, 100, 1000)]
    assert counts[0] == counts[1] == counts[2] - 9
    assert counts[0] <= 9
