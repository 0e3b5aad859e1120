"""Merges: the rules by example, their laws for generated definitions and edits, and any JSON at all."""

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from orchestrator.core.errors import ValidationFailed
from versioning.documents import graph, pointers
from versioning.documents.merge import MergeConflict, Merged, merge
from versioning.documents.pointers import ABSENT, clone, same
from versioning.tests.test_documents_patch import JSON, OBJECTS, containers, nested

BASE: dict[str, Any] = {
    "name": "flow",
    "nodes": {"a": {"type": "x"}, "b": {"type": "y", "needs": ["a"], "with": {"n": 1, "m": [1]}}, "c": {"type": "z"}},
}


def edited(*edits: tuple[str, Any], base: Any = BASE) -> Any:
    """A copy of ``base`` with a value, or ABSENT, at each pointer."""
    document = clone(base)
    for pointer, value in edits:
        if value is ABSENT:
            pointers.remove(document, pointer)
        else:
            document = pointers.put(document, pointer, clone(value))
    return document


def kinds(merged: Merged) -> list[tuple[str, str]]:
    return [(conflict.kind, conflict.pointer) for conflict in merged.conflicts]


# --- clean merges ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        ([("/nodes/b/type", "new")], [("/nodes/b/when", "`true`")], None),
        ([("/nodes/b/with/n", 2)], [("/nodes/b/with/m", [2])], None),
        ([("/nodes/d", {"type": "d"})], [("/nodes/e", {"type": "e"})], None),
        ([("/nodes/c", ABSENT)], [("/nodes/a/type", "new")], None),
        ([("/nodes/c", ABSENT)], [("/nodes/c", ABSENT)], [("/nodes/c", ABSENT)]),
        ([("/name", "new")], [("/name", "new"), ("/output", "nodes.b")], [("/name", "new"), ("/output", "nodes.b")]),
        ([("/nodes/d", {"type": "d"})], [("/nodes/d", {"type": "d"})], [("/nodes/d", {"type": "d"})]),
        ([("/inputs", {"a": 1})], [("/inputs", {"b": 2})], [("/inputs", {"a": 1, "b": 2})]),
        ([("/nodes/a/with", {"p": 1})], [("/nodes/a/with", {"q": 1})], [("/nodes/a/with", {"p": 1, "q": 1})]),
        ([("/nodes/b/with", ABSENT)], [("/nodes/b/type", "new")], None),
    ],
)
def test_what_does_not_meet_is_merged(ours: list[Any], theirs: list[Any], both: list[Any] | None) -> None:
    merged = merge(BASE, edited(*ours), edited(*theirs))
    assert merged.conflicts == ()
    assert same(merged.definition, edited(*(both or ours + theirs)))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        (["a", "b"], ["a", "b", "d"], ["a", "b", "c"], ["a", "b", "c", "d"]),
        (["b", "a"], ["a"], ["b", "a", "c"], ["a", "c"]),
        (["a", "b"], ["b"], ["a"], []),
        (["a"], ["c", "a"], ["c", "a", "b"], ["a", "b", "c"]),
        (["b", "a"], ["a", "b"], ["b", "a", "c"], ["b", "a", "c"]),
        (["b", "a"], ["a", "b"], ["b", "a"], ["a", "b"]),
        (["a", "b"], ABSENT, ["a", "b", "c"], ["c"]),
        (ABSENT, ["b"], ["a"], ["a", "b"]),
        (ABSENT, ["b"], ABSENT, ["b"]),
    ],
)
def test_needs_are_a_set_of_edges(base: Any, ours: Any, theirs: Any, expected: list[str]) -> None:
    nodes: dict[str, Any] = {"a": {}, "b": {}, "c": {}, "d": {}, "n": {}}
    needing = ({} if needs is ABSENT else {"needs": needs} for needs in (base, ours, theirs))
    merged = merge(*({"nodes": {**nodes, "n": node}} for node in needing))
    assert (merged.conflicts, merged.definition["nodes"]["n"]["needs"]) == ((), expected)


