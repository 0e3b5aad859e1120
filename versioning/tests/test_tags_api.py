"""Tags over HTTP: branching, moving, undo and redo along the tag's moves, preconditions, protection, history."""

import uuid
from typing import Any

import pytest

from conftest import Person, make_person
from orchestrator.core import clock
from orchestrator.events.models import Event
from orchestrator.identity.models import Role
from versioning.models import Tag, TagMove
from versioning.tests.calls import (
    API,
    branch,
    change,
    create,
    definition,
    delete,
    done,
    get,
    head,
    merge,
    patched,
    post,
    put,
    refused,
    set_timeout,
    unchanged,
)

STALE = f'"{"0" * 64}"'
NEW = {"If-None-Match": "*"}


def undo(person: Person, tag: str = "flow", **how: Any) -> Any:
    return post(person, f"tags/{tag}/undo", {}, **how)


def redo(person: Person, tag: str = "flow", **how: Any) -> Any:
    return post(person, f"tags/{tag}/redo", {}, **how)


def walk(person: Person, *actions: str) -> list[str]:
    """Where each of the actions leads to, one after the other."""
    return [done(post(person, f"tags/flow/{action}", {})).json()["artifact_id"] for action in actions]


@pytest.fixture
def line(alice: Person) -> list[str]:
    """The seed's trap: V1, then patches P1, P2, P3."""
    first = create(alice).json()["artifact"]["id"]
    return [first, *(patched(alice, "flow", set_timeout(seconds)) for seconds in (1, 2, 3))]


# --- PUT -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["artifact_id", "tag", "ref"])
def test_a_new_tag_is_a_branch(alice: Person, field: str) -> None:
    version = create(alice).json()["artifact"]
    named = version["id"] if field == "artifact_id" else "flow"
    answer = put(alice, "tags/team/fix", {field: named, "message": "why"}, **NEW)
    tag = Tag.objects.get(name="team/fix")
    assert (answer.status_code, answer["Location"]) == (201, f"{API}/tags/team/fix")
    assert answer.json() == {
        "id": str(tag.id), "name": "team/fix", "artifact_id": version["id"], "digest": version["digest"], "version": 1,
        "protected": False, "moves": 1, "can_undo": False, "can_redo": False,
        "created_at": clock.rfc3339(tag.created_at), "updated_at": clock.rfc3339(tag.updated_at),
        "updated_by": str(alice.actor),
    }  # fmt: skip
    read = get(alice, "tags/team/fix")
    assert (read.content, read["ETag"]) == (answer.content, answer["ETag"])
    assert get(alice, "tags/team/fix/history").json()["items"][0]["message"] == "why"


def test_a_branch_goes_its_own_way(alice: Person) -> None:
    first = create(alice).json()["artifact"]["id"]
    branch(alice, "fix")
    patched(alice, "fix", set_timeout(1))
    assert head(alice) == first
    refused(undo(alice), 409, "conflict")


def test_a_taken_name_is_412_for_who_wants_a_new_one(alice: Person) -> None:
    create(alice)
    branch(alice, "fix")
    unchanged(lambda: put(alice, "tags/fix", {"ref": "flow"}, **NEW), 412, "precondition_failed")


def test_a_deleted_name_is_free(alice: Person) -> None:
    create(alice)
    branch(alice, "fix")
    delete(alice, "tags/fix")
    assert branch(alice, "fix").json()["version"] == 3


def test_put_with_if_match_moves(alice: Person, line: list[str]) -> None:
    read = get(alice, "tags/flow")
    answer = put(alice, "tags/flow", {"artifact_id": line[0], "message": "back"}, **{"If-Match": read["ETag"]})
    assert (answer.status_code, answer.json()["artifact_id"]) == (200, line[0])
    assert get(alice, "tags/flow/history").json()["items"][0]["kind"] == "move"
    unchanged(
        lambda: put(alice, "tags/flow", {"artifact_id": line[1]}, **{"If-Match": read["ETag"]}),
        412, "precondition_failed",
    )  # fmt: skip
    assert put(alice, "tags/flow", {"tag": "flow~0"}, **{"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("name", ["flow", "new"])
@pytest.mark.parametrize("headers", [{}, {"If-None-Match": STALE}])
def test_put_without_a_precondition_is_428(alice: Person, name: str, headers: dict[str, str]) -> None:
    create(alice)
    unchanged(lambda: put(alice, f"tags/{name}", {"ref": "flow"}, **headers), 428, "precondition_required")


def test_put_with_if_match_makes_no_new_tag(alice: Person) -> None:
    create(alice)
    answer = put(alice, "tags/new", {"ref": "flow"}, **{"If-Match": "*"})
    assert answer.status_code in (404, 412)
    assert Tag.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"ref": "flow", "tag": "flow"}, {"artifact_id": str(uuid.uuid4()), "tag": "flow"}, {"message": "only"}],
)
def test_one_version_must_be_named(alice: Person, body: Any) -> None:
    create(alice)
    for call in (
        lambda: put(alice, "tags/new", body, **NEW),
        lambda: put(alice, "tags/flow", body, **{"If-Match": "*"}),
        lambda: post(alice, "tags/flow/move", body),
    ):
        unchanged(call, 422, "validation_error")


