"""Patches over HTTP (RFC 6902): what they do, what they must not do, and how a patch is told."""

import hashlib
from typing import Any

import pytest

from conftest import Person
from orchestrator.core.canonical import canonical_json, digest
from orchestrator.events.models import Event
from versioning import materialisation
from versioning.models import Artifact, Blob, Tag
from versioning.tests.calls import (
    API,
    assert_tag,
    body_of,
    branch,
    change,
    create,
    definition,
    done,
    get,
    head,
    patch,
    patched,
    post,
    refused,
    set_timeout,
    unchanged,
    written,
)

WITH = {"n": 1, "list": [1, 2, 3], "a/b": {"~": "tilde"}, "": "empty", "é": None, "~1": 0}


@pytest.fixture
def flow(alice: Person) -> Any:
    """A workflow of one node with settings of all kinds."""
    whole = {"nodes": {"a": {"type": "planner", "with": WITH}}}
    return done(post(alice, "workflows", {"tag": "flow", "definition": whole}))


def settings_of(person: Person, ref: str = "flow") -> Any:
    return body_of(person, ref)["nodes"]["a"]["with"]


def at(pointer: str) -> str:
    return f"/nodes/a/with{pointer}"


# --- operations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operations", "changed"),
    [
        ([{"op": "add", "path": at("/new"), "value": {"x": [1]}}], {"new": {"x": [1]}}),
        ([{"op": "add", "path": at("/n"), "value": None}], {"n": None}),
        ([{"op": "add", "path": at("/list/1"), "value": "x"}], {"list": [1, "x", 2, 3]}),
        ([{"op": "add", "path": at("/list/3"), "value": "x"}], {"list": [1, 2, 3, "x"]}),
        ([{"op": "add", "path": at("/list/-"), "value": "x"}], {"list": [1, 2, 3, "x"]}),
        ([{"op": "remove", "path": at("/list/0")}], {"list": [2, 3]}),
        ([{"op": "replace", "path": at("/list/0"), "value": {"y": 1}}], {"list": [{"y": 1}, 2, 3]}),
        ([{"op": "replace", "path": at("/a~1b/~0"), "value": 2}], {"a/b": {"~": 2}}),
        ([{"op": "add", "path": at("/a~1b/x~1y~0z"), "value": 2}], {"a/b": {"~": "tilde", "x/y~z": 2}}),
        ([{"op": "replace", "path": at("/~01"), "value": 5}], {"~1": 5}),
        ([{"op": "replace", "path": at("/"), "value": "E"}], {"": "E"}),
        ([{"op": "replace", "path": at("/é"), "value": "ü"}], {"é": "ü"}),
        ([{"op": "copy", "from": at("/a~1b"), "path": at("/c")}], {"c": {"~": "tilde"}}),
        ([{"op": "copy", "from": at("/list"), "path": at("/list/0")}], {"list": [[1, 2, 3], 1, 2, 3]}),
        ([{"op": "move", "from": at("/list/0"), "path": at("/list/2")}], {"list": [2, 3, 1]}),
        ([{"op": "move", "from": at("/n"), "path": at("/n")}], {}),
        ([{"op": "test", "path": at("/n"), "value": 1.0}, {"op": "add", "path": at("/n"), "value": 2}], {"n": 2}),
        ([{"op": "test", "path": at("/a~1b"), "value": {"~": "tilde"}}], {}),
        ([{"op": "test", "path": at("/é"), "value": None, "comment": "ignored"}], {}),
        ([{"op": "add", "path": at("/n"), "value": n} for n in range(1000)], {"n": 999}),
    ],
)  # fmt: skip
def test_operations(alice: Person, flow: Any, operations: Any, changed: Any) -> None:
    answer = patch(alice, "flow", *operations)
    assert answer.status_code == 201, answer.content
    assert settings_of(alice) == {**WITH, **changed}
    assert answer.json()["operations"] == operations
    materialisation.forget()
    assert settings_of(alice, answer.json()["id"]) == {**WITH, **changed}


def test_remove_and_move_leave_nothing_behind(alice: Person, flow: Any) -> None:
    patched(
        alice, "flow", {"op": "remove", "path": at("/n")}, {"op": "move", "from": at("/list"), "path": at("/a~1b/l")}
    )
    left = {name: value for name, value in WITH.items() if name not in ("n", "list")}
    assert settings_of(alice) == {**left, "a/b": {"~": "tilde", "l": [1, 2, 3]}}


def test_the_root_may_be_replaced_by_another_definition(alice: Person, flow: Any) -> None:
    version = patched(alice, "flow", {"op": "replace", "path": "", "value": definition("x", "y")})
    assert body_of(alice) == definition("x", "y")
    assert get(alice, f"artifacts/{version}").json()["digest"] == digest(canonical_json(definition("x", "y")))