# --- conflicts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "conflict"),
    [
        ([("/name", "p")], [("/name", "q")], MergeConflict("modify/modify", "/name", "flow", "p", "q")),
        ([("/name", ABSENT)], [("/name", "q")], MergeConflict("modify/delete", "/name", "flow", ABSENT, "q")),
        ([("/output", "p")], [("/output", "q")], MergeConflict("add/add", "/output", ABSENT, "p", "q")),
        ([("/output", 1)], [("/output", True)], MergeConflict("add/add", "/output", ABSENT, 1, True)),
        ([("/nodes/b/with/m", [])], [("/nodes/b/with/m", [1, 2])],
         MergeConflict("modify/modify", "/nodes/b/with/m", [1], [], [1, 2])),
        ([("/nodes/b/with/n", {})], [("/nodes/b/with/n", {"x": 1})],
         MergeConflict("modify/modify", "/nodes/b/with/n", 1, {}, {"x": 1})),
        ([("/nodes/c", ABSENT)], [("/nodes/c/type", "new")],
         MergeConflict("modify/delete", "/nodes/c", {"type": "z"}, ABSENT, {"type": "new"})),
        ([("/nodes/c/type", "new")], [("/nodes/c", ABSENT)],
         MergeConflict("modify/delete", "/nodes/c", {"type": "z"}, {"type": "new"}, ABSENT)),
        ([("/nodes/d", {"type": "d", "when": "p"})], [("/nodes/d", {"type": "d"})],
         MergeConflict("add/add", "/nodes/d", ABSENT, {"type": "d", "when": "p"}, {"type": "d"})),
        ([("/nodes/b/needs", "a")], [("/nodes/b/needs", ["c"])],
         MergeConflict("modify/modify", "/nodes/b/needs", ["a"], "a", ["c"])),
        ([("/nodes/a/with", {"p": 1})], [("/nodes/a/with", {"p": 2})],
         MergeConflict("add/add", "/nodes/a/with/p", ABSENT, 1, 2)),
        ([("/nodes", ABSENT)], [("/nodes/c", ABSENT)],
         MergeConflict("modify/delete", "/nodes", BASE["nodes"], ABSENT, edited(("/nodes/c", ABSENT))["nodes"])),
    ],
)  # fmt: skip
def test_what_both_changed_is_a_conflict_and_holds_ours(
    ours: list[Any], theirs: list[Any], conflict: MergeConflict
) -> None:
    merged = merge(BASE, edited(*ours), edited(*theirs))
    assert merged.conflicts == (conflict,)
    assert same(pointers.get(merged.definition, conflict.pointer), conflict.ours)


def test_a_conflict_says_nothing_of_the_sides_that_have_nothing() -> None:
    [conflict] = merge(BASE, edited(("/name", ABSENT)), edited(("/name", None))).conflicts
    assert conflict.as_json() == {"kind": "modify/delete", "pointer": "/name", "base": "flow", "theirs": None}


def test_an_edge_to_a_node_that_the_other_side_deleted() -> None:
    ours, theirs = edited(("/nodes/c", ABSENT)), edited(("/nodes/b/needs", ["a", "c"]), ("/nodes/d", {"needs": ["c"]}))
    merged = merge(BASE, ours, theirs)
    both = {"base": ["a"], "ours": ["a"], "theirs": ["a", "c"]}
    assert [conflict.as_json() for conflict in merged.conflicts] == [
        {"kind": "edge_to_deleted_node", "pointer": "/nodes/b/needs", **both},
        {"kind": "edge_to_deleted_node", "pointer": "/nodes/d/needs", "theirs": ["c"]},
    ]
    assert "c" not in merged.definition["nodes"]


def test_an_edge_to_what_never_was_a_node_is_no_conflict() -> None:
    assert merge(BASE, edited(("/nodes/b/needs", ["never"])), edited(("/name", "q"))).conflicts == ()


