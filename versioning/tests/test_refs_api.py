"""Names of versions, as /diff and new tags take them; and what a diff tells."""

import functools
import itertools
import uuid
from typing import Any

import jsonpatch
import pytest

from conftest import Person
from orchestrator.core.canonical import canonical_json, digest
from runs.services import submission
from versioning.models import Artifact
from versioning.services import artifacts
from versioning.tests.calls import (
    branch,
    create,
    definition,
    delete,
    done,
    get,
    head,
    merge,
    patch,
    patched,
    post,
    put,
    refused,
    set_timeout,
)

Definition = dict[str, Any]
SHORT = 6  # hex digits, the fewest of a digest that name it


@functools.cache
def alike() -> tuple[Definition, Definition]:
    """Two definitions whose digests begin alike."""
    seen: dict[str, Definition] = {}
    for number in itertools.count():
        found = definition("a", description=str(number))
        if other := seen.setdefault(address(found)[: len("sha256:") + SHORT], found):
            if other is not found:
                return other, found
    raise AssertionError("there is always another number")


def address(document: Any) -> str:
    return digest(canonical_json(document))


def hexes(document: Any, count: int = 64) -> str:
    return address(document).removeprefix("sha256:")[:count]


def make(person: Person, tag: str, document: Definition) -> str:
    """The id of a new workflow's version."""
    made: str = done(post(person, "workflows", {"tag": tag, "definition": document})).json()["artifact"]["id"]
    return made


def ask(person: Person, ref: str, other: str = "flow") -> Any:
    return person.client.get("/api/v1/diff", {"from": ref, "to": other})


def named(person: Person, ref: str) -> str:
    """The id of the version that ``ref`` names, to a diff on either side and to a new tag."""
    one = done(ask(person, ref)).json()["from"]["id"]
    other = done(ask(person, "flow", ref)).json()["to"]["id"]
    by_tag = done(put(person, f"tags/t{uuid.uuid4()}", {"ref": ref}, **{"If-None-Match": "*"})).json()["artifact_id"]
    assert one == other == by_tag
    return str(one)


@pytest.fixture
def line(alice: Person) -> list[str]:
    """Four versions of ``flow``, oldest first; move n made the nth."""
    first = create(alice).json()["artifact"]["id"]
    return [first, *(patched(alice, "flow", set_timeout(seconds)) for seconds in (1, 2, 3))]


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "place"),
    [
        ("flow", 3), ("flow~0", 3), ("flow~", 2), ("flow~1", 2), ("flow~2", 1), ("flow~~", 1), ("flow~~~", 0),
        ("flow~1~", 1), ("flow~1~2", 0), ("flow~0~0~3", 0), ("flow~0000003", 0), ("flow@{1}", 0), ("flow@{3}", 2),
        ("flow@{4}", 3), ("flow@{3}~1", 1), ("flow@{4}~~~", 0), ("flow@{0004}", 3),
    ],
)  # fmt: skip
def test_steps_and_moves(alice: Person, line: list[str], ref: str, place: int) -> None:
    assert named(alice, ref) == line[place]


def test_steps_follow_first_parents_and_moves_follow_the_tag(alice: Person, line: list[str]) -> None:
    branch(alice, "side", "flow@{1}")
    patched(alice, "side", {"op": "add", "path": "/description", "value": "x"})
    merged = done(merge(alice, "flow", "side")).json()["artifact"]["id"]
    assert [named(alice, f"flow~{steps}") for steps in range(5)] == [merged, *reversed(line)]
    done(post(alice, "tags/flow/undo", {}))
    done(post(alice, "tags/flow/move", {"ref": "side"}))
    assert named(alice, "flow~1") == line[0]
    assert [named(alice, f"flow@{{{number}}}") for number in (5, 6)] == [merged, line[3]]


def test_an_id_in_any_case_with_steps(alice: Person, line: list[str]) -> None:
    assert named(alice, line[2]) == named(alice, line[2].upper()) == named(alice, f"{line[3]}~1") == line[2]


@pytest.mark.parametrize("form", ["sha256:{}", "{}"])
@pytest.mark.parametrize("count", [6, 7, 63, 64])
def test_a_digest_or_its_beginning(alice: Person, line: list[str], form: str, count: int) -> None:
    ref = form.format(hexes(definition("a", "b"), count))
    assert named(alice, ref) == line[0]
    refused(ask(alice, f"{ref}~1"), 404, "not_found")


def test_a_digest_names_the_oldest_version_with_that_content(alice: Person, line: list[str]) -> None:
    again = patched(alice, "flow", {"op": "remove", "path": "/nodes/a/timeout_seconds"})
    assert get(alice, f"artifacts/{again}").json()["digest"] == address(definition("a", "b"))
    assert named(alice, address(definition("a", "b"))) == line[0]


