"""What no honest client sends, and what is too much, at every write: refused in the one form, and nothing written."""

import json
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest

from conftest import Person
from versioning import materialisation
from versioning.api.base import MAX_BODY_BYTES
from versioning.tests.calls import (
    API,
    JSON,
    branch,
    create,
    definition,
    done,
    get,
    head,
    merge,
    nothing_written,
    patch,
    patched,
    post,
    refused,
    set_timeout,
    unchanged,
)

FLOW: Final = definition("a")
DEEPEST: Final = 64


@pytest.fixture
def flow(alice: Person) -> str:
    """The id of the first version of ``flow``, which can be undone, redone, merged into and reverted."""
    first: str = create(alice).json()["artifact"]["id"]
    branch(alice, "side")
    patched(alice, "side", set_timeout(1, "b"))
    patched(alice, "flow", set_timeout(1))
    patched(alice, "flow", set_timeout(2))
    done(post(alice, "tags/flow/undo", {}))
    return first


def send(person: Person, what: str, raw: bytes, **headers: str) -> Any:
    method, _, path = what.partition(" ")
    sent = {"If-Match": "*"} if method in ("PUT", "PATCH") else {}
    return person.client.generic(method, f"{API}/{path}", raw, content_type=JSON, headers={**sent, **headers})


# --- the wrong types -------------------------------------------------------------------------------------------------

BODIES: dict[str, dict[str, Any]] = {
    "POST workflows": {"tag": "new", "definition": FLOW, "message": "m"},
    "PUT tags/flow": {"ref": "side", "message": "m"},
    "PATCH tags/flow": {"protected": False},
    "POST tags/flow/move": {"tag": "side", "message": "m"},
    "POST tags/flow/undo": {"message": "m"},
    "POST tags/flow/redo": {"message": "m"},
    "POST patches": {"tag": "flow", "operations": [set_timeout(3)], "message": "m"},
    "POST merge": {"into": "flow", "from": "side", "message": "m", "resolutions": {}, "dry_run": False},
    "POST workflows/flow/revert": {"artifact": "flow", "message": "m", "resolutions": {}},
}
OTHER_NAMES = {"PUT tags/flow": ("artifact_id", "tag"), "POST tags/flow/move": ("artifact_id", "ref")}
VALUES: list[Any] = [None, True, 5, 1.5, "\n", [], ["x"], {}, {"x": 1}]


def wrong_fields() -> Iterator[tuple[str, str, Any]]:
    for what, body in BODIES.items():
        fields = {**body, **dict.fromkeys(OTHER_NAMES.get(what, ()), "x")}
        for field, right in fields.items():
            for value in VALUES:
                if type(value) is not type(right) or (isinstance(right, dict | list) and field != "resolutions"):
                    yield what, field, value


@pytest.mark.parametrize("what", BODIES)
def test_the_bodies_are_right_but_for_what_is_wrong(alice: Person, flow: str, what: str) -> None:
    done(send(alice, what, json.dumps(BODIES[what]).encode()))


@pytest.mark.parametrize(("what", "field", "value"), [*wrong_fields()])
def test_a_field_of_another_type_is_422_and_named(alice: Person, flow: str, what: str, field: str, value: Any) -> None:
    body = {**BODIES[what], field: value}
    if field in OTHER_NAMES.get(what, ()):
        del body[next(name for name in ("tag", "ref") if name in BODIES[what])]
    error = unchanged(lambda: send(alice, what, json.dumps(body).encode()), 422, "validation_error")
    named = {field, "/nodes", "/", "/x"} if field == "definition" else {field, "body"}
    assert set(error["details"]) & named, error


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("raw", [b"[]", b'"text"', b"null", b"5", b"[{}]"])
def test_a_body_that_is_no_object_is_422(alice: Person, flow: str, what: str, raw: bytes) -> None:
    assert list(unchanged(lambda: send(alice, what, raw), 422, "validation_error")["details"]) == ["body"]