def test_an_edge_waits_for_the_conflict_that_decides_about_its_node() -> None:
    """Whether c stays is open; only when it goes has d an edge to nowhere."""
    sides = BASE, edited(("/nodes/c", ABSENT)), edited(("/nodes/c/type", "new"), ("/nodes/d", {"needs": ["c"]}))
    assert kinds(merge(*sides)) == [("modify/delete", "/nodes/c")]
    assert kinds(merge(*sides, {"/nodes/c": {"take": "theirs"}})) == []
    assert kinds(merge(*sides, {"/nodes/c": {"take": "ours"}})) == [("edge_to_deleted_node", "/nodes/d/needs")]


# --- resolutions -----------------------------------------------------------------------------------------------------

OURS, THEIRS = edited(("/name", "p"), ("/nodes/c", ABSENT)), edited(("/name", "q"), ("/nodes/c/type", "new"))


@pytest.mark.parametrize(
    ("resolution", "name"),
    [
        ({"take": "base"}, "flow"), ({"take": "ours"}, "p"), ({"take": "theirs"}, "q"),
        ({"value": None}, None), ({"value": {"x": [1]}}, {"x": [1]}), ({"remove": True}, ABSENT),
    ],
)  # fmt: skip
def test_a_resolution_settles_its_conflict_and_no_other(resolution: Any, name: Any) -> None:
    merged = merge(BASE, OURS, THEIRS, {"/name": resolution})
    assert same(pointers.get(merged.definition, "/name"), name)
    assert kinds(merged) == [("modify/delete", "/nodes/c")]


def test_taking_a_side_that_has_nothing_removes() -> None:
    for side, node in (("ours", ABSENT), ("theirs", {"type": "new"}), ("base", {"type": "z"})):
        merged = merge(BASE, OURS, THEIRS, {"/nodes/c": {"take": side}})
        assert same(pointers.get(merged.definition, "/nodes/c"), node)
        assert kinds(merged) == [("modify/modify", "/name")]


def test_a_resolution_settles_all_that_is_under_it_and_parents_come_first() -> None:
    choices = {"/nodes/a/type": {"value": "mine"}, "": {"take": "theirs"}, "/nodes/c": {"remove": True}}
    merged = merge(BASE, OURS, THEIRS, choices)
    assert merged.conflicts == ()
    assert same(merged.definition, edited(("/nodes/a/type", "mine"), ("/nodes/c", ABSENT), base=THEIRS))


def test_a_conflict_is_not_settled_by_what_is_beside_or_under_it() -> None:
    sides = BASE, edited(("/nodes/d", {"type": "p"})), edited(("/nodes/d", {"type": "q"}))
    merged = merge(*sides, {"/nodes/d/type": {"value": "r"}, "/nodes/dd": {"value": {}}})
    assert kinds(merged) == [("add/add", "/nodes/d")]
    assert merged.definition["nodes"]["d"] == {"type": "r"}


def test_a_merge_without_conflicts_may_be_mended_too() -> None:
    merged = merge(BASE, BASE, BASE, {"/nodes/b/needs/0": {"value": "c"}, "/output": {"value": "nodes.b"}})
    assert (merged.definition["nodes"]["b"]["needs"], merged.definition["output"]) == (["c"], "nodes.b")


def test_an_edge_conflict_goes_when_the_edge_or_the_node_is_right() -> None:
    sides = BASE, edited(("/nodes/c", ABSENT)), edited(("/nodes/b/needs", ["a", "c"]))
    lost = [("edge_to_deleted_node", "/nodes/b/needs")]
    assert kinds(merge(*sides)) == lost
    assert kinds(merge(*sides, {"/nodes/b/needs": {"take": "theirs"}})) == lost
    assert kinds(merge(*sides, {"/nodes/b/needs": {"take": "ours"}})) == []
    assert kinds(merge(*sides, {"/nodes/b/needs": {"remove": True}})) == []
    assert kinds(merge(*sides, {"/nodes/c": {"take": "base"}})) == []