@pytest.mark.parametrize("body", [{"artifact_id": str(uuid.uuid4())}, {"tag": "nobody"}, {"ref": "flow~1"}])
def test_a_version_that_is_not_there_is_404(alice: Person, body: Any) -> None:
    create(alice)
    for call in (lambda: put(alice, "tags/new", body, **NEW), lambda: post(alice, "tags/flow/move", body)):
        unchanged(call, 404, "not_found")


def test_another_orgs_version_is_404(alice: Person, mallory: Person) -> None:
    theirs = create(mallory, "secret").json()["artifact"]["id"]
    create(alice)
    for body in ({"artifact_id": theirs}, {"ref": "secret"}):
        refused(post(alice, "tags/flow/move", body), 404, "not_found")
        refused(put(alice, "tags/new", body, **NEW), 404, "not_found")


@pytest.mark.parametrize("path", ["move", "undo", "redo"])
def test_a_tag_that_is_not_there_is_404(alice: Person, mallory: Person, path: str) -> None:
    create(alice)
    body = {"ref": "flow"} if path == "move" else {}
    refused(post(alice, f"tags/gone/{path}", body), 404, "not_found")
    refused(post(mallory, f"tags/flow/{path}", body), 404, "not_found")


# --- move, undo, redo ------------------------------------------------------------------------------------------------


def test_each_answer_is_the_tag_and_its_etag_is_good_for_the_next_call(alice: Person, line: list[str]) -> None:
    etag = get(alice, "tags/flow")["ETag"]
    for path, body, at, position in (
        ("undo", {"message": "oops"}, line[2], (True, True)),
        ("redo", {}, line[3], (True, False)),
        ("move", {"artifact_id": line[0]}, line[0], (True, False)),
        ("undo", {}, line[3], (True, True)),
    ):
        answer = post(alice, f"tags/flow/{path}", body, if_match=etag)
        told = done(answer).json()
        assert (answer.status_code, told["artifact_id"]) == (200, at)
        assert (told["can_undo"], told["can_redo"]) == position
        read = get(alice, "tags/flow")
        assert (read.content, read["ETag"]) == (answer.content, answer["ETag"])
        etag = answer["ETag"]
    assert told["version"] == told["moves"] == 8


@pytest.mark.parametrize("content_type", ["application/json", ""])
def test_undo_and_redo_need_no_body(alice: Person, line: list[str], content_type: str) -> None:
    for action, at in (("undo", line[2]), ("redo", line[3])):
        answer = alice.client.generic("POST", f"{API}/tags/flow/{action}", b"", content_type=content_type)
        assert done(answer).json()["artifact_id"] == at


def test_undo_and_redo_carry_their_message(alice: Person, line: list[str]) -> None:
    post(alice, "tags/flow/undo", {"message": "oops"})
    post(alice, "tags/flow/redo", {"message": "after all"})
    assert [row["message"] for row in get(alice, "tags/flow/history?limit=2").json()["items"]] == ["after all", "oops"]


def test_four_undos_walk_back_and_do_not_oscillate(alice: Person, line: list[str]) -> None:
    assert walk(alice, "undo", "undo", "undo") == [line[2], line[1], line[0]]
    unchanged(lambda: undo(alice), 409, "conflict")
    unchanged(lambda: undo(alice), 409, "conflict")
    assert walk(alice, "redo", "redo", "redo") == line[1:]
    unchanged(lambda: redo(alice), 409, "conflict")
    assert walk(alice, "undo", "undo", "redo", "undo", "undo") == [line[2], line[1], line[2], line[1], line[0]]