@pytest.mark.parametrize("value", [[], [definition("a")], "text", 5, None, True])
def test_the_root_may_not_be_replaced_by_anything_else(alice: Person, flow: Any, value: Any) -> None:
    error = unchanged(
        lambda: patch(alice, "flow", {"op": "replace", "path": "", "value": value}), 422, "validation_error"
    )
    assert list(error["details"]) == ["/"]


def test_what_one_adds_the_next_changes_and_neither_writes_into_the_other(alice: Person, flow: Any) -> None:
    value = {"deep": [1]}
    operations = [
        {"op": "add", "path": at("/x"), "value": value}, {"op": "copy", "from": at("/x"), "path": at("/y")},
        {"op": "add", "path": at("/x/deep/-"), "value": 2}, {"op": "add", "path": at("/y/deep/-"), "value": 3},
    ]  # fmt: skip
    answer = done(patch(alice, "flow", *operations)).json()
    materialisation.forget()
    found = settings_of(alice, answer["id"])
    assert (found["x"], found["y"]) == ({"deep": [1, 2]}, {"deep": [1, 3]})
    assert get(alice, f"patches/{answer['id']}").json()["operations"] == operations


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "test",
    [
        {"path": at("/n"), "value": 2}, {"path": at("/n"), "value": True}, {"path": at("/n"), "value": "1"},
        {"path": at("/é"), "value": False}, {"path": at("/list"), "value": [3, 2, 1]},
        {"path": at("/list"), "value": [1, 2, 3, 4]}, {"path": at("/gone"), "value": None}, {"path": "", "value": {}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1])
def test_a_failing_test_is_409_and_nothing_is_written(alice: Person, flow: Any, test: Any, place: int) -> None:
    operations = [set_timeout(1), set_timeout(2)]
    operations.insert(place, {"op": "test", **test})
    error = unchanged(lambda: patch(alice, "flow", *operations), 409, "conflict")
    assert list(error["details"]) == [f"/operations/{place}"]
    assert settings_of(alice) == WITH


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": at("/gone")}, {"op": "replace", "path": at("/gone"), "value": 1},
        {"op": "move", "from": at("/gone"), "path": at("/n")}, {"op": "copy", "from": at("/gone"), "path": at("/x")},
        {"op": "add", "path": at("/gone/x"), "value": 1}, {"op": "add", "path": at("/list/4"), "value": 1},
        {"op": "add", "path": at("/list/01"), "value": 1}, {"op": "remove", "path": at("/list/-")},
        {"op": "remove", "path": at("/list/-1")}, {"op": "replace", "path": at("/list/3"), "value": 1},
        {"op": "add", "path": at("/n/x"), "value": 1}, {"op": "remove", "path": ""},
        {"op": "move", "from": at("/a~1b"), "path": at("/a~1b/x")}, {"op": "move", "from": "", "path": at("/n")},
        {"op": "add", "path": "nodes", "value": 1}, {"op": "add", "path": at("/~2"), "value": 1},
        {"op": "add", "path": at("/~"), "value": 1}, {"op": "add", "path": "#/nodes", "value": 1},
        {"op": "add", "path": at("/n")}, {"op": "remove"}, {"op": "copy", "path": at("/n")}, {"path": at("/n")},
        {"op": "merge", "path": at("/n")}, {"op": "Add", "path": at("/n"), "value": 1}, {},
        {"op": ["add"], "path": at("/n"), "value": 1}, {"op": "add", "path": ["nodes"], "value": 1},
        {"op": "add", "path": None, "value": 1}, {"op": "move", "from": 5, "path": at("/n")},
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1])
def test_what_cannot_be_applied_is_422_and_named(alice: Person, flow: Any, operation: Any, place: int) -> None:
    operations = [set_timeout(1), set_timeout(2)]
    operations.insert(place, operation)
    error = unchanged(lambda: patch(alice, "flow", *operations), 422, "validation_error")
    assert list(error["details"]) == [f"/operations/{place}"]
    assert all(isinstance(told, str) for told in error["details"][f"/operations/{place}"])


def test_all_misshapen_operations_are_named_together(alice: Person, flow: Any) -> None:
    error = unchanged(
        lambda: patch(alice, "flow", {"op": "x", "path": ""}, set_timeout(1), {"op": "add", "path": "x"}),
        422, "validation_error",
    )  # fmt: skip
    assert set(error["details"]) == {"/operations/0", "/operations/2"}


@pytest.mark.parametrize("count", [1001, 10_000])
def test_more_than_a_thousand_operations_are_refused(alice: Person, flow: Any, count: int) -> None:
    error = unchanged(lambda: patch(alice, "flow", *[set_timeout(1)] * count), 422, "validation_error")
    assert list(error["details"]) == ["operations"]