@pytest.mark.parametrize(
    "resolution",
    [
        None, "ours", [], {}, {"take": "mine"}, {"take": None}, {"take": ["ours"]}, {"remove": False}, {"remove": 1},
        {"take": "ours", "remove": True}, {"keep": "ours"}, {"value": 1, "take": "ours"},
    ],
)  # fmt: skip
def test_a_resolution_of_another_form_is_named(resolution: Any) -> None:
    with pytest.raises(ValidationFailed) as caught:
        merge(BASE, OURS, THEIRS, {"/name": resolution, "": resolution, "/nodes/c": {"take": "ours"}})
    assert list(caught.value.details) == ["/name", "/"]


@pytest.mark.parametrize(
    ("pointer", "resolution"),
    [
        ("name", {"take": "ours"}), ("/name/x", {"value": 1}), ("/nodes/c/type", {"take": "theirs"}),
        ("/nodes/x/type", {"value": 1}), ("/nodes/x/type", {"remove": True}), ("/nodes/b/needs/1", {"value": "c"}),
    ],
)  # fmt: skip
def test_a_resolution_needs_a_place_to_go(pointer: str, resolution: Any) -> None:
    with pytest.raises(ValidationFailed) as caught:
        merge(BASE, OURS, THEIRS, {pointer: resolution})
    assert list(caught.value.details) == [pointer]


def test_the_whole_document_cannot_be_removed() -> None:
    with pytest.raises(ValidationFailed) as caught:
        merge(BASE, OURS, THEIRS, {"": {"remove": True}})
    assert list(caught.value.details) == ["/"]


# --- laws ------------------------------------------------------------------------------------------------------------

IDS = st.sampled_from(["a", "b", "c", "d", "e/f"])
SMALL = st.sampled_from([0, 1, True, 1.0, None, "p", "q", [], [1], {}, {"k": 1}, {"k": 2, "l": 1}])
WITH = st.dictionaries(st.sampled_from("klm"), SMALL, max_size=3)
NEEDS = st.lists(IDS, max_size=3, unique=True)
NODE = st.fixed_dictionaries(
    {"type": st.sampled_from("xyz")},
    optional={"needs": NEEDS, "when": st.sampled_from(["`true`", "`false`"]), "with": WITH, "timeout_seconds": SMALL},
)
DEFINITIONS = st.fixed_dictionaries(
    {"name": st.sampled_from("pq"), "nodes": st.dictionaries(IDS, NODE, max_size=5)},
    optional={"description": st.sampled_from("pq"), "inputs": WITH, "output": st.sampled_from("pq")},
)


@st.composite
def edits(draw: st.DrawFn, base: dict[str, Any]) -> dict[str, Any]:
    """``base`` after up to four edits such as people make."""
    document = clone(base)
    for _ in range(draw(st.integers(0, 4))):
        nodes = document["nodes"]
        node = nodes.get(draw(IDS), {})
        kind = draw(st.sampled_from(["add", "remove", "field", "needs", "with", "top"]))
        if kind == "add":
            nodes[draw(IDS)] = draw(NODE)
        elif kind == "remove":
            nodes.pop(draw(IDS), None)
        elif kind == "field":
            change(node, draw(st.sampled_from(["when", "type", "timeout_seconds", "with"])), draw(SMALL | absent()))
        elif kind == "needs":
            change(node, "needs", draw(NEEDS | absent() | st.just("a")))
        elif kind == "with" and isinstance(node.get("with"), dict):
            change(node["with"], draw(st.sampled_from("klm")), draw(SMALL | absent()))
        elif kind == "top":
            change(document, draw(st.sampled_from(["name", "inputs", "output"])), draw(SMALL | absent()))
    return document


def absent() -> st.SearchStrategy[Any]:
    return st.just(ABSENT)


def change(container: dict[str, Any], name: str, value: Any) -> None:
    if value is ABSENT:
        container.pop(name, None)
    else:
        container[name] = clone(value)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    base = draw(DEFINITIONS)
    return base, draw(edits(base)), draw(edits(base))


HISTORIES = histories()
ANYTHING = st.tuples(*[OBJECTS | DEFINITIONS | JSON] * 3)


@given(HISTORIES | ANYTHING)
def test_merging_with_no_change_is_the_other_side(history: tuple[Any, Any, Any]) -> None:
    base, side, _ = history
    for merged in (merge(base, side, side), merge(base, base, side), merge(base, side, base)):
        assert merged.conflicts == ()
        assert same(merged.definition, side)