def test_nothing_to_undo_at_the_first_move_and_nothing_to_redo_at_the_last(alice: Person) -> None:
    create(alice)
    for call in (undo, redo):
        unchanged(lambda call=call: call(alice), 409, "conflict")


def test_a_new_move_cuts_what_could_be_redone_and_keeps_the_rows(alice: Person, line: list[str]) -> None:
    walk(alice, "undo", "undo")
    other = patched(alice, "flow", set_timeout(9))
    assert get(alice, "tags/flow").json()["can_redo"] is False
    unchanged(lambda: redo(alice), 409, "conflict")
    assert walk(alice, "undo", "redo", "undo", "undo") == [line[1], other, line[1], line[0]]
    moves = get(alice, "tags/flow/history").json()["items"]
    assert {row["to"] for row in moves} == {*line, other}
    assert get(alice, f"artifacts/{line[3]}").status_code == 200, "nobody stands there, it is still to be read"


def test_undo_follows_the_tag_and_not_what_its_versions_descend_from(alice: Person, line: list[str]) -> None:
    stranger = create(alice, "stranger", "x").json()["artifact"]["id"]
    done(post(alice, "tags/flow/move", {"artifact_id": stranger}))
    done(post(alice, "tags/flow/move", {"artifact_id": line[1]}))
    done(post(alice, "tags/flow/move", {"artifact_id": stranger}))
    assert walk(alice, "undo", "undo", "undo", "undo") == [line[1], stranger, line[3], line[2]]


def test_a_move_to_where_the_tag_is_counts_as_one(alice: Person, line: list[str]) -> None:
    done(post(alice, "tags/flow/move", {"tag": "flow"}))
    assert walk(alice, "undo", "undo") == [line[3], line[2]]


def test_a_merge_is_undone_like_any_move(alice: Person, line: list[str]) -> None:
    branch(alice, "side", "flow~1")
    patched(alice, "side", set_timeout(5, "b"))
    merged = done(merge(alice, "flow", "side")).json()["artifact"]["id"]
    assert walk(alice, "undo", "redo", "undo") == [line[3], merged, line[3]]


def test_every_move_is_an_event(alice: Person, line: list[str]) -> None:
    done(undo(alice))
    done(redo(alice))
    done(post(alice, "tags/flow/move", {"artifact_id": line[0], "message": "why"}))
    rows = Event.objects.filter(kind="tags").order_by("seq")
    assert [row.event for row in rows] == [
        "tag_created", *["tag_patched"] * 3, "tag_undone", "tag_redone", "tag_moved",
    ]  # fmt: skip
    assert rows[6].details == {"tag": "flow", "move": 7, "from": line[3], "to": line[0], "message": "why"}


# --- preconditions ---------------------------------------------------------------------------------------------------

WRITES: list[tuple[str, Any]] = [
    ("PUT tags/flow", {"ref": "flow"}),
    ("PATCH tags/flow", {"protected": True}),
    ("DELETE tags/flow", None),
    ("DELETE workflows/flow", None),
    ("POST tags/flow/move", {"ref": "flow"}),
    ("POST tags/flow/undo", {}),
    ("POST tags/flow/redo", {}),
    ("POST patches", {"tag": "flow", "operations": [set_timeout(9)]}),
    ("POST merge", {"into": "flow", "from": "side"}),
    ("POST workflows/flow/revert", {"artifact": "flow"}),
]
each_write = pytest.mark.parametrize(("what", "body"), WRITES, ids=[what for what, _ in WRITES])


def write(person: Person, what: str, body: Any, if_match: str | None) -> Any:
    method, _, path = what.partition(" ")
    if method == "POST":
        return post(person, path, body, if_match=if_match)
    if method == "PUT":
        return put(person, path, body, **({"If-Match": if_match} if if_match else {}))
    return delete(person, path, if_match=if_match) if body is None else change(person, path, body, if_match=if_match)


@pytest.fixture
def ready(alice: Person, line: list[str]) -> None:
    """``flow`` can be undone, redone, reverted and merged into."""
    branch(alice, "side", "flow~1")
    patched(alice, "side", set_timeout(5, "b"))
    done(undo(alice))


@each_write
@pytest.mark.parametrize("read", ["tags/flow", "workflows/flow"])
@pytest.mark.parametrize("form", ["{}", "*", f"{STALE}, {{}}"])
def test_the_etag_of_the_tag_or_of_its_workflow_lets_a_write_pass(
    alice: Person, ready: None, what: str, body: Any, read: str, form: str
) -> None:
    before = get(alice, "tags/flow").json()["version"]
    done(write(alice, what, body, form.format(get(alice, read)["ETag"])))
    assert Tag.objects.get(name="flow").version == before + 1