def test_a_digest_names_a_version_rather_than_what_a_run_was_frozen_to(alice: Person, line: list[str]) -> None:
    submission.start_run(actor=alice.actor, workflow="flow", inputs={})
    assert named(alice, get(alice, "tags/flow").json()["digest"]) == line[3]


@pytest.mark.parametrize("short", ["abcde", "sha256:abcde", "sha256:", "ABCDEF", "sha256:ABCDEF", "abcdeg", "a" * 65])
def test_what_is_too_short_or_no_digest_is_404(alice: Person, line: list[str], short: str) -> None:
    assert ask(alice, short).status_code in (404, 422)
    shouted = hexes(definition("a", "b"), 5)
    refused(ask(alice, shouted), 404, "not_found")


def test_an_ambiguous_beginning_is_422_and_names_the_candidates(alice: Person) -> None:
    one, other = alike()
    create(alice)
    made = [make(alice, "one", one), make(alice, "other", other)]
    prefix = hexes(one, SHORT)
    assert hexes(other, SHORT) == prefix
    for ref in (prefix, f"sha256:{prefix}", f"{prefix}~1"):
        told = str(refused(ask(alice, ref), 422, "validation_error")["details"])
        assert address(one) in told
        assert address(other) in told
    longer = next(count for count in range(SHORT, 65) if hexes(one, count) != hexes(other, count))
    assert [named(alice, hexes(document, longer)) for document in (one, other)] == made


def test_another_orgs_digests_make_nothing_ambiguous(alice: Person, mallory: Person) -> None:
    one, other = alike()
    make(mallory, "other", other)
    version = make(alice, "flow", one)
    assert named(alice, hexes(one, SHORT)) == version
    refused(ask(alice, hexes(other)), 404, "not_found")


def test_a_tag_wins_over_a_digest(alice: Person, line: list[str]) -> None:
    prefix = hexes(definition("a", "b"), 8)
    mine = make(alice, prefix, definition("x"))
    assert named(alice, prefix) == mine
    assert named(alice, f"sha256:{prefix}") == named(alice, hexes(definition("a", "b"), 9)) == line[0]
    delete(alice, f"tags/{prefix}")
    assert named(alice, prefix) == line[0]
    assert named(alice, f"{prefix}@{{1}}") == mine


def test_an_artifact_id_is_that_artifact_whatever_tags_are_called(alice: Person, line: list[str]) -> None:
    """Else whoever may make a tag could put a version of his own into the place of any other."""
    other = make(alice, "other", definition("x"))
    put(alice, f"tags/{line[0]}", {"artifact_id": other}, **{"If-None-Match": "*"})
    moved = done(post(alice, "tags/flow/move", {"artifact_id": line[0]})).json()
    assert moved["artifact_id"] == line[0]


@pytest.mark.parametrize(
    "ref",
    [
        "", " ", "a b", "flow ", "flow\n", "é", "flow~x", "flow~-1", "flow@", "flow@{}", "flow@{x}", "flow@{-1}",
        "flow@{1", "flow@1", "flow~1@{1}", "flow@{1}@{1}", "~1", "@{1}", "flow^", "flow:path", "sha1:abcdef",
        "sha256:sha256:abcdef", "flow@{1}x", "flow@{9999999999}", "flow~99999999", "flow~٣", "flow@{٣}", "x" * 301,
        "flow\x00",
    ],
)  # fmt: skip
def test_what_is_no_name_is_422(alice: Person, line: list[str], ref: str) -> None:
    refused(ask(alice, ref), 422, "validation_error")
    refused(post(alice, "tags/flow/move", {"ref": ref}), 422, "validation_error")


@pytest.mark.parametrize(
    "ref",
    [
        "nobody", "flow~4", "flow~9999999", "flow@{0}", "flow@{5}", "flow@{999999999}", "flow@{1}~1", "nobody~1",
        "nobody@{1}", "sha256:" + "0" * 64, "0" * 64, "000000", "0190aaaa-0000-7000-8000-000000000000", "../flow",
        "/flow", "flow/",
    ],
)  # fmt: skip
def test_what_names_nothing_is_404(alice: Person, line: list[str], ref: str) -> None:
    refused(ask(alice, ref), 404, "not_found")
    refused(post(alice, "tags/flow/move", {"ref": ref}), 404, "not_found")


def test_another_orgs_names_are_404(alice: Person, mallory: Person, line: list[str]) -> None:
    create(mallory, "theirs", "x")
    for ref in ("theirs", "theirs@{1}", head(mallory, "theirs"), address(definition("x")), hexes(definition("x"), 6)):
        refused(ask(alice, ref), 404, "not_found")
        refused(ask(alice, "flow", ref), 404, "not_found")