@given(HISTORIES | ANYTHING)
def test_the_sides_may_be_exchanged(history: tuple[Any, Any, Any]) -> None:
    base, ours, theirs = history
    there, back = merge(base, ours, theirs), merge(base, theirs, ours)
    assert kinds(there) == kinds(back)
    if not there.conflicts:
        assert same(there.definition, back.definition)
    for one, other in zip(there.conflicts, back.conflicts, strict=True):
        assert same([one.base, one.ours, one.theirs], [other.base, other.theirs, other.ours])


@given(HISTORIES | ANYTHING)
def test_a_merge_changes_and_shares_nothing(history: tuple[Any, Any, Any]) -> None:
    before = copy.deepcopy(history)
    merged = merge(*history)
    assert all(same(one, other) for one, other in zip(history, before, strict=True))
    made = [merged.definition, *(conflict.as_json() for conflict in merged.conflicts)]
    assert not containers(made) & set().union(*map(containers, history))
    assert list(merged.conflicts) == sorted(merged.conflicts, key=lambda conflict: conflict.pointer)
    assert orjson.dumps(made)


@given(HISTORIES | ANYTHING)
def test_ours_stands_wherever_a_conflict_is_open(history: tuple[Any, Any, Any]) -> None:
    merged = merge(*history)
    for conflict in merged.conflicts:
        if conflict.kind != "edge_to_deleted_node":
            assert same(pointers.get(merged.definition, conflict.pointer), conflict.ours)
            assert same(pointers.get(history[0], conflict.pointer), conflict.base)


@given(HISTORIES | ANYTHING, st.sampled_from(["base", "ours", "theirs"]))
def test_taking_one_side_everywhere_leaves_at_most_edges(history: tuple[Any, Any, Any], side: str) -> None:
    choices = {conflict.pointer: {"take": side} for conflict in merge(*history).conflicts}
    assert {conflict.kind for conflict in merge(*history, choices).conflicts} <= {"edge_to_deleted_node"}


@given(HISTORIES)
def test_no_edge_is_lost_in_silence(history: tuple[Any, Any, Any]) -> None:
    """A merge of sides whose edges all lead to nodes has no edge to nowhere, unless a conflict says so."""
    base, *sides = [connected(side) for side in history]
    merged = merge(base, *sides)
    if not merged.conflicts:
        present = graph.nodes(merged.definition)
        assert all(needed in present for needed, _ in graph.edges(merged.definition))


def connected(definition: Any) -> Any:
    definition = clone(definition)
    for node in definition["nodes"].values():
        if isinstance(node.get("needs"), list):
            node["needs"] = [need for need in node["needs"] if need in definition["nodes"]]
    return definition


FIELDS = ["type", "when", "timeout_seconds", "retry", "with"]


@given(DEFINITIONS, st.data())
def test_edits_of_other_fields_both_arrive(base: dict[str, Any], data: st.DataObject) -> None:
    places = [(node_id, field) for node_id in sorted(base["nodes"]) for field in FIELDS]
    sides = {place: data.draw(st.sampled_from(["ours", "theirs", "neither"])) for place in places}
    values = {place: data.draw(SMALL | absent()) for place, side in sides.items() if side != "neither"}
    ours, theirs, both = clone(base), clone(base), clone(base)
    for (node_id, field), value in values.items():
        for document in (ours if sides[node_id, field] == "ours" else theirs, both):
            change(document["nodes"][node_id], field, value)
    merged = merge(base, ours, theirs)
    assert merged.conflicts == ()
    assert same(merged.definition, both)


@pytest.mark.parametrize("levels", [60, 64, 65, 10_000])
def test_what_is_deep_is_merged_or_a_conflict(levels: int) -> None:
    base, ours, theirs = ({"inputs": nested(levels, {"a": a, "b": b})} for a, b in ((0, 0), (1, 0), (0, 1)))
    merged = merge(base, ours, theirs)
    assert same(merged.definition, ours) is bool(merged.conflicts)