@pytest.mark.parametrize("what", BODIES)
def test_an_unknown_field_is_422(alice: Person, flow: str, what: str) -> None:
    raw = json.dumps({**BODIES[what], "extra": 1, "org": "x"}).encode()
    assert set(unchanged(lambda: send(alice, what, raw), 422, "validation_error")["details"]) == {"extra", "org"}


@pytest.mark.parametrize("what", BODIES)
def test_a_message_of_more_than_a_thousand_letters_is_422(alice: Person, flow: str, what: str) -> None:
    if "message" in BODIES[what]:
        raw = json.dumps({**BODIES[what], "message": "x" * 1001}).encode()
        assert list(unchanged(lambda: send(alice, what, raw), 422, "validation_error")["details"]) == ["message"]


# --- what is not the JSON that we mean -------------------------------------------------------------------------------

# Where a value may stand, whole and deep inside: the part of a body that is kept and hashed.
PLACES: dict[str, tuple[str, str]] = {
    "definition": (
        "POST workflows", '{"tag": "new", "definition": {"nodes": {"a": {"type": "planner", "with": {"x": %s}}}}}',
    ),
    "operation": (
        "POST patches",
        '{"tag": "flow", "operations": [{"op": "add", "path": "/nodes/a/with", "value": {"x": %s}}]}',
    ),
    "operation on a base": (
        "POST patches",
        '{"base": "flow", "operations": [{"op": "add", "path": "/nodes/a/with", "value": {"x": [%s]}}]}',
    ),
    "what nobody reads": (
        "POST patches",
        '{"tag": "flow", "operations": [{"op": "remove", "path": "/nodes/a/timeout_seconds", "note": %s}]}',
    ),
    "a test": (
        "POST patches",
        '{"tag": "flow", "operations": [{"op": "test", "path": "/nodes/a/timeout_seconds", "value": %s}]}',
    ),
    "resolution": (
        "POST merge",
        '{"into": "flow", "from": "side", "resolutions": {"/nodes/a/with": {"value": {"x": %s}}}}',
    ),
}  # fmt: skip
each_place = pytest.mark.parametrize("place", PLACES)


@each_place
@pytest.mark.parametrize(
    "value",
    [
        "NaN", "Infinity", "-Infinity", "1e999", "9007199254740992", "-9007199254740992", "9007199254740993",
        "1" + "0" * 400, "1" * 5000, '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udc00\\ud800"', '{"a": 1, "a": 1}',
        '{"\\u0000": 1}', '{"\\ud800": 1}', "4.1e16", "9007199254740992.0", "-1e20", "123456789012345680000.0",
    ],
)  # fmt: skip
def test_what_has_no_exact_canonical_form_is_422(alice: Person, flow: str, place: str, value: str) -> None:
    what, template = PLACES[place]
    unchanged(lambda: send(alice, what, (template % value).encode()), 422, "validation_error")


@pytest.mark.parametrize(
    "value", ["01", "+1", "1.", ".5", "0x10", "'x'", "True", "undefined", '"\t"', "[1,]", "{,}", "]"]
)
@each_place
def test_what_is_no_json_is_400(alice: Person, flow: str, place: str, value: str) -> None:
    what, template = PLACES[place]
    unchanged(lambda: send(alice, what, (template % value).encode()), 400, "malformed_request")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("9007199254740991", 9007199254740991), ("-9007199254740991", -9007199254740991), ("1e15", 10**15),
        ("1.5e-7", 1.5e-7), ("1e21", 1e21), ("1e300", 1e300), ("-0.0", 0), ("1.0", 1), ("5e-324", 5e-324),
        ('"\\ud83d\\ude80"', "🚀"), ('"\\u007f\\u2028"', "\x7f\u2028"),
        ('{"é": 1, "z": 2, "": 3}', {"é": 1, "z": 2, "": 3}),
        ('{"\\ufb33": 1, "\\ud83d\\ude00": 2}', {"\ufb33": 1, "😀": 2}), ("[]", []), ("null", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["definition", "operation", "resolution"])
