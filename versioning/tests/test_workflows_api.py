"""Workflows by their tags: making, listing, reading as of then, deleting, beginning anew."""

import hashlib
from typing import Any

import pytest

from conftest import Person
from orchestrator.api import lists
from orchestrator.core import clock
from orchestrator.core.canonical import canonical_json, digest
from orchestrator.events.models import Event
from versioning.models import Artifact, Tag
from versioning.tests.calls import (
    API,
    body_of,
    branch,
    change,
    copies,
    create,
    definition,
    delete,
    done,
    get,
    head,
    patch,
    patched,
    post,
    put,
    queries_of,
    refused,
    revert,
    set_timeout,
    unchanged,
)

NEW = {"If-None-Match": "*"}


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["tag"]["name"] for row in answer.json()["items"]]


# --- making one ------------------------------------------------------------------------------------------------------


def test_a_new_workflow_is_told_whole(alice: Person) -> None:
    body = {"tag": "flow", "definition": definition("a", "b"), "message": "first of\nall: é🚀 "}
    answer = post(alice, "workflows", body)
    tag, artifact = Tag.objects.get(), Artifact.objects.get()
    address = digest(canonical_json(definition("a", "b")))
    assert (answer.status_code, answer["Location"]) == (201, f"{API}/workflows/flow")
    assert answer.json() == {
        "tag": {
            "id": str(tag.id), "name": "flow", "artifact_id": str(artifact.id), "digest": address, "version": 1,
            "protected": False, "moves": 1, "can_undo": False, "can_redo": False,
            "created_at": clock.rfc3339(tag.created_at), "updated_at": clock.rfc3339(tag.updated_at),
            "updated_by": str(alice.actor),
        },
        "artifact": {
            "id": str(artifact.id), "kind": "workflow", "digest": address, "parents": [], "depth": 0, "nodes": 2,
            "edges": 1, "author": str(alice.actor), "message": "first of\nall: é🚀 ",
            "created_at": clock.rfc3339(artifact.created_at),
        },
        "definition": definition("a", "b"),
    }  # fmt: skip
    assert answer["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    read = get(alice, "workflows/flow")
    assert (read.content, read["ETag"]) == (answer.content, answer["ETag"])
    assert get(alice, "workflows/flow", **{"If-None-Match": answer["ETag"]}).status_code == 304


def test_making_one_is_one_event(alice: Person) -> None:
    create(alice)
    event = Event.objects.get(event__startswith="tag_")
    tag = Tag.objects.get()
    assert (event.event, event.kind, event.target, event.actor) == (
        "tag_created", "tags", f"tag:{tag.id}", str(alice.actor),
    )  # fmt: skip
    assert event.details["to"] == str(tag.artifact_id)


def test_a_taken_name_is_409_and_writes_nothing(alice: Person, bob: Person, mallory: Person) -> None:
    create(alice)
    body = {"tag": "flow", "definition": definition("x")}
    unchanged(lambda: post(bob, "workflows", body), 409, "conflict")
    assert body_of(alice) == definition("a", "b")
    assert post(mallory, "workflows", body).status_code == 201, "another org's names are its own"


def test_the_same_definition_may_have_several_tags(alice: Person) -> None:
    first, second = create(alice, "one"), create(alice, "two")
    assert first.json()["artifact"]["digest"] == second.json()["artifact"]["digest"]
    assert first.json()["artifact"]["id"] != second.json()["artifact"]["id"]


def test_the_message_is_kept_with_the_version_and_the_move(alice: Person) -> None:
    body = {"tag": "flow", "definition": definition("a"), "message": "x" * 1000}
    assert post(alice, "workflows", body).json()["artifact"]["message"] == "x" * 1000
    assert get(alice, "tags/flow/history").json()["items"][0]["message"] == "x" * 1000
    refused(post(alice, "workflows", {**body, "tag": "other", "message": "x" * 1001}), 422, "validation_error")


def test_every_fault_of_the_graph_is_told_at_once(alice: Person) -> None:
    wrong = {
        "nodes": {
            "a": {"type": "plannr", "needs": ["b"]}, "b": {"type": "planner", "needs": ["a", "gone"], "when": "a ||"},
        },
        "nodse": {},
    }  # fmt: skip
    error = unchanged(lambda: post(alice, "workflows", {"tag": "flow", "definition": wrong}), 422, "validation_error")
    assert {"/nodes/a/type", "/nodes/b/needs/1", "/nodes/b/when", "/nodse"} <= set(error["details"])
    assert any("a → b → a" in told for sentences in error["details"].values() for told in sentences)


def test_a_repeated_key_makes_one_workflow(alice: Person) -> None:
    body = {"tag": "flow", "definition": definition("a")}
    first, again = (post(alice, "workflows", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (again.status_code, again.content, again["ETag"]) == (201, first.content, first["ETag"])
    assert (again["Idempotent-Replayed"], again["Location"]) == ("true", first["Location"])
    refused(post(alice, "workflows", {**body, "tag": "x"}, **{"Idempotency-Key": "k"}), 422, "validation_error")
    assert Tag.objects.count() == Artifact.objects.count() == 1


# --- names -----------------------------------------------------------------------------------------------------------

GOOD = [
    "a", "A", "1", "v1.0", "a-b_c", ".hidden", "team/flow", "team/a.b/c.d", "undo", "runs", "log", "undo/a", "a/undo/b",
    "a/Undo", "x" * 200,
]  # fmt: skip
BAD = [
    "", " ", "../x", "..", ".", "/a", "a/", "a/../b", "a/./b", "a/.", "a..b", "a//b", "/", "x" * 201, "a b", " a", "a ",
    "a\n", "é", "🚀", "a?b", "a#b", "a%62", "a:b", "sha256:abcdef", "a~1", "a@{1}", "a\\b", "a*", "a/undo", "a/b/undo",
    "a/redo", "a/move", "a/history", "a/log", "a/revert", "a/runs",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_name_that_works_works_everywhere(alice: Person, name: str) -> None:
    assert create(alice, name)["Location"] == f"{API}/workflows/{name}"
    for path in ("workflows/{}", "workflows/{}/log", "workflows/{}/runs", "tags/{}", "tags/{}/history"):
        assert get(alice, path.format(name)).status_code == 200, path
    assert names(get(alice, "workflows")) == [name]
    assert body_of(alice, f"{name}@{{1}}") == definition("a", "b")
    refused(post(alice, f"tags/{name}/undo", {}), 409, "conflict")
    assert delete(alice, f"workflows/{name}").status_code == 204


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_does_not_is_refused(alice: Person, name: str) -> None:
    body = {"tag": name, "definition": definition("a")}
    error = unchanged(lambda: post(alice, "workflows", body), 422, "validation_error")
    assert list(error["details"]) == ["tag"]


@pytest.mark.parametrize("name", ["a%20b", "a%3Ab", "%C3%A9", "a~1", "x" * 201, "a..b", "a//b", "a/log", "a/runs"])
def test_a_branch_is_held_to_the_same_names(alice: Person, name: str) -> None:
    create(alice)
    error = unchanged(lambda: put(alice, f"tags/{name}", {"ref": "flow"}, **NEW), 422, "validation_error")
    assert list(error["details"]) == ["tag"]


@pytest.mark.parametrize("path", ["tags/flow%0A", "workflows/flow%0A", "tags/flow//", "tags//flow", "tags/FLOW"])
def test_only_the_very_name_is_found(alice: Person, path: str) -> None:
    create(alice)
    refused(get(alice, path), 404, "not_found")


@pytest.mark.parametrize("end", ["", "/"])
def test_names_with_slashes_and_slashes_at_the_end_in_every_route(alice: Person, end: str) -> None:
    made = post(alice, f"workflows{end}", {"tag": "a/b/c", "definition": definition("a", "b")})
    assert made.status_code == 201
    first = patched(alice, "a/b/c", set_timeout(1))
    reads = [
        "workflows", "tags", "workflows/a/b/c", "workflows/a/b/c/log", "workflows/a/b/c/runs", "tags/a/b/c",
        "tags/a/b/c/history", f"patches/{first}", f"artifacts/{first}", f"artifacts/{first}/runs",
    ]  # fmt: skip
    for path in reads:
        assert get(alice, path + end).status_code == 200, path
    assert get(alice, f"diff{end}?from=a/b/c~1&to=a/b/c").status_code == 200
    assert put(alice, f"tags/a/b/d{end}", {"tag": "a/b/c"}, **NEW).status_code == 201
    assert change(alice, f"tags/a/b/d{end}", {"protected": False}).status_code == 200
    for action, body in (("undo", {}), ("redo", {}), ("move", {"tag": "a/b/d~1"})):
        assert post(alice, f"tags/a/b/c/{action}{end}", body).status_code == 200, action
    assert post(alice, f"tags/a/b/c/undo{end}", {}).status_code == 200
    assert post(alice, f"workflows/a/b/c/revert{end}", {"artifact": first}).status_code == 201
    assert post(alice, f"patches{end}", {"tag": "a/b/d", "operations": [set_timeout(2)]}).status_code == 201
    assert delete(alice, f"tags/a/b/d{end}").status_code == 204
    assert delete(alice, f"workflows/a/b/c{end}").status_code == 204


def test_a_slash_may_be_written_as_percent_2f(alice: Person) -> None:
    create(alice, "team/flow")
    assert get(alice, "workflows/team%2Fflow").json()["tag"]["name"] == "team/flow"


# --- listing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def five(alice: Person) -> list[str]:
    found = ["a_b", "axb", "team/one", "team/two", "z"]
    for name in reversed(found):
        create(alice, name)
    done(change(alice, "tags/team/two", {"protected": True}))
    return found


def test_the_list_goes_by_name_and_has_no_definitions(alice: Person, five: list[str]) -> None:
    answer = get(alice, "workflows")
    assert names(answer) == five
    assert (answer.json()["kind"], answer.json()["next_cursor"]) == ("workflows", None)
    one = get(alice, "workflows/axb").json()
    assert answer.json()["items"][1] == {"tag": one["tag"], "artifact": one["artifact"]}
    tags = get(alice, "tags").json()
    assert (tags["kind"], tags["items"]) == ("tags", [row["tag"] for row in answer.json()["items"]])


@pytest.mark.parametrize("kind", ["workflows", "tags"])
@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
def test_pages_give_each_once(alice: Person, five: list[str], kind: str, limit: int) -> None:
    seen: list[str] = []
    path = f"{kind}?limit={limit}"
    cursor: str | None = ""
    while cursor is not None:
        body = done(get(alice, path + (f"&cursor={cursor}" if cursor else ""))).json()
        assert 0 < len(body["items"]) <= limit
        seen += [row.get("tag", row)["name"] for row in body["items"]]
        cursor = body["next_cursor"]
    assert seen == five


def test_what_comes_between_two_pages_moves_nothing(alice: Person, five: list[str]) -> None:
    first = get(alice, "workflows?limit=2")
    create(alice, "aaa")
    delete(alice, "tags/axb")
    assert names(get(alice, f"workflows?cursor={first.json()['next_cursor']}")) == five[2:]


@pytest.mark.parametrize("kind", ["workflows", "tags"])
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("prefix=team/", ["team/one", "team/two"]), ("prefix=a_", ["a_b"]), ("prefix=%25", []), ("prefix=TEAM", []),
        ("prefix=team/one", ["team/one"]), ("prefix=eam", []), ("prefix=", ["a_b", "axb", "team/one", "team/two", "z"]),
        ("protected=true", ["team/two"]), ("protected=false", ["a_b", "axb", "team/one", "z"]),
        ("protected=true&prefix=a", []), ("protected=false&prefix=team&limit=1", ["team/one"]),
    ],
)  # fmt: skip
def test_filters(alice: Person, five: list[str], kind: str, query: str, wanted: list[str]) -> None:
    items = done(get(alice, f"{kind}?{query}")).json()["items"]
    assert [row.get("tag", row)["name"] for row in items] == wanted


@pytest.mark.parametrize("kind", ["workflows", "tags"])
@pytest.mark.parametrize(
    "query",
    [
        "protected=maybe", "protected=2", "prefix=%00", f"prefix={'x' * 201}", "name=a", "limit=0", "limit=1001",
        "limit=x", "cursor=", "cursor=%21%21%21%21", "cursor=%ff", "cursor=AAAA", "cursor=abcde",
    ],
)  # fmt: skip
def test_bad_filters_are_refused(alice: Person, five: list[str], kind: str, query: str) -> None:
    error = refused(get(alice, f"{kind}?{query}"), 422, "validation_error")
    assert list(error["details"]) == [query.partition("=")[0]]


@pytest.mark.parametrize("kind", ["workflows", "tags"])
def test_an_unchanged_list_is_304_and_reads_no_rows(alice: Person, five: list[str], kind: str) -> None:
    first = get(alice, f"{kind}?prefix=team")
    known = {"If-None-Match": first["ETag"]}
    again = get(alice, f"{kind}?prefix=team", **known)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert (again["Vary"], again["Cache-Control"]) == (first["Vary"], first["Cache-Control"])
    assert not [sql for sql in queries_of(alice, f"{kind}?prefix=team", **known) if "versioning_" in sql]


@pytest.mark.parametrize("kind", ["workflows", "tags"])
def test_each_kind_of_write_changes_the_list(alice: Person, mallory: Person, kind: str) -> None:
    seen = [get(alice, kind)["ETag"]]

    def changed(answer: Any) -> None:
        done(answer)
        seen.append(get(alice, kind, **{"If-None-Match": seen[-1]})["ETag"])
        assert len(set(seen)) == len(seen)

    changed(create(alice))
    changed(patch(alice, "flow", set_timeout(1)))
    changed(branch(alice, "side"))
    changed(post(alice, "tags/flow/undo", {}))
    changed(post(alice, "tags/flow/redo", {}))
    changed(patch(alice, "side", set_timeout(1, "b")))
    changed(post(alice, "merge", {"into": "flow", "from": "side"}))
    changed(revert(alice, "flow", head(alice, "side")))
    changed(post(alice, "tags/flow/move", {"tag": "side"}))
    changed(put(alice, "tags/flow", {"tag": "side~1"}, **{"If-Match": "*"}))
    changed(change(alice, "tags/flow", {"protected": True}))
    changed(change(alice, "tags/flow", {"protected": False}))
    changed(delete(alice, "workflows/flow"))
    create(mallory)
    assert get(alice, kind, **{"If-None-Match": seen[-1]}).status_code == 304, "another org is no business of ours"


@pytest.mark.parametrize("kind", ["workflows", "tags"])
def test_two_hundred_rows_cost_as_many_queries_as_two(alice: Person, kind: str) -> None:
    create(alice)
    version = patched(alice, "flow", set_timeout(1))
    counts = []
    for more in (1, 198):
        Tag.objects.bulk_create(
            Tag(org=alice.org, name=f"t{artifact.id}", artifact=artifact, updated_by="system")
            for artifact in copies(version, more)
        )
        lists.forget()
        counts.append(len(queries_of(alice, f"{kind}?limit=1000")))
        assert len(get(alice, f"{kind}?limit=1000").json()["items"]) == Tag.objects.count()
    assert counts[0] == counts[1] <= 5


def test_another_orgs_workflows_are_not_there(alice: Person, mallory: Person) -> None:
    create(alice)
    assert names(get(mallory, "workflows")) == []
    for path in ("workflows/flow", "tags/flow", "workflows/flow/log", "tags/flow/history", f"artifacts/{head(alice)}"):
        refused(get(mallory, path), 404, "not_found")
    refused(delete(mallory, "workflows/flow"), 404, "not_found")


# --- reading as of then ----------------------------------------------------------------------------------------------


def test_at_a_move_or_a_ref_is_as_of_then(alice: Person) -> None:
    create(alice)
    first = head(alice)
    second = patched(alice, "flow", set_timeout(7))
    for at in ("1", "01", first, "flow~1", "flow@{1}", digest(canonical_json(definition("a", "b")))):
        body = done(get(alice, f"workflows/flow?at={at}")).json()
        assert (body["artifact"]["id"], body["definition"]) == (first, definition("a", "b")), at
        assert body["tag"]["artifact_id"] == second, "the tag is told as it is"
    assert get(alice, "workflows/flow?at=2")["ETag"] == get(alice, "workflows/flow")["ETag"]
    then = get(alice, "workflows/flow?at=1")
    assert get(alice, "workflows/flow?at=1", **{"If-None-Match": then["ETag"]}).status_code == 304
    refused(delete(alice, "workflows/flow", if_match=then["ETag"]), 412, "precondition_failed")


@pytest.mark.parametrize(
    ("at", "status", "kind"),
    [
        ("0", 404, "not_found"), ("3", 404, "not_found"), ("999999999", 404, "not_found"),
        ("9" * 30, 404, "not_found"), ("00000000-0000-7000-8000-000000000000", 404, "not_found"),
        ("nobody", 404, "not_found"), ("flow~9", 404, "not_found"), ("", 422, "validation_error"),
        ("-1", 404, "not_found"), ("a b", 422, "validation_error"), ("%D9%A1", 422, "validation_error"),
    ],
)  # fmt: skip
def test_at_what_is_not_there(alice: Person, at: str, status: int, kind: str) -> None:
    create(alice)
    patched(alice, "flow", set_timeout(7))
    refused(get(alice, f"workflows/flow?at={at}"), status, kind)


def test_at_another_orgs_version_is_not_there(alice: Person, mallory: Person) -> None:
    create(alice)
    theirs = create(mallory).json()["artifact"]["id"]
    refused(get(alice, f"workflows/flow?at={theirs}"), 404, "not_found")


@pytest.mark.parametrize("path", ["workflows/flow", "tags/flow", "workflows/flow/log", "tags/flow/history"])
def test_unknown_parameters_are_refused(alice: Person, path: str) -> None:
    create(alice)
    assert list(refused(get(alice, f"{path}?verbose=1"), 422, "validation_error")["details"]) == ["verbose"]


# --- deleting, and beginning anew ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["workflows", "tags"])
def test_deleting_needs_the_tag_that_was_read(alice: Person, kind: str) -> None:
    read = create(alice)["ETag"]
    unchanged(lambda: delete(alice, f"{kind}/flow", if_match=None), 428, "precondition_required")
    current = done(post(alice, "tags/flow/move", {"tag": "flow"}))["ETag"]
    unchanged(lambda: delete(alice, f"{kind}/flow", if_match=read), 412, "precondition_failed")
    answer = delete(alice, f"{kind}/flow", if_match=current)
    assert (answer.status_code, answer.content) == (204, b"")
    refused(delete(alice, f"{kind}/flow"), 404, "not_found")


def test_a_deleted_workflow_is_gone_and_its_history_is_not(alice: Person) -> None:
    first = create(alice).json()["artifact"]["id"]
    second = patched(alice, "flow", set_timeout(7))
    assert delete(alice, "workflows/flow").status_code == 204
    for path in ("workflows/flow", "workflows/flow?at=1", "tags/flow", "workflows/flow/log"):
        refused(get(alice, path), 404, "not_found")
    for action in ("undo", "redo"):
        refused(post(alice, f"tags/flow/{action}", {}), 404, "not_found")
    refused(patch(alice, "flow", set_timeout(1)), 404, "not_found")
    assert names(get(alice, "workflows")) == []
    moves = get(alice, "tags/flow/history").json()["items"]
    assert [(row["number"], row["kind"], row["from"], row["to"]) for row in moves] == [
        (3, "delete", second, None), (2, "patch", first, second), (1, "create", None, first),
    ]  # fmt: skip
    assert get(alice, f"artifacts/{second}").json()["definition"]["nodes"]["a"]["timeout_seconds"] == 7
    assert body_of(alice, "flow@{1}") == definition("a", "b")
    refused(get(alice, "diff?from=flow@{3}&to=flow@{1}"), 404, "not_found")


def test_a_name_in_its_next_life_has_a_fresh_undo_line_and_the_old_history(alice: Person) -> None:
    create(alice)
    patched(alice, "flow", set_timeout(7))
    version = get(alice, "tags/flow").json()["version"]
    delete(alice, "workflows/flow")
    born = create(alice, "flow", "x").json()["tag"]
    assert (born["moves"], born["can_undo"], born["can_redo"]) == (4, False, False)
    assert born["version"] > version
    refused(post(alice, "tags/flow/undo", {}), 409, "conflict")
    patched(alice, "flow", set_timeout(1, "x"))
    done(post(alice, "tags/flow/undo", {}))
    assert body_of(alice) == definition("x")
    refused(post(alice, "tags/flow/undo", {}), 409, "conflict")
    assert body_of(alice, "flow@{1}") == definition("a", "b")
    kinds = [row["kind"] for row in get(alice, "tags/flow/history").json()["items"]]
    assert kinds == ["undo", "patch", "create", "delete", "patch", "create"]
    assert [row["message"] for row in get(alice, "workflows/flow/log").json()["items"]] == [""]


def test_an_old_etag_is_stale_in_the_next_life(alice: Person) -> None:
    old = create(alice)["ETag"]
    delete(alice, "workflows/flow", if_match=old)
    create(alice)
    unchanged(lambda: delete(alice, "workflows/flow", if_match=old), 412, "precondition_failed")