@each_write
@pytest.mark.parametrize("read", ["tags/flow", "workflows/flow"])
def test_a_stale_etag_is_412_and_nothing_is_written(
    alice: Person, ready: None, what: str, body: Any, read: str
) -> None:
    stale = get(alice, read)["ETag"]
    done(post(alice, "tags/flow/redo", {}))
    done(post(alice, "tags/flow/undo", {}))  # the same place, and not the same state
    for etag in (stale, STALE, f"W/{get(alice, read)['ETag']}", "nonsense", get(alice, "tags/side")["ETag"]):
        unchanged(lambda etag=etag: write(alice, what, body, etag), 412, "precondition_failed")


@each_write
def test_put_patch_and_delete_need_if_match_and_post_does_not(alice: Person, ready: None, what: str, body: Any) -> None:
    if what.startswith("POST"):
        done(write(alice, what, body, None))
    else:
        unchanged(lambda: write(alice, what, body, None), 428, "precondition_required")


def test_the_etag_of_the_compressed_tag_is_as_good(alice: Person, line: list[str]) -> None:
    done(post(alice, "tags/flow/undo", {}, if_match=get(alice, "tags/flow")["ETag"][:-1] + '-gzip"'))


# --- repeating -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["undo", "redo", "move"])
def test_a_repeated_key_acts_once(alice: Person, line: list[str], path: str) -> None:
    done(undo(alice))
    body = {"artifact_id": line[0]} if path == "move" else {}
    first, again = (post(alice, f"tags/flow/{path}", body, **{"Idempotency-Key": "once"}) for _ in range(2))
    assert (done(again).content, again["ETag"], again["Idempotent-Replayed"]) == (first.content, first["ETag"], "true")
    assert TagMove.objects.count() == 6
    refused(post(alice, "tags/flow/undo", {"message": "x"}, **{"Idempotency-Key": "once"}), 422, "validation_error")


def test_a_refused_undo_may_be_tried_again_under_its_key(alice: Person) -> None:
    create(alice)
    refused(undo(alice, **{"Idempotency-Key": "k"}), 409, "conflict")
    patched(alice, "flow", set_timeout(1))
    done(undo(alice, **{"Idempotency-Key": "k"}))