def test_a_fault_is_told_by_the_name_of_what_was_sent(alice: Person, line: list[str]) -> None:
    assert list(refused(ask(alice, "a b"), 422, "validation_error")["details"]) == ["from"]
    assert list(refused(ask(alice, "flow", "a b"), 422, "validation_error")["details"]) == ["to"]
    base = {"base": "a b", "operations": [set_timeout(1)]}
    assert list(refused(post(alice, "patches", base), 422, "validation_error")["details"]) == ["base"]
    assert list(refused(merge(alice, "flow", "a b"), 422, "validation_error")["details"]) == ["from"]
    error = refused(post(alice, "workflows/flow/revert", {"artifact": "a b"}), 422, "validation_error")
    assert list(error["details"]) == ["artifact"]


def test_steps_look_through_a_compaction(alice: Person, line: list[str]) -> None:
    artifacts.compact(Artifact.objects.get(pk=line[3]), alice.actor)
    last = patched(alice, "flow", set_timeout(4))
    assert Artifact.objects.get(pk=last).chain_length == 1
    assert [named(alice, f"flow~{steps}") for steps in range(5)] == [last, *reversed(line)]
    refused(ask(alice, "flow~5"), 404, "not_found")
    assert named(alice, get(alice, f"artifacts/{line[3]}").json()["digest"]) == line[3]


# --- diffs -----------------------------------------------------------------------------------------------------------


def test_a_diff_tells_nodes_edges_and_fields(alice: Person, line: list[str]) -> None:
    patched(
        alice, "flow", {"op": "add", "path": "/nodes/c", "value": {"type": "synth", "needs": ["a"]}},
        {"op": "remove", "path": "/nodes/b"}, {"op": "add", "path": "/output", "value": "nodes.c"},
    )  # fmt: skip
    answer = get(alice, "diff?from=flow@{1}&to=flow")
    told = answer.json()
    for side, version in (("from", line[0]), ("to", head(alice))):
        whole = get(alice, f"artifacts/{version}").json()
        assert {**told[side], "definition": whole["definition"]} == whole
    assert told["nodes"] == {
        "added": {"c": {"type": "synth", "needs": ["a"]}}, "removed": {"b": {"type": "planner", "needs": ["a"]}},
        "changed": {"a": {"fields": {"timeout_seconds": {"to": 3}}}},
    }  # fmt: skip
    assert told["edges"] == {"added": [{"from": "a", "to": "c"}], "removed": [{"from": "a", "to": "b"}]}
    assert told["fields"] == {"output": {"to": "nodes.c"}}
    assert get(alice, "diff?from=flow@{1}&to=flow", **{"If-None-Match": answer["ETag"]}).status_code == 304
    patched(alice, "flow", set_timeout(9))
    assert get(alice, "diff?from=flow@{1}&to=flow", **{"If-None-Match": answer["ETag"]}).status_code == 200


def test_a_diff_of_the_same_is_empty(alice: Person, line: list[str]) -> None:
    told = get(alice, f"diff?from=flow&to={line[3]}").json()
    assert told["from"] == told["to"]
    assert {name: told[name] for name in ("nodes", "edges", "fields", "operations")} == {
        "nodes": {"added": {}, "removed": {}, "changed": {}}, "edges": {"added": [], "removed": []}, "fields": {},
        "operations": [],
    }  # fmt: skip


MANY: list[Definition] = [
    definition("a"),
    definition("a", "b", "c"),
    definition("c", "b", "a", description="other way", inputs={"type": "object"}),
    {"nodes": {"a": {"type": "planner", "with": {"a/b": [1, 2], "~": {"x": None}, "": 0, "é": 1.5}}}},
    {"nodes": {"a": {"type": "planner", "with": {"a/b": [2, 1], "~": {"x": False}, "": [], "é": "1.5"}}}},
    {"nodes": {"a": {"type": "synth", "with": {"~1": {}, "a": {"b": {"c": []}}}}}, "output": "nodes.a"},
]


@pytest.mark.parametrize("one", range(len(MANY)))
@pytest.mark.parametrize("other", range(len(MANY)))
def test_operations_really_turn_one_into_the_other(alice: Person, one: int, other: int) -> None:
    make(alice, "flow", MANY[one])
    make(alice, "other", MANY[other])
    operations = get(alice, "diff?from=flow&to=other").json()["operations"]
    assert jsonpatch.apply_patch(MANY[one], operations) == MANY[other]
    if operations:
        done(patch(alice, "flow", *operations))
    assert get(alice, "tags/flow").json()["digest"] == get(alice, "tags/other").json()["digest"]


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("", "from"), ("?to=flow", "from"), ("?from=flow", "to"), ("?from=&to=flow", "from"), ("?from=flow&to=", "to"),
        ("?from=flow&to=flow&deep=1", "deep"),
    ],
)  # fmt: skip
def test_both_sides_must_be_said_and_nothing_else(alice: Person, line: list[str], query: str, missing: str) -> None:
    assert missing in refused(get(alice, f"diff{query}"), 422, "validation_error")["details"]