def test_what_has_one_is_kept_exactly(alice: Person, flow: str, place: str, value: str, kept: Any) -> None:
    what, template = PLACES[place]
    answer = done(send(alice, what, (template % value).encode())).json()
    version = answer.get("artifact", answer)["id"]
    for _ in range(2):
        found = get(alice, f"artifacts/{version}").json()["definition"]["nodes"]["a"]["with"]["x"]
        assert (found, type(found)) == (kept, type(kept))
        materialisation.forget()


# --- too deep --------------------------------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def depth_of(value: Any) -> int:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if members is None else 1 + max(map(depth_of, members), default=0)


@each_place
def test_a_body_of_64_levels_passes_and_of_65_does_not(alice: Person, flow: str, place: str) -> None:
    what, template = PLACES[place]
    around = depth_of(json.loads(template % "1"))
    unchanged(
        lambda: send(alice, what, (template % json.dumps(nested(DEEPEST + 1 - around))).encode()),
        422, "validation_error",
    )  # fmt: skip
    if place in ("definition", "operation", "what nobody reads"):
        done(send(alice, what, (template % json.dumps(nested(DEEPEST - around))).encode()))


@pytest.mark.parametrize("count", [100, 10_000, 100_000])
@pytest.mark.parametrize("brackets", ["[]", '{"a":}'])
def test_a_body_of_any_depth_is_refused_like_that(alice: Person, flow: str, count: int, brackets: str) -> None:
    opened, closed = brackets[:-1], brackets[-1]
    value = opened * count + "1" + closed * count
    what, template = PLACES["definition"]
    unchanged(lambda: send(alice, what, (template % value).encode()), 422, "validation_error")


def test_patches_do_not_nest_deeper_step_by_step(alice: Person, flow: str) -> None:
    patched(alice, "flow", {"op": "add", "path": "/nodes/a/with", "value": {"x": nested(50)}})
    inside = "/nodes/a/with/x" + "/0" * 49
    patched(alice, "flow", {"op": "replace", "path": inside, "value": nested(DEEPEST - 4 - 49)})
    unchanged(
        lambda: patch(alice, "flow", {"op": "replace", "path": inside, "value": nested(DEEPEST - 4 - 48)}),
        422, "validation_error",
    )  # fmt: skip
    unchanged(
        lambda: patch(alice, "flow", {"op": "copy", "from": "/nodes/b", "path": inside + "/0" * 11}),
        422, "validation_error",
    )  # fmt: skip
    assert depth_of(get(alice, "workflows/flow").json()["definition"]) == DEEPEST


def test_resolutions_do_not_nest_deeper_than_a_definition_may_be(alice: Person, flow: str) -> None:
    """What a merge stores must be what POST /workflows would take."""
    choices = {"/nodes/a/with": {"value": {"x": {"y": 1}}}, "/nodes/a/with/x/y": {"value": nested(DEEPEST - 3)}}
    with nothing_written():
        answer = merge(alice, "flow", "side", resolutions=choices)
        assert answer.status_code in (409, 422), answer.status_code
    assert depth_of(get(alice, "workflows/flow").json()["definition"]) <= DEEPEST


# --- too much --------------------------------------------------------------------------------------------------------


def filled(size: int, **fields: Any) -> bytes:
    """A body of exactly ``size`` bytes that makes a workflow."""
    body = {"tag": "big", "definition": {"nodes": {"a": {"type": "planner", "with": {"x": ""}}}}, **fields}
    raw = orjson.dumps(body)
    return raw.replace(b'"x":""', b'"x":"%s"' % (b"x" * (size - len(raw))))


@pytest.mark.parametrize("keyed", [False, True])
def test_four_mebibytes_pass_and_one_more_does_not(alice: Person, flow: str, keyed: bool) -> None:
    headers = {"Idempotency-Key": "big"} if keyed else {}
    too_big = filled(MAX_BODY_BYTES + 1)
    assert len(too_big) == MAX_BODY_BYTES + 1
    unchanged(lambda: send(alice, "POST workflows", too_big, **headers), 413, "payload_too_large")
    done(send(alice, "POST workflows", filled(MAX_BODY_BYTES), **headers))
    whole = get(alice, "workflows/big")
    assert len(whole.json()["definition"]["nodes"]["a"]["with"]["x"]) > MAX_BODY_BYTES - 1000
    done(patch(alice, "big", set_timeout(5)))
    done(post(alice, "tags/big/undo", {}, if_match=get(alice, "workflows/big")["ETag"]))
    assert get(alice, "workflows/big?at=1").json()["definition"] == whole.json()["definition"]


