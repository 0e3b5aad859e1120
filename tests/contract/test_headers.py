"""What every answer carries beside its body: request id, cache rules, compression, CORS; and a path's two spellings."""

import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from conftest import Person
from tests.contract.routes import OPEN, Route, api_calls, api_routes
from tests.contract.shape import assert_error

PathOf = Callable[[Route], str]

GETS = [route for route in api_routes() if "get" in route.actions]
TENANT = [route for route in GETS if route.template not in OPEN]
VARY = {"authorization", "x-api-key", "cookie", "accept", "accept-encoding"}
NOWHERE = "01900000-0000-7000-8000-000000000000"
LIST = "/api/v1/collab/state/tasks"


def vary_of(response: Any) -> set[str]:
    return {name.strip().lower() for name in response["Vary"].split(",")}


@pytest.fixture
def long_list(alice: Person) -> Client:
    """A client whose task list is long enough to be worth compressing."""
    for number in range(8):
        body = {"title": f"task {number}", "description": "so that it is worth compressing " * 10}
        alice.client.post("/api/v1/collab/tasks", body, content_type="application/json")
    return alice.client


def test_no_shared_cache_may_mix_tenants(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for route in TENANT:
        with subtests.test(str(route)):
            response = alice.client.get(path_of(route))
            assert response.status_code == 200
            assert vary_of(response) >= VARY
            if route.is_stream:
                assert response["Cache-Control"] == "no-cache"
                assert response["X-Accel-Buffering"] == "no"
                assert response["Content-Type"] == "text/event-stream"
            elif route.viewset is not None:
                assert response["Cache-Control"] == "private, no-cache"
                assert response["Content-Type"] == "application/json"


def test_the_request_id_comes_back(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for route in GETS:
        with subtests.test(str(route)):
            for sent in ("mine", "a.B-1_2", "x" * 128):
                response = alice.client.get(path_of(route), headers={"X-Request-ID": sent})
                assert response["X-Request-ID"] == sent
            made = {alice.client.get(path_of(route))["X-Request-ID"] for _ in range(2)}
            assert len(made) == 2
            assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name) for name in made)


def test_head_is_get_without_its_body(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for route in [route for route in GETS if not route.is_stream]:
        with subtests.test(str(route)):
            path = path_of(route)
            full, head = alice.client.get(path), alice.client.head(path)
            assert head.status_code == full.status_code == 200
            assert head.content == b""
            changing = {"X-Request-ID", "Content-Length"}
            if route.template == "/metrics":
                changing.add("ETag")
            assert {**head.headers} | dict.fromkeys(changing) == {**full.headers} | dict.fromkeys(changing)


@pytest.mark.parametrize("path", ["/api/v1/collab/tasks", "/api/v1/events", "/api/v1/runs", "/runs", "/auth/login"])
def test_a_browser_of_an_allowed_origin_may_ask_and_call(path: str, client: Client) -> None:
    asked = {
        "Origin": "http://localhost:3001",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, if-match, if-none-match, idempotency-key, "
        "x-api-key, x-request-id, last-event-id",
    }
    preflight = client.options(path, headers=asked)
    assert preflight.status_code == 200
    assert preflight["Access-Control-Allow-Origin"] == asked["Origin"]
    assert "PATCH" in preflight["Access-Control-Allow-Methods"]
    allowed = {name.strip() for name in preflight["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= {name.strip() for name in asked["Access-Control-Request-Headers"].split(",")}
    answer = client.get(path, headers={"Origin": asked["Origin"]})
    assert answer["Access-Control-Allow-Origin"] == asked["Origin"]
    exposed = {name.strip() for name in answer["Access-Control-Expose-Headers"].split(",")}
    assert exposed >= {"ETag", "Location", "Retry-After", "X-Request-ID", "Idempotent-Replayed"}
    assert "origin" in vary_of(answer)
    other = client.get(path, headers={"Origin": "http://elsewhere.example"})
    assert not other.has_header("Access-Control-Allow-Origin")
    assert "origin" in vary_of(other)


def test_the_compressed_representation_has_a_strong_tag_of_its_own(long_list: Client) -> None:
    plain = long_list.get(LIST)
    packed = long_list.get(LIST, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert packed["ETag"] == plain["ETag"][:-1] + '-gzip"'
    assert packed["Content-Length"] == str(len(packed.content)) if packed.has_header("Content-Length") else True
    for sent in (plain["ETag"], packed["ETag"], f"W/{packed['ETag']}"):
        for encoding in ("gzip", "identity"):
            response = long_list.get(LIST, headers={"If-None-Match": sent, "Accept-Encoding": encoding})
            assert response.status_code == 304
            assert response["ETag"] in (plain["ETag"], packed["ETag"])
            assert not response.has_header("Content-Encoding")


@pytest.mark.parametrize("encoding", ["", "identity", "br", "gzip;q=0", "*;q=0", "gzipped", "gzip;q=0.000"])
def test_nothing_is_compressed_that_was_not_asked_for(encoding: str, long_list: Client) -> None:
    assert not long_list.get(LIST, headers={"Accept-Encoding": encoding}).has_header("Content-Encoding")


def test_the_tag_of_the_compressed_form_opens_the_write(alice: Person) -> None:
    body = {"title": "long", "description": "x" * 2000}
    made = alice.client.post("/api/v1/collab/tasks", body, content_type="application/json")
    packed = alice.client.get(made["Location"], headers={"Accept-Encoding": "gzip"})
    assert packed["ETag"].endswith('-gzip"')
    written = alice.client.patch(
        made["Location"], {"title": "short"}, content_type="application/json", headers={"If-Match": packed["ETag"]}
    )
    assert written.status_code == 200


def test_streams_are_never_compressed(alice: Person) -> None:
    for number in range(20):
        body = {"event": "demo", "target": f"target-{number}", "details": {"k": "v" * 100}}
        alice.client.post("/api/v1/events", body, content_type="application/json")
    response = alice.client.get("/api/v1/events/tail?once=1", headers={"Accept-Encoding": "gzip"})
    assert len(response.content) > 1024
    assert not response.has_header("Content-Encoding")


@pytest.mark.parametrize(("route", "method"), api_calls(), ids=str)
def test_a_slash_at_the_end_changes_nothing(route: Route, method: str, alice: Person, path_of: PathOf) -> None:
    """No redirect, which would drop the body. A body that is refused leaves both calls the same state to work on."""
    found = path_of(route) if method != "delete" else route.path(dict.fromkeys(route.parameters, NOWHERE))
    path, mark, query = found.partition("?")
    path = path.rstrip("/")
    sent = {"X-Request-ID": "one", "If-Match": '"stale"'}
    answers = []
    for spelled in (path or "/", f"{path}/"):
        body = b'{"no_such_field": 1}' if route.takes_body(method) else b""
        asked = f"{spelled}{mark}{query}"
        response = alice.client.generic(method.upper(), asked, body, content_type="application/json", headers=sent)
        assert response.status_code not in (301, 302, 307, 308)
        answers.append((response.status_code, response.get("Content-Type")))
    assert answers[0] == answers[1]
    assert answers[0][0] < 500


def test_an_unknown_path_with_a_slash_is_not_redirected_either(client: Client) -> None:
    assert_error(client.post("/api/v1/nothing/", "{}", content_type="application/json"), 404, "not_found")