@pytest.mark.parametrize("operations", [[], {}, None, "add", [[]], [5], [None], [set_timeout(1), "x"]])
def test_operations_are_a_list_of_objects(alice: Person, flow: Any, operations: Any) -> None:
    error = unchanged(
        lambda: post(alice, "patches", {"tag": "flow", "operations": operations}), 422, "validation_error"
    )
    assert list(error["details"]) == ["operations"]


def test_an_invalid_graph_is_told_with_every_fault_by_its_place_in_the_result(alice: Person, flow: Any) -> None:
    error = unchanged(
        lambda: patch(
            alice, "flow", {"op": "add", "path": "/nodes/b", "value": {"type": "b", "needs": ["a", "gone"]}},
            {"op": "add", "path": "/nodes/a/needs", "value": ["b"]}, {"op": "add", "path": "/nodse", "value": {}},
        ),
        422, "validation_error",
    )  # fmt: skip
    assert {"/nodes/b/type", "/nodes/b/needs/1", "/nodse"} <= set(error["details"])
    assert "circle" in str(error) or "waits for the next" in str(error)


def test_a_patch_may_pass_through_what_is_invalid(alice: Person, flow: Any) -> None:
    patched(alice, "flow", {"op": "remove", "path": "/nodes/a"}, {"op": "add", "path": "/nodes/b", "value": NODE})
    assert body_of(alice)["nodes"] == {"b": NODE}


NODE = {"type": "planner"}


# --- tags, bases and preconditions -----------------------------------------------------------------------------------


def test_a_patch_moves_its_tag_and_no_other(alice: Person, flow: Any) -> None:
    branch(alice, "other")
    before = written()
    answer = patch(alice, "flow", set_timeout(1))
    told = answer.json()
    assert_tag(told["tag"], get(alice, "tags/flow"))
    assert (told["tag"]["artifact_id"], told["tag"]["version"]) == (told["id"], 2)
    assert head(alice, "other") == told["base_id"] == flow.json()["artifact"]["id"]
    now = written()
    assert {name: now[name] - before[name] for name in ("Artifact", "Tag", "TagMove", "Event")} == {
        "Artifact": 1, "Tag": 0, "TagMove": 1, "Event": 1,
    }  # fmt: skip
    event = Event.objects.latest("seq")
    assert (event.event, event.details["to"], event.details["move"]) == ("tag_patched", told["id"], 2)


def test_a_patch_on_a_base_moves_nothing(alice: Person, flow: Any) -> None:
    tags = list(Tag.objects.values())
    answer = post(alice, "patches", {"base": "flow", "operations": [set_timeout(1)], "message": "aside"})
    told = done(answer).json()
    assert (told["tag"], told["message"]) == (None, "aside")
    assert list(Tag.objects.values()) == tags
    on_top = done(post(alice, "patches", {"base": told["id"], "operations": [set_timeout(2)]})).json()
    assert (on_top["base_id"], on_top["depth"]) == (told["id"], 2)
    assert body_of(alice, on_top["id"])["nodes"]["a"]["timeout_seconds"] == 2
    assert Event.objects.latest("seq").event == "patch_created"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"tag": "flow", "base": "flow"}, 422, "validation_error"), ({}, 422, "validation_error"),
        ({"tag": "gone"}, 404, "not_found"), ({"base": "gone"}, 404, "not_found"),
        ({"tag": ""}, 422, "validation_error"),
        ({"base": "flow~1"}, 404, "not_found"), ({"base": "flow~~x"}, 422, "validation_error"),
        ({"tag": "flow", "opreations": []}, 422, "validation_error"),
    ],
)  # fmt: skip
def test_what_is_patched_must_be_said(alice: Person, flow: Any, body: Any, status: int, kind: str) -> None:
    unchanged(lambda: post(alice, "patches", {"operations": [set_timeout(1)], **body}), status, kind)


def test_another_orgs_workflow_is_404(mallory: Person, alice: Person, flow: Any) -> None:
    for body in ({"tag": "flow"}, {"base": "flow"}, {"base": flow.json()["artifact"]["id"]}):
        unchanged(
            lambda body=body: post(mallory, "patches", {**body, "operations": [set_timeout(1)]}), 404, "not_found"
        )


def test_a_patch_that_was_made_for_another_state_is_412(alice: Person, bob: Person, flow: Any) -> None:
    read = get(bob, "tags/flow")["ETag"]
    patched(alice, "flow", set_timeout(1))
    unchanged(lambda: patch(bob, "flow", set_timeout(2), if_match=read), 412, "precondition_failed")
    assert done(patch(bob, "flow", set_timeout(2), if_match=get(bob, "tags/flow")["ETag"])).json()["depth"] == 2


def test_a_precondition_is_checked_before_the_operations(alice: Person, flow: Any) -> None:
    stale = f'"{"0" * 64}"'
    refused(
        patch(alice, "flow", {"op": "test", "path": at("/n"), "value": 7}, if_match=stale), 412, "precondition_failed"
    )