@pytest.mark.parametrize("what", BODIES)
def test_every_write_stops_reading_at_four_mebibytes(alice: Person, flow: str, what: str) -> None:
    raw = json.dumps({**BODIES[what], "message": "x" * MAX_BODY_BYTES}).encode()
    unchanged(lambda: send(alice, what, raw), 413, "payload_too_large")


def test_a_definition_is_measured_in_the_form_that_is_kept(alice: Person, flow: str) -> None:
    """1e9 is three bytes to send and ten to keep."""
    numbers = b"[" + b",".join([b"1e9"] * 700_000) + b"]"
    raw = b'{"tag":"big","definition":{"nodes":{"a":{"type":"planner","with":{"x":%s}}}}}' % numbers
    assert len(raw) < MAX_BODY_BYTES
    unchanged(lambda: send(alice, "POST workflows", raw), 413, "payload_too_large")


def test_patches_do_not_grow_a_definition_beyond_it(alice: Person, flow: str) -> None:
    half = "x" * (MAX_BODY_BYTES // 2)
    patched(alice, "flow", {"op": "add", "path": "/nodes/a/with", "value": {"x": half}})
    copy = {"op": "copy", "from": "/nodes/a/with/x", "path": "/nodes/a/with/y"}
    unchanged(lambda: patch(alice, "flow", copy), 413, "payload_too_large")
    unchanged(
        lambda: patch(alice, "flow", {"op": "add", "path": "/nodes/b/with", "value": {"x": half}}),
        413, "payload_too_large",
    )  # fmt: skip


def test_merges_do_not_grow_a_definition_beyond_it(alice: Person, flow: str) -> None:
    half = "x" * (MAX_BODY_BYTES // 2)
    for tag, node in (("flow", "a"), ("side", "b")):
        patched(alice, tag, {"op": "add", "path": f"/nodes/{node}/with", "value": {"x": half}})
    unchanged(lambda: merge(alice, "flow", "side"), 413, "payload_too_large")


BOMBS: dict[str, list[dict[str, Any]]] = {
    "doubling an object": [{"op": "copy", "from": "/nodes/a/with", "path": f"/nodes/a/with/{n}"} for n in range(30)],
    "doubling a list": [{"op": "copy", "from": "/nodes/a/with/l", "path": "/nodes/a/with/l/-"} for _ in range(30)],
    "doubling all": [{"op": "copy", "from": "", "path": f"/c{n}"} for n in range(30)],
    "much, often": [
        {"op": "add", "path": "/nodes/a/with/big", "value": "x" * 100_000},
        *({"op": "copy", "from": "/nodes/a/with/big", "path": f"/nodes/a/with/k{n}"} for n in range(900)),
    ],
    "much, and taken away again": [
        {"op": "add", "path": "/nodes/a/with/big", "value": "x" * 1_000_000},
        *({"op": "copy", "from": "/nodes/a/with/big", "path": "/nodes/a/with/other"} for _ in range(900)),
    ],
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_copies_of_copies_are_413(alice: Person, flow: str, bomb: str) -> None:
    first = {"op": "add", "path": "/nodes/a/with", "value": {"l": ["x" * 1000]}}
    error = unchanged(lambda: patch(alice, "flow", first, *BOMBS[bomb]), 413, "payload_too_large")
    assert all(place.startswith("/operations/") for place in error.get("details", {}))


def test_an_id_that_is_none_is_404(alice: Person, flow: str) -> None:
    known = head(alice)
    for bad in ("x", "..", "%00", "0" * 36, f"{known}0", f"%7B{known}%7D", known.replace("-", "")):
        for kind in ("artifacts", "patches"):
            refused(get(alice, f"{kind}/{bad}"), 404, "not_found")
