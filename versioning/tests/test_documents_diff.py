"""Differences: applied, they make the one document of the other; read, they name nodes, edges and fields."""

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from versioning.documents import diff, graph, patch
from versioning.documents.pointers import clone, same
from versioning.tests.test_documents_patch import JSON, NAMES, OBJECTS, containers, nested

WORKFLOW: dict[str, Any] = {
    "name": "flow",
    "inputs": {"type": "object"},
    "nodes": {"a": {"type": "x"}, "b": {"type": "y", "needs": ["a"]}, "c": {"type": "z", "needs": ["a", "b"]}},
    "output": "nodes.c",
}
NODES = st.dictionaries(
    NAMES, JSON | st.fixed_dictionaries({"needs": st.lists(NAMES | st.integers(-3, 3))}), max_size=4
)
DEFINITIONS = st.fixed_dictionaries({"nodes": NODES | JSON}, optional={"name": JSON, "inputs": JSON}) | JSON


def changed(**fields: Any) -> dict[str, Any]:
    return {**clone(WORKFLOW), **fields}


# --- operations ------------------------------------------------------------------------------------------------------


@given(JSON, JSON)
@example({"a": 1}, {"a": True})
@example([0], [False])
@example({"a": None}, {})
@example({}, [])
def test_the_operations_make_the_one_of_the_other(a: Any, b: Any) -> None:
    operations = diff.operations(a, b)
    assert same(patch.apply(copy.deepcopy(a), operations), b)
    assert bool(operations) is not same(a, b)
    assert not containers(operations) & (containers(a) | containers(b))
    assert json.loads(json.dumps(operations)) == operations


@given(OBJECTS, OBJECTS)
def test_the_order_of_members_decides_nothing(a: dict[str, Any], b: dict[str, Any]) -> None:
    turned = [dict(reversed(document.items())) for document in (a, b)]
    assert diff.operations(*turned) == diff.operations(a, b)


def test_objects_differ_by_member_and_arrays_as_a_whole() -> None:
    a = {"kept": 1, "gone": 1, "deep": {"a/b": [1, 2], "~": 1}, "": 0}
    b = {"kept": 1.0, "new": {"x": 1}, "deep": {"a/b": [1, 2, 3], "~": True}, "": 0}
    assert diff.operations(a, b) == [
        {"op": "replace", "path": "/deep/a~1b", "value": [1, 2, 3]},
        {"op": "replace", "path": "/deep/~0", "value": True},
        {"op": "remove", "path": "/gone"},
        {"op": "add", "path": "/new", "value": {"x": 1}},
    ]


def test_what_is_too_deep_for_a_patch_is_no_trouble_here() -> None:
    [operation] = diff.operations(nested(10_000, 1), nested(10_000, 2))
    assert operation["path"].count("/") == 64
    assert diff.changes(nested(10_000, 1), nested(10_000, 2))["fields"]


# --- the graph -------------------------------------------------------------------------------------------------------


def test_edges_and_counts() -> None:
    assert graph.edges(WORKFLOW) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert graph.counts(WORKFLOW) == (3, 3)
    assert graph.counts(changed(nodes={"a": {"needs": ["gone", "gone"]}})) == (1, 1)


@pytest.mark.parametrize("definition", [None, 1, [], {}, {"nodes": None}, {"nodes": ["a"]}, {"nodes": "a"}])
def test_nothing_countable_is_nothing(definition: Any) -> None:
    assert (graph.counts(definition), graph.edges(definition)) == ((0, 0), set())


@pytest.mark.parametrize("node", [None, [], {"needs": "b"}, {"needs": {"b": 1}}, {"needs": [1, None, ["b"]]}])
def test_needs_that_are_none_draw_no_edges(node: Any) -> None:
    assert graph.counts({"nodes": {"a": node, "b": {"needs": ["a"]}}}) == (2, 1)


# --- changes ---------------------------------------------------------------------------------------------------------


def test_nodes_that_come_and_go_take_their_edges_along() -> None:
    found = diff.changes(WORKFLOW, changed(nodes={"b": {"type": "y"}, "d": {"needs": ["b"]}}))
    assert found["nodes"]["added"] == {"d": {"needs": ["b"]}}
    assert found["nodes"]["removed"] == {"a": {"type": "x"}, "c": {"type": "z", "needs": ["a", "b"]}}
    assert found["edges"] == {
        "added": [{"from": "b", "to": "d"}],
        "removed": [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}, {"from": "b", "to": "c"}],
    }


def test_a_field_says_what_it_was_and_is() -> None:
    nodes = {**WORKFLOW["nodes"], "b": {"needs": ["a"], "when": "`true`", "type": "other"}, "a": {}}
    assert diff.changes(WORKFLOW, changed(nodes=nodes))["nodes"]["changed"] == {
        "a": {"fields": {"type": {"from": "x"}}},
        "b": {"fields": {"type": {"from": "y", "to": "other"}, "when": {"to": "`true`"}}},
    }


def test_other_needs_are_a_field_and_edges() -> None:
    found = diff.changes(WORKFLOW, changed(nodes={**WORKFLOW["nodes"], "c": {"type": "z", "needs": ["b"]}}))
    assert found["nodes"]["changed"] == {"c": {"fields": {"needs": {"from": ["a", "b"], "to": ["b"]}}}}
    assert found["edges"] == {"added": [], "removed": [{"from": "a", "to": "c"}]}


def test_fields_of_the_definition() -> None:
    after = changed(name="other", description="new")
    del after["output"]
    assert diff.changes(WORKFLOW, after)["fields"] == {
        "description": {"to": "new"},
        "name": {"from": "flow", "to": "other"},
        "output": {"from": "nodes.c"},
    }


@pytest.mark.parametrize(
    ("a", "b", "fields"),
    [
        ({}, {"nodes": {}}, {"nodes": {"to": {}}}),
        ({"nodes": "x"}, {"nodes": []}, {"nodes": {"from": "x", "to": []}}),
        ([], {}, {"": {"from": [], "to": {}}}),
        (1, True, {"": {"from": 1, "to": True}}),
    ],
)
def test_what_is_no_graph_differs_as_a_field(a: Any, b: Any, fields: Any) -> None:
    assert diff.changes(a, b)["fields"] == fields


def test_a_node_that_is_none_is_another() -> None:
    found = diff.changes({"nodes": {"a": 1, "b": None}}, {"nodes": {"a": {"type": "x"}, "b": None}})
    assert found["nodes"] == {"added": {"a": {"type": "x"}}, "removed": {"a": 1}, "changed": {}}


@given(DEFINITIONS, DEFINITIONS)
@example({"nodes": {"a": {"timeout_seconds": 1}}}, {"nodes": {"a": {"timeout_seconds": True}}})
def test_no_changes_are_the_same_document(a: Any, b: Any) -> None:
    found = diff.changes(a, b)
    assert diff.is_empty(found) is same(a, b)
    assert diff.is_empty(diff.changes(a, copy.deepcopy(a)))
    assert not containers(found) & (containers(a) | containers(b))
    assert json.loads(json.dumps(found)) == found


@given(DEFINITIONS, DEFINITIONS)
def test_the_way_back_is_the_mirror(a: Any, b: Any) -> None:
    there, back = diff.changes(a, b), diff.changes(b, a)
    for kind in ("nodes", "edges"):
        assert (there[kind]["added"], there[kind]["removed"]) == (back[kind]["removed"], back[kind]["added"])
    assert there["nodes"]["changed"].keys() == back["nodes"]["changed"].keys()
    assert there["fields"].keys() == back["fields"].keys()