def test_a_replayed_undo_needs_no_current_etag(alice: Person, line: list[str]) -> None:
    etag = get(alice, "tags/flow")["ETag"]
    first, again = (undo(alice, if_match=etag, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert done(again).content == first.content


# --- protection ------------------------------------------------------------------------------------------------------


@pytest.fixture
def protected(alice: Person, ready: None) -> Any:
    """The answer to protecting ``flow``."""
    return done(change(alice, "tags/flow", {"protected": True}))


MOVES = [pair for pair in WRITES if not pair[0].startswith(("PATCH", "DELETE"))]
each_move = pytest.mark.parametrize(("what", "body"), MOVES, ids=[what for what, _ in MOVES])


def test_protection_is_told_and_can_be_lifted(alice: Person, protected: Any) -> None:
    assert protected.json()["protected"] is True
    assert protected.content == get(alice, "tags/flow").content
    lifted = done(change(alice, "tags/flow", {"protected": False}, if_match=protected["ETag"])).json()
    assert (lifted["protected"], lifted["version"]) == (False, protected.json()["version"] + 1)
    assert lifted["moves"] == protected.json()["moves"], "it is no move"
    assert [row.event for row in Event.objects.filter(event__endswith="protected").order_by("seq")] == [
        "tag_protected", "tag_unprotected",
    ]  # fmt: skip


@each_move
def test_members_do_not_move_a_protected_tag(bob: Person, protected: Any, what: str, body: Any) -> None:
    unchanged(lambda: write(bob, what, body, "*"), 403, "permission_denied")


@each_move
def test_admins_do(alice: Person, protected: Any, what: str, body: Any) -> None:
    admin = make_person("erin", alice.org, Role.ADMIN)
    done(write(admin, what, body, "*"))
    assert get(alice, "tags/flow").json()["protected"] is True


@pytest.mark.parametrize("path", ["tags/flow", "workflows/flow"])
def test_nobody_deletes_a_protected_tag(alice: Person, bob: Person, protected: Any, path: str) -> None:
    unchanged(lambda: delete(alice, path), 409, "conflict")
    unchanged(lambda: delete(bob, path), 403, "permission_denied")
    done(change(alice, "tags/flow", {"protected": False}))
    assert delete(bob, path).status_code == 204


@pytest.mark.parametrize("value", [True, False])
def test_only_admins_protect_and_lift(bob: Person, protected: Any, value: bool) -> None:
    unchanged(lambda: change(bob, "tags/flow", {"protected": value}), 403, "permission_denied")
    unchanged(lambda: change(bob, "tags/side", {"protected": value}), 403, "permission_denied")


def test_a_protected_tag_may_be_read_branched_and_merged_from(bob: Person, protected: Any) -> None:
    done(branch(bob, "mine"))
    done(merge(bob, "side", "flow@{4}"))


@pytest.mark.parametrize("body", [{}, {"protected": "yes"}, {"protected": None}, {"protected": 1}, {"name": "x"}])
def test_protection_is_true_or_false(alice: Person, line: list[str], body: Any) -> None:
    unchanged(lambda: change(alice, "tags/flow", body), 422, "validation_error")


# --- roles -----------------------------------------------------------------------------------------------------------

CREATIONS: list[tuple[str, Any]] = [
    ("POST workflows", {"tag": "new", "definition": definition("a")}),
    ("POST patches", {"base": "flow", "operations": [set_timeout(9)]}),
    ("POST merge", {"into": "flow", "from": "side", "dry_run": True}),
]


@pytest.mark.parametrize(("what", "body"), [*WRITES, *CREATIONS])
def test_viewers_write_nothing(carol: Person, ready: None, what: str, body: Any) -> None:
    unchanged(lambda: write(carol, what, body, "*"), 403, "permission_denied")
    unchanged(lambda: put(carol, "tags/new", {"ref": "flow"}, **NEW), 403, "permission_denied")


def test_viewers_read_all(carol: Person, alice: Person, ready: None) -> None:
    version = head(alice)
    for path in (
        "workflows", "workflows/flow", "workflows/flow/log", "workflows/flow/runs", "tags", "tags/flow",
        "tags/flow/history", f"patches/{version}", f"artifacts/{version}", "diff?from=flow~1&to=flow",
    ):  # fmt: skip
        assert get(carol, path).status_code == 200, path


# --- history ---------------------------------------------------------------------------------------------------------


def test_the_history_is_told_last_first(alice: Person, bob: Person, line: list[str]) -> None:
    done(post(bob, "tags/flow/undo", {"message": "oops"}))
    body = get(alice, "tags/flow/history").json()
    assert (body["kind"], body["next_cursor"]) == ("tag_moves", None)
    row = TagMove.objects.get(number=5)
    assert body["items"][0] == {
        "number": 5, "kind": "undo", "from": line[3], "to": line[2], "actor": str(bob.actor), "message": "oops",
        "created_at": clock.rfc3339(row.created_at),
    }  # fmt: skip
    assert [item["number"] for item in body["items"]] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("limit", [1, 2, 3, 12, 13])
def test_pages_of_history_give_each_move_once_also_when_it_grows(alice: Person, line: list[str], limit: int) -> None:
    walk(alice, *["undo", "redo"] * 4)
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        path = f"tags/flow/history?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        body = done(get(alice, path)).json()
        seen += [row["number"] for row in body["items"]]
        cursor = body["next_cursor"]
        walk(alice, "undo", "redo")
    assert seen == list(range(12, 0, -1))


def test_history_is_304_until_the_tag_moves(alice: Person, line: list[str]) -> None:
    first = get(alice, "tags/flow/history")
    create(alice, "other")
    assert get(alice, "tags/flow/history", **{"If-None-Match": first["ETag"]}).status_code == 304
    done(undo(alice))
    assert get(alice, "tags/flow/history", **{"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "cursor=", "cursor=%21", "cursor=AAAA", "kind=undo", "number=1"]
)
def test_a_bad_question_of_the_history_is_refused(alice: Person, line: list[str], query: str) -> None:
    error = refused(get(alice, f"tags/flow/history?{query}"), 422, "validation_error")
    assert list(error["details"]) == [query.partition("=")[0]]


def test_the_history_of_what_never_was_is_404(alice: Person, mallory: Person, line: list[str]) -> None:
    refused(get(alice, "tags/gone/history"), 404, "not_found")
    refused(get(mallory, "tags/flow/history"), 404, "not_found")
