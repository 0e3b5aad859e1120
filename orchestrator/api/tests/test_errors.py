"""One error body everywhere (CONTRACT §2)."""

import pytest
from django.db import OperationalError
from django.test import Client

from conftest import Person
from orchestrator.events import services

KEYS = ({"type", "message", "request_id"}, {"type", "message", "request_id", "details"})


def send(client: Client, raw: bytes, content_type: str = "application/json"):  # type: ignore[no-untyped-def]
    return client.post("/api/v1/events", raw, content_type=content_type)


def check(answer, status: int, kind: str) -> None:  # type: ignore[no-untyped-def]
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert answer.json()["type"] == kind
    assert set(answer.json()) in KEYS
    assert answer.json()["request_id"] == answer["X-Request-ID"]


@pytest.mark.parametrize(
    ("raw", "status", "kind"),
    [
        (b"{", 400, "malformed_request"),
        (b"\xff", 400, "malformed_request"),
        (b"", 422, "validation_error"),
        (b"[]", 422, "validation_error"),
        (b'{"event":"a","event":"b","target":"x"}', 422, "validation_error"),
        (b'{"event":"a","target":"\\u0000"}', 422, "validation_error"),
        (b'{"event":"a","target":"\\ud800"}', 422, "validation_error"),
        (b'{"event":"a","target":"x","details":{"n":NaN}}', 422, "validation_error"),
        (b'{"event":"a","target":"x","details":{"n":1e999}}', 422, "validation_error"),
        (b'{"event":"a","target":"x","details":{"n":9007199254740993}}', 422, "validation_error"),
        (b'{"event":"a","target":"x","details":' + b'{"a":' * 70 + b"1" + b"}" * 71, 422, "validation_error"),
        (b"[" * 100_000 + b"]" * 100_000, 422, "validation_error"),
        (b'{"event":"a","target":"x","nope":1}', 422, "validation_error"),
        (b'{"event":"a","target":"' + b"x" * 1024 * 1024 + b'"}', 413, "payload_too_large"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_bodies_that_no_honest_client_sends(alice: Person, raw: bytes, status: int, kind: str) -> None:
    check(send(alice.client, raw), status, kind)


def test_the_other_statuses(alice: Person, carol: Person, mallory: Person) -> None:
    check(send(alice.client, b"x=1", "application/x-www-form-urlencoded"), 415, "unsupported_media_type")
    check(Client().get("/api/v1/events"), 401, "not_authenticated")
    check(send(carol.client, b'{"event":"a","target":"x"}'), 403, "permission_denied")
    check(alice.client.get("/api/v1/events/999"), 404, "not_found")
    check(alice.client.get("/no/such/route"), 404, "not_found")
    check(alice.client.delete("/api/v1/events"), 405, "method_not_allowed")
    check(alice.client.get("/api/v1/events", headers={"Accept": "image/png"}), 406, "not_acceptable")
    check(alice.client.get("/api/v1/events?nope=1"), 422, "validation_error")
    check(alice.client.get("/api/v1/events?limit=0"), 422, "validation_error")
    check(alice.client.get("/api/v1/events?cursor=x"), 422, "validation_error")
    for path, cursor in (
        ("members", "bjEy"),
        ("events", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("events", "\u00e9"),
        ("members", ""),
    ):
        check(alice.client.get(f"/api/v1/{path}?cursor={cursor}"), 422, "validation_error")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [(OperationalError("at 10.1.2.3"), 503, "unavailable"), (RuntimeError("a secret"), 500, "internal_error")],
)
def test_what_breaks_inside_tells_nothing(
    alice: Person, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, kind: str
) -> None:
    def broken(**_: object) -> None:
        raise error

    monkeypatch.setattr(services, "append", broken)
    alice.client.raise_request_exception = False
    answer = send(alice.client, b'{"event":"a","target":"x"}')
    check(answer, status, kind)
    assert answer.has_header("Retry-After") == (status == 503)
    assert str(error) not in answer.content.decode()


def test_the_callers_request_id_is_kept_when_it_is_well_formed(alice: Person) -> None:
    good = alice.client.get("/api/v1/events/999", headers={"X-Request-ID": "abc-1._Z"})
    assert good["X-Request-ID"] == good.json()["request_id"] == "abc-1._Z"
    for bad in ("a b", "x" * 129, "<script>"):
        assert alice.client.get("/api/v1/events/999", headers={"X-Request-ID": bad})["X-Request-ID"] != bad
