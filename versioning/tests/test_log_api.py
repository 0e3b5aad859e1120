"""The log of a workflow: every version behind it once, children before parents, in pages."""

import base64
from typing import Any

import pytest

from conftest import Person
from orchestrator.api import lists
from versioning.models import Artifact
from versioning.services import artifacts
from versioning.tests.calls import (
    branch,
    create,
    delete,
    done,
    get,
    head,
    merge,
    patched,
    post,
    queries_of,
    refused,
    set_timeout,
)

Row = dict[str, Any]


def say(person: Person, tag: str, message: str, seconds: int, node: str = "a") -> str:
    """The id of a patch with this message."""
    body = {"tag": tag, "operations": [set_timeout(seconds, node)], "message": message}
    version: str = done(post(person, "patches", body)).json()["id"]
    return version


def log(person: Person, tag: str = "flow", limit: int = 1000) -> list[Row]:
    """All pages."""
    rows: list[Row] = []
    cursor: str | None = ""
    while cursor is not None:
        body = done(get(person, f"workflows/{tag}/log?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))).json()
        assert 0 < len(body["items"]) <= limit
        rows += body["items"]
        cursor = body["next_cursor"]
    return rows


def told(rows: list[Row]) -> list[Any]:
    """What a log says in words that do not change from one history to its twin."""
    words = {row["id"]: row["message"] for row in rows}
    return [(row["message"], row["depth"], [words[parent] for parent in row["parents"]], row["tags"]) for row in rows]


def assert_in_order(rows: list[Row]) -> None:
    """Each once, children before parents, nobody's parent missing."""
    places = {row["id"]: place for place, row in enumerate(rows)}
    assert len(places) == len(rows)
    for row in rows:
        assert all(places[parent] > places[row["id"]] for parent in row["parents"])


def test_a_line_is_told_from_its_head_to_its_root(alice: Person) -> None:
    versions = [create(alice).json()["artifact"]["id"]]
    versions += [say(alice, "flow", f"m{seconds}", seconds) for seconds in (1, 2, 3)]
    body = get(alice, "workflows/flow/log").json()
    assert (body["kind"], body["next_cursor"]) == ("artifacts", None)
    assert [row["id"] for row in body["items"]] == versions[::-1]
    assert [row["parents"] for row in body["items"]] == [[parent] for parent in versions[2::-1]] + [[]]
    whole = get(alice, f"artifacts/{versions[3]}").json()
    assert {**body["items"][0], "definition": whole["definition"]} == {**whole, "tags": ["flow"]}


def test_a_merge_has_two_parents_and_both_their_histories(alice: Person) -> None:
    create(alice)
    ours = say(alice, "flow", "ours", 1)
    branch(alice, "side", "flow~1")
    theirs = [say(alice, "side", f"theirs {seconds}", seconds, "b") for seconds in (1, 2)]
    merged = done(merge(alice, "flow", "side", message="both")).json()["artifact"]["id"]
    rows = log(alice)
    assert_in_order(rows)
    assert [(row["message"], row["parents"]) for row in rows[:1]] == [("both", [ours, theirs[1]])]
    assert {row["id"]: row["tags"] for row in rows if row["tags"]} == {merged: ["flow"], theirs[1]: ["side"]}
    assert [row["depth"] for row in rows] == [3, 2, 1, 1, 0]
    assert [row["message"] for row in log(alice, "side")] == ["theirs 2", "theirs 1", ""]


def test_all_tags_on_a_version_are_shown_by_name(alice: Person, mallory: Person) -> None:
    create(alice)
    for name in ("z", "a", "m/n"):
        branch(alice, name)
    delete(alice, "tags/m/n")
    create(mallory)
    assert [row["tags"] for row in log(alice)] == [["a", "flow", "z"]]


def test_the_log_follows_the_tag_back(alice: Person) -> None:
    create(alice)
    say(alice, "flow", "gone", 1)
    done(post(alice, "tags/flow/undo", {}))
    assert [row["message"] for row in log(alice)] == [""]


# --- pages -----------------------------------------------------------------------------------------------------------


def grow(person: Person, count: int, *, compact: bool = False) -> None:
    """A history of ``count`` versions with a branch off and a merge in every tenth; ``compact`` puts whole definitions
    in between, where history must not show them.
    """
    create(person, "flow", "a", "b")
    made = 1
    while made < count:
        say(person, "flow", f"v{made}", made)
        made += 1
        if made % 10 == 5 and made + 2 <= count:
            branch(person, f"b{made}", "flow~3" if made > 10 else "flow~1")
            say(person, f"b{made}", f"v{made}", made, "b")
            resolutions = {"/nodes/b/timeout_seconds": {"take": "theirs"}}
            done(merge(person, "flow", f"b{made}", message=f"v{made + 1}", resolutions=resolutions))
            delete(person, f"tags/b{made}")
            made += 2
        if compact and made % 7 == 0:
            artifacts.compact(Artifact.objects.get(pk=head(person)), person.actor)


def test_pages_of_forty_give_each_of_250_versions_once(alice: Person) -> None:
    grow(alice, 250)
    rows = log(alice, limit=40)
    assert len(rows) == Artifact.objects.count() == 250
    assert_in_order(rows)
    assert {row["message"] for row in rows} == {"", *(f"v{number}" for number in range(1, 250))}
    assert sum(len(row["parents"]) == 2 for row in rows) > 20
    assert rows == log(alice)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_compactions_are_looked_through(alice: Person, mallory: Person, limit: int) -> None:
    grow(alice, 45)
    grow(mallory, 45, compact=True)
    assert Artifact.objects.for_org(mallory.org.id).count() > 45
    rows = log(mallory, limit=limit)
    assert_in_order(rows)
    assert len(rows) == 45
    assert sorted(told(rows)) == sorted(told(log(alice)))


def test_a_compaction_between_two_pages_changes_nothing(alice: Person) -> None:
    create(alice)
    versions = [say(alice, "flow", f"v{seconds}", seconds) for seconds in range(1, 8)]
    whole = log(alice)
    first = get(alice, "workflows/flow/log?limit=3").json()
    for version in versions:
        artifacts.compact(Artifact.objects.get(pk=version), alice.actor)
    lists.forget()
    rest = get(alice, f"workflows/flow/log?cursor={first['next_cursor']}").json()
    assert (first["items"] + rest["items"], rest["next_cursor"]) == (whole, None)


def test_versions_that_come_between_two_pages_move_nothing(alice: Person) -> None:
    create(alice)
    for seconds in range(1, 8):
        say(alice, "flow", f"v{seconds}", seconds)
    whole = [row["id"] for row in log(alice)]
    first = get(alice, "workflows/flow/log?limit=3").json()
    say(alice, "flow", "new", 9)
    rest = get(alice, f"workflows/flow/log?cursor={first['next_cursor']}").json()["items"]
    assert [row["id"] for row in first["items"] + rest] == whole


def test_the_last_page_has_no_cursor_also_when_it_is_full(alice: Person) -> None:
    create(alice)
    say(alice, "flow", "one", 1)
    assert get(alice, "workflows/flow/log?limit=2").json()["next_cursor"] is None
    assert get(alice, "workflows/flow/log?limit=1").json()["next_cursor"] is not None


def test_a_long_page_costs_as_many_queries_as_a_short_one(alice: Person) -> None:
    create(alice)
    counts = []
    for more in (2, 100):
        for seconds in range(more):
            say(alice, "flow", "", seconds + 1)
        lists.forget()
        counts.append(len(queries_of(alice, "workflows/flow/log?limit=1000")))
    assert counts[0] == counts[1]


def test_the_log_is_304_until_a_tag_moves(alice: Person) -> None:
    create(alice)
    first = get(alice, "workflows/flow/log")
    known = {"If-None-Match": first["ETag"]}
    again = get(alice, "workflows/flow/log", **known)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    reads = [sql for sql in queries_of(alice, "workflows/flow/log", **known) if "versioning_artifact" in sql]
    assert len(reads) <= 1, "the tag with its head, and no history"
    branch(alice, "side")
    second = get(alice, "workflows/flow/log", **known)
    assert (second.status_code, second.json()["items"][0]["tags"]) == (200, ["flow", "side"])
    patched(alice, "flow", set_timeout(1))
    assert get(alice, "workflows/flow/log", **{"If-None-Match": second["ETag"]}).status_code == 200


# --- cursors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "%21%21%21%21", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA", "%ff%00", "a" * 500,
        base64.urlsafe_b64encode(bytes(17)).decode(),
    ],
)  # fmt: skip
def test_garbage_is_no_cursor(alice: Person, cursor: str) -> None:
    create(alice)
    error = refused(get(alice, f"workflows/flow/log?cursor={cursor}"), 422, "validation_error")
    assert list(error["details"]) == ["cursor"]


def test_a_cursor_of_another_org_or_of_half_a_version_is_refused(alice: Person, mallory: Person) -> None:
    for person in (alice, mallory):
        create(person)
        say(person, "flow", "one", 1)
    theirs = get(mallory, "workflows/flow/log?limit=1").json()["next_cursor"]
    mine = get(alice, "workflows/flow/log?limit=1").json()["next_cursor"]
    for cursor in (theirs, mine[:-3], lists.encode_cursor(lists.decode_cursor(mine) + lists.decode_cursor(theirs))):
        refused(get(alice, f"workflows/flow/log?cursor={cursor}"), 422, "validation_error")
    assert len(get(alice, f"workflows/flow/log?cursor={mine}").json()["items"]) == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "kind=patch_set"])
def test_a_bad_question_is_refused(alice: Person, query: str) -> None:
    create(alice)
    error = refused(get(alice, f"workflows/flow/log?{query}"), 422, "validation_error")
    assert list(error["details"]) == [query.partition("=")[0]]


def test_another_orgs_log_is_not_there(alice: Person, mallory: Person) -> None:
    create(alice)
    refused(get(mallory, "workflows/flow/log"), 404, "not_found")
    refused(get(alice, "workflows/gone/log"), 404, "not_found")
