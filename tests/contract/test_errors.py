"""Every route, every way to fail: one shape, the right status, never a 500 (RFC 9110)."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.test import Client

from conftest import Person
from tests.contract.routes import METHODS, Route, api_calls, api_routes
from tests.contract.shape import REQUEST_ID, TYPES, assert_error

PathOf = Callable[[Route], str]
Call = tuple[Route, str]

# A viewer may do these, and why.
VIEWERS_MAY = {
    "/api/v1/organizations": "everybody may found an org of their own",
    "/api/v1/auth/ticket": "it opens no more than its holder may read",
    "/auth/ticket": "it opens no more than its holder may read",
}
MALFORMED_IDS = (
    "x",
    "not-a-uuid",
    "00",
    "-1",
    "1e9",
    "0190000000007000800000000000000g",
    "%00",
    "%F0%9F%92%A9",
    "..%2f",
    "9" * 400,
)
CONTENT_TYPES = (
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "bad",
)  # fmt: skip
BAD_PAGES = (
    "limit=0", "limit=1001", "limit=-1", "limit=1.5", "limit=ten", "limit=", "limit=%D9%A1", "LIMIT=5", "cursor=x",
    "cursor=%00", "cursor=AAAA",
)  # fmt: skip
NO_CREDENTIALS: dict[str, str] = {}
WRONG_CREDENTIALS = {
    "garbage": {"Authorization": "Bearer garbage"},
    "forged": {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."},
    "basic": {"Authorization": "Basic YWxpY2U6cGFzc3dvcmQ="},
    "empty": {"Authorization": "Bearer "},
    "not ascii": {"Authorization": "Bearer \u00e9\u00e9"},
    "stub": {"Authorization": "Bearer 00000000-0000-0000-0000-000000000001:00000000-0000-0000-0000-000000000002"},
    "key": {"X-API-Key": "ork_wrong-wrong-wrong-wrong"},
    "odd key": {"X-API-Key": "\u00e9\x7f"},
}  # fmt: skip
BAD_JSON = {
    "cut off": (b'{"a": ', 400, "malformed_request"),
    "empty": (b"", 422, "validation_error"),
    "not UTF-8": (b'{"a": "\xff"}', 400, "malformed_request"),
    "trailing": (b"{} {}", 400, "malformed_request"),
    "BOM": (b"\xef\xbb\xbf{}", 400, "malformed_request"),
    "array": (b"[]", 422, "validation_error"),
    "string": (b'"text"', 422, "validation_error"),
    "null": (b"null", 422, "validation_error"),
    "NaN": (b'{"a": NaN}', 422, "validation_error"),
    "Infinity": (b'{"a": -Infinity}', 422, "validation_error"),
    "too large a number": (b'{"a": 1e999}', 422, "validation_error"),
    "too exact a number": (b'{"a": 9007199254740993}', 422, "validation_error"),
    "thousands of digits": (b'{"a": ' + b"1" * 5000 + b"}", 422, "validation_error"),
    "NUL": (b'{"a": "\\u0000"}', 422, "validation_error"),
    "NUL in a key": (b'{"\\u0000": 1}', 422, "validation_error"),
    "lone surrogate": (b'{"a": "\\ud800"}', 422, "validation_error"),
    "key twice": (b'{"a": 1, "a": 2}', 422, "validation_error"),
    "65 deep": (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", 422, "validation_error"),
    "100,000 deep": (b"[" * 100_000, 422, "validation_error"),
}


def name_of(call: Call) -> str:
    return f"{call[1]} {call[0]}"


def writes_with_body() -> list[Call]:
    return [(route, method) for route, method in api_calls() if method in ("post", "put", "patch")]


def need_not_have_a_body(found: Call) -> bool:
    """A PATCH may change nothing, a sign-out may say all in its headers, an undo, a stop and a decision need no reason,
    and a re-run is of the head.
    """
    route, method = found
    decisions = ("{number}/accept", "{number}/reject", "{number}/revert")
    ends = ("/logout", "/undo", "/redo", "/stop", "/next", "/rerun", "/approve", "{prompt_id}/heartbeat", *decisions)
    return method == "patch" or route.template.endswith(ends)


def call(client: Client, method: str, path: str, body: bytes = b"{}", **headers: str) -> Any:
    content_type = headers.pop("content_type", "application/json")
    sent = {"X-Request-ID": REQUEST_ID, **{name.replace("_", "-"): value for name, value in headers.items()}}
    response = client.generic(method.upper(), path, body, content_type=content_type, headers=sent)
    assert response["X-Request-ID"] == REQUEST_ID
    return response


def test_missing_and_wrong_credentials_get_the_same_401(
    client: Client, path_of: PathOf, subtests: pytest.Subtests
) -> None:
    for route, method in api_calls():
        with subtests.test(name_of((route, method))):
            if route.signs_in:
                pytest.skip("reads no credentials from headers")
            answers = {}
            for name, headers in {"none": NO_CREDENTIALS, **WRONG_CREDENTIALS}.items():
                if name == "none" and route.is_public(method) and route.template != "/metrics":
                    continue
                if route.viewset is None and route.is_public(method) and route.template != "/metrics":
                    continue  # reads no credentials at all
                response = call(client, method, path_of(route), **headers)
                assert_error(response, 401, "not_authenticated")
                assert response["WWW-Authenticate"] == "Bearer", name
                answers[name] = response.content
            assert len(set(answers.values())) <= 1, answers


def test_a_viewer_may_not_write(carol: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for route, method in [found for found in api_calls() if found[1] != "get"]:
        with subtests.test(name_of((route, method))):
            if route.signs_in or route.template in VIEWERS_MAY:
                pytest.skip(VIEWERS_MAY.get(route.template, "reads no credentials from headers"))
            assert_error(call(carol.client, method, path_of(route), If_Match="*"), 403, "permission_denied")


@pytest.mark.parametrize("walked", [found for found in api_calls() if found[0].parameters], ids=name_of)
def test_a_malformed_id_names_nothing(walked: Call, alice: Person) -> None:
    route, method = walked
    for bad in MALFORMED_IDS:
        response = call(alice.client, method, route.path(dict.fromkeys(route.parameters, bad)), If_Match="*")
        assert_error(response, 404, "not_found", what=bad)


def test_a_method_that_a_route_does_not_have(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for route in api_routes():
        with subtests.test(str(route)):
            path = path_of(route)
            client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {alice.access_token}"})
            for method in (*METHODS, "trace", "propfind"):
                if method in route.actions:
                    continue
                response = call(client, method, path)
                assert_error(response, 405, "method_not_allowed")
                allowed = {name.strip().lower() for name in response["Allow"].split(",")}
                assert set(route.actions) <= allowed <= {*route.actions, "head", "options"}, (method, response["Allow"])


def test_a_body_of_another_type(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for walked in writes_with_body():
        route, method = walked
        with subtests.test(name_of(walked)):
            if not route.takes_body(method) or need_not_have_a_body(walked):
                pytest.skip("takes no body, or need not")
            for content_type in CONTENT_TYPES:
                response = call(alice.client, method, path_of(route), content_type=content_type, If_Match="*")
                assert_error(response, 415, "unsupported_media_type", what=content_type)


def test_a_body_that_no_honest_client_sends(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for walked in writes_with_body():
        route, method = walked
        with subtests.test(name_of(walked)):
            if not route.takes_body(method):
                pytest.skip("takes no body")
            for kind, (body, status, error) in BAD_JSON.items():
                if kind != "empty" or not need_not_have_a_body(walked):
                    response = call(alice.client, method, path_of(route), body, If_Match="*")
                    assert_error(response, status, error, what=kind)


def test_an_unknown_field_is_refused_by_name(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for route, method in writes_with_body():
        with subtests.test(name_of((route, method))):
            if not route.takes_body(method):
                pytest.skip("takes no body")
            response = call(alice.client, method, path_of(route), b'{"no_such_field": 1, "id": "x"}', If_Match="*")
            assert_error(response, 422, "validation_error", field="no_such_field")


def test_a_body_over_the_limit(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for route, method in writes_with_body():
        with subtests.test(name_of((route, method))):
            if not route.takes_body(method):
                pytest.skip("takes no body")
            body = b'{"a": "' + b"x" * route.viewset.max_body_bytes + b'"}'
            assert_error(call(alice.client, method, path_of(route), body, If_Match="*"), 413, "payload_too_large")


def test_an_answer_that_cannot_be_produced(alice: Person, path_of: PathOf, subtests: pytest.Subtests) -> None:
    for route, method in api_calls():
        with subtests.test(name_of((route, method))):
            if route.viewset is None:
                pytest.skip("has one form and sends it")
            response = call(alice.client, method, path_of(route), Accept="application/xml", If_Match="*")
            assert_error(response, 406, "not_acceptable")


@pytest.mark.parametrize("route", [route for route in api_routes() if "get" in route.actions], ids=str)
def test_an_unknown_parameter_is_refused_by_name(route: Route, alice: Person, path_of: PathOf) -> None:
    if route.viewset is None and not route.is_stream:
        pytest.skip("probes may carry what they like")
    path = path_of(route)
    response = call(alice.client, "get", f"{path}{'&' if '?' in path else '?'}no_such_parameter=1")
    assert_error(response, 422, "validation_error", field="no_such_parameter")


@pytest.mark.parametrize("route", [route for route in api_routes() if route.is_list], ids=str)
def test_a_page_that_no_list_has(route: Route, alice: Person, path_of: PathOf) -> None:
    for query in BAD_PAGES:
        response = call(alice.client, "get", f"{path_of(route)}?{query}")
        assert_error(response, 422, "validation_error", field=query.partition("=")[0], what=query)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/collab/tasks/x/y/z",
        "/nothing",
        "/api/v1//runs",
        "/%00",
        "/%ff",
        "/favicon.ico",
    ],
)
def test_a_path_that_is_not_there(path: str, client: Client) -> None:
    for method in ("get", "post", "delete"):
        assert_error(call(client, method, path), 404, "not_found")


def test_a_host_that_is_not_ours(client: Client) -> None:
    assert_error(client.get("/api/v1/collab/tasks", headers={"Host": "elsewhere.example"}), 400, "malformed_request")


@pytest.mark.parametrize("sent", ["", "x" * 129, "two words", "new\tline", "é"])
def test_a_request_id_that_is_no_id_is_replaced(sent: str, client: Client) -> None:
    answered = client.get("/healthz", headers={"X-Request-ID": sent})["X-Request-ID"]
    assert answered != sent
    assert len(answered) == 32


def test_an_unexpected_exception_tells_nobody_its_text(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: Any, **__: Any) -> None:
        raise RuntimeError("postgres://user:secret@10.0.0.1")

    monkeypatch.setattr("tasks.services.create_task", explode)
    alice.client.raise_request_exception = False
    response = alice.client.post("/api/v1/collab/tasks", {"title": "x"}, content_type="application/json")
    assert_error(response, 500, "internal_error")
    assert b"secret" not in response.content


def test_every_error_code_has_one_status() -> None:
    seen: Mapping[str, int] = {
        "malformed_request": 400, "not_authenticated": 401, "permission_denied": 403, "not_found": 404,
        "method_not_allowed": 405, "not_acceptable": 406, "conflict": 409, "invalid_transition": 409,
        "merge_conflict": 409, "lease_held": 409,
        "idempotency_conflict": 409, "precondition_failed": 412, "payload_too_large": 413,
        "unsupported_media_type": 415, "validation_error": 422, "precondition_required": 428,
        "rate_limited": 429, "internal_error": 500, "unavailable": 503,
    }  # fmt: skip
    assert dict(TYPES) == seen