def test_a_repeated_key_patches_once(alice: Person, flow: Any) -> None:
    body = {"tag": "flow", "operations": [{"op": "add", "path": at("/list/-"), "value": 4}]}
    first, again = (post(alice, "patches", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (again.status_code, again.content, again["Location"]) == (201, first.content, first["Location"])
    assert again["Idempotent-Replayed"] == "true"
    assert settings_of(alice)["list"] == [1, 2, 3, 4]
    more = {**body, "operations": body["operations"] * 2}
    refused(post(alice, "patches", more, **{"Idempotency-Key": "k"}), 422, "validation_error")


def test_the_same_patch_twice_is_two_versions_and_one_blob(alice: Person, flow: Any) -> None:
    first, second = (done(patch(alice, "flow", set_timeout(1))).json() for _ in range(2))
    assert first["id"] != second["id"]
    assert (first["digest"], first["id"]) == (second["digest"], second["base_id"])
    assert second["diff"]["nodes"] == {"added": {}, "removed": {}, "changed": {}}
    assert Artifact.objects.get(pk=first["id"]).blob_id == Artifact.objects.get(pk=second["id"]).blob_id
    for version in (first, second):
        materialisation.forget()
        assert get(alice, f"artifacts/{version['id']}").json()["definition"]["nodes"]["a"]["timeout_seconds"] == 1


def test_a_long_line_of_patches_reads_back_at_every_point(alice: Person, flow: Any) -> None:
    versions = [patched(alice, "flow", set_timeout(seconds)) for seconds in range(1, 101)]
    assert Blob.objects.count() < 2 * 100, "no whole definition for each"
    materialisation.forget()
    for seconds, version in enumerate(versions, 1):
        found = get(alice, f"artifacts/{version}").json()
        assert (found["definition"]["nodes"]["a"]["timeout_seconds"], found["depth"]) == (seconds, seconds)


# --- reading one -----------------------------------------------------------------------------------------------------


def test_a_patch_is_told_with_its_operations_its_base_and_what_it_changed(alice: Person) -> None:
    root = create(alice).json()["artifact"]["id"]
    operations = [
        {"op": "add", "path": "/nodes/c", "value": {"type": "planner", "needs": ["b"]}},
        {"op": "remove", "path": "/nodes/b/needs"}, {"op": "replace", "path": "/name", "value": "new"},
    ]  # fmt: skip
    made = post(alice, "patches", {"tag": "flow", "operations": operations, "message": "why"})
    answer = get(alice, f"patches/{made.json()['id']}")
    told = answer.json()
    assert made["Location"] == f"{API}/patches/{told['id']}"
    assert answer["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert {name: told[name] for name in ("kind", "parents", "base_id", "depth", "operations", "nodes", "edges")} == {
        "kind": "patch_set", "parents": [root], "base_id": root, "depth": 1, "operations": operations, "nodes": 3,
        "edges": 1,
    }  # fmt: skip
    assert (told["author"], told["message"]) == (str(alice.actor), "why")
    assert told["diff"] == {
        "nodes": {
            "added": {"c": {"type": "planner", "needs": ["b"]}}, "removed": {},
            "changed": {"b": {"fields": {"needs": {"from": ["a"]}}}},
        },
        "edges": {"added": [{"from": "b", "to": "c"}], "removed": [{"from": "a", "to": "b"}]},
        "fields": {"name": {"from": "flow", "to": "new"}},
    }  # fmt: skip
    assert {**told, "tag": made.json()["tag"]} == made.json()
    patched(alice, "flow", set_timeout(1))
    assert get(alice, f"patches/{told['id']}", **{"If-None-Match": answer["ETag"]}).status_code == 304


def test_a_root_is_no_patch_and_neither_is_nonsense(alice: Person, mallory: Person, flow: Any) -> None:
    root = flow.json()["artifact"]["id"]
    version = patched(alice, "flow", set_timeout(1))
    for path in (f"patches/{root}", "patches/x", "patches/flow", f"patches/{version[:-1]}", "artifacts/x"):
        refused(get(alice, path), 404, "not_found")
    for path in (f"patches/{version}", f"artifacts/{version}"):
        refused(get(mallory, path), 404, "not_found")
        assert (
            get(alice, path.upper().replace("ARTIFACTS", "artifacts").replace("PATCHES", "patches")).status_code == 200
        )
        refused(get(alice, f"{path}?verbose=1"), 422, "validation_error")


def test_protecting_a_tag_does_not_change_its_patch(alice: Person, flow: Any) -> None:
    version = patched(alice, "flow", set_timeout(1))
    before = get(alice, f"patches/{version}")["ETag"]
    done(change(alice, "tags/flow", {"protected": True}))
    assert get(alice, f"patches/{version}")["ETag"] == before
