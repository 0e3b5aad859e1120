"""Pointers and patches: the appendices of RFC 6901 and RFC 6902, what they leave open, and no way to break either."""

import copy
import re
from typing import Any

import orjson
import pytest
from hypothesis import example, given, strategies as st

from orchestrator.core.errors import Conflict, PayloadTooLarge, ValidationFailed
from versioning.documents import patch, pointers
from versioning.documents.pointers import ABSENT

NAMES = st.sampled_from(["", "/", "~", "~1", "a", "b", "0", "01", "-", "ü", "🦫", "nodes", "needs"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-4, 4) | NAMES
JSON = st.recursive(SCALARS, lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(NAMES, deeper, max_size=4))
OBJECTS = st.dictionaries(NAMES, JSON, max_size=5)
POINTERS = st.lists(NAMES, max_size=4).map(lambda segments: pointers.join(*segments)) | st.sampled_from(
    ["a", "/~", "/~2"]
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": POINTERS},
    optional={"from": POINTERS, "value": JSON, "comment": JSON},
)


def nested(levels: int, value: Any = None) -> Any:
    for _ in range(levels):
        value = [value] if levels % 2 else {"a": value}
    return value


def refused(document: Any, *operations: Any, at: str | None = None) -> str:
    """The sentence about the last of these operations."""
    with pytest.raises(ValidationFailed) as caught:
        patch.apply(document, list(operations))
    [sentence] = caught.value.details[at or f"/operations/{len(operations) - 1}"]
    return sentence


# --- pointers (RFC 6901) ---------------------------------------------------------------------------------------------

RFC_6901 = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC_6901), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
        ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_the_examples_of_rfc_6901(pointer: str, value: Any) -> None:
    assert pointers.get(RFC_6901, pointer) == value
    assert pointers.join(*pointers.split(pointer)) == pointer


@pytest.mark.parametrize("pointer", ["/bar", "/foo/2", "/foo/-", "/foo/00", "/foo/-1", "/foo/٣", "/foo/" + "9" * 5000])
def test_what_is_not_there_is_absent(pointer: str) -> None:
    assert pointers.get(RFC_6901, pointer) is ABSENT
    assert pointers.get(RFC_6901, pointer + "/deeper") is ABSENT


def test_null_is_there() -> None:
    assert pointers.get({"a": None}, "/a") is None
    assert copy.deepcopy(ABSENT) is ABSENT


@pytest.mark.parametrize("text", ["a", "a/b", "/~", "/~2", "/a~/b", "#/a"])
def test_what_is_not_a_pointer_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        pointers.get({}, text)
    assert list(caught.value.details) == [text]


@given(st.lists(st.text()))
def test_a_pointer_is_its_segments(segments: list[str]) -> None:
    assert pointers.split(pointers.join(*segments)) == segments


def test_put_and_remove() -> None:
    document: Any = {"a": [1, 2], "b": {}}
    assert pointers.put(document, "/a/1", 3) is document
    pointers.put(document, "/b/~1", 4)
    assert document == {"a": [1, 3], "b": {"/": 4}}
    pointers.remove(document, "/a/0")
    pointers.remove(document, "/b/~1")
    assert document == {"a": [3], "b": {}}
    assert pointers.put(document, "", 5) == 5


@pytest.mark.parametrize("pointer", ["/a/2", "/a/-", "/a/x", "/c/d", "/s/0", "/n/x"])
def test_put_needs_a_place(pointer: str) -> None:
    with pytest.raises(ValidationFailed, match="not valid") as caught:
        pointers.put({"a": [1, 2], "s": "text", "n": 1}, pointer, 0)
    assert list(caught.value.details) == [pointer]


@pytest.mark.parametrize(("pointer", "named"), [("/b", "/b"), ("/a/1", "/a/1"), ("", "/")])
def test_remove_needs_something(pointer: str, named: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        pointers.remove({"a": [1]}, pointer)
    assert list(caught.value.details) == [named]


# --- equality and copies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True), (0, -0.0, True), (True, 1, False), (False, 0, False), (None, False, False), ("1", 1, False),
        ([1], [1.0], True), ([True], [1], False), ({"a": [0]}, {"a": [False]}, False), ({}, [], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ({"a": 1}, {"b": 1}, False), ([1, 2], [2, 1], False),
        ([1], [1, 1], False), (ABSENT, ABSENT, True), (ABSENT, None, False),
    ],
)  # fmt: skip
def test_equality_is_that_of_json(one: Any, other: Any, equal: bool) -> None:
    assert pointers.same(one, other) is equal
    assert pointers.same(other, one) is equal


def test_nothing_is_too_deep_to_compare_copy_or_measure() -> None:
    deep = nested(100_000)
    twin = pointers.clone(deep)
    assert pointers.same(deep, twin)
    assert not pointers.same(deep, nested(100_000, 1))
    assert pointers.depth(deep, 200_000) == 100_000
    assert pointers.depth(deep, 64) == 65
    assert pointers.depth("scalar", 64) == 0


@given(JSON)
def test_a_copy_is_the_same_and_shares_nothing(document: Any) -> None:
    twin = pointers.clone(document)
    assert pointers.same(document, twin)
    assert not containers(document) & containers(twin)


def containers(value: Any) -> set[int]:
    """The ids of all that could be changed in place."""
    if not isinstance(value, dict | list):
        return set()
    items = value.values() if isinstance(value, dict) else value
    return {id(value)}.union(*(containers(item) for item in items))


# --- patches: RFC 6902, appendix A -----------------------------------------------------------------------------------

EXAMPLES = [
    ("A.1", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ("A.2", {"foo": ["a", "b"]}, [{"op": "add", "path": "/foo/1", "value": "x"}], {"foo": ["a", "x", "b"]}),
    ("A.3", {"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ("A.4", {"foo": ["a", "x", "b"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "b"]}),
    ("A.5", {"baz": 1, "foo": 2}, [{"op": "replace", "path": "/baz", "value": 3}], {"baz": 3, "foo": 2}),
    ("A.6", {"foo": {"bar": 1, "w": 2}, "q": {"c": 3}}, [{"op": "move", "from": "/foo/w", "path": "/q/t"}],
     {"foo": {"bar": 1}, "q": {"c": 3, "t": 2}}),
    ("A.7", {"foo": ["a", "g", "c", "e"]}, [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
     {"foo": ["a", "c", "e", "g"]}),
    ("A.8", {"baz": "qux", "foo": ["a", 2, "c"]},
     [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
     {"baz": "qux", "foo": ["a", 2, "c"]}),
    ("A.10", {"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"grand": {}}}],
     {"foo": "bar", "child": {"grand": {}}}),
    ("A.11", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),
    ("A.14", {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ("A.16", {"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
    ("add replaces", {"foo": None}, [{"op": "add", "path": "/foo", "value": 1}], {"foo": 1}),
    ("null is a value", {"foo": 1}, [{"op": "add", "path": "/foo", "value": None}], {"foo": None}),
    ("the root", {"a": 1}, [{"op": "add", "path": "", "value": [1]}, {"op": "add", "path": "/0", "value": 0}], [0, 1]),
    ("the root, replaced", {"foo": 1}, [{"op": "replace", "path": "", "value": 7}], 7),
    ("the root, tested", {"foo": 1}, [{"op": "test", "path": "", "value": {"foo": 1.0}}], {"foo": 1}),
    ("a child becomes the root", {"foo": {"a": 1}}, [{"op": "move", "from": "/foo", "path": ""}], {"a": 1}),
    ("a copy becomes the root", {"foo": {"a": 1}}, [{"op": "copy", "from": "/foo", "path": ""}], {"a": 1}),
    ("the root into itself", {"a": 1}, [{"op": "copy", "from": "", "path": "/b"}], {"a": 1, "b": {"a": 1}}),
    ("a move to where it is", {"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
    ("not a child, though it looks so", {"a": 1}, [{"op": "move", "from": "/a", "path": "/ab"}], {"ab": 1}),
    ("numbers as names", {"0": 1}, [{"op": "replace", "path": "/0", "value": 2}], {"0": 2}),
    ("a dash as a name", {}, [{"op": "add", "path": "/-", "value": 2}], {"-": 2}),
    ("nothing to do", {"a": 1}, [], {"a": 1}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "operations", "expected"), [pytest.param(*case[1:], id=case[0]) for case in EXAMPLES]
)
def test_the_examples_of_rfc_6902(document: Any, operations: list[Any], expected: Any) -> None:
    asked = copy.deepcopy(operations)
    assert pointers.same(patch.apply(copy.deepcopy(document), operations), expected)
    assert operations == asked


REFUSED = [
    ("A.12", {"foo": "bar"}, {"op": "add", "path": "/baz/bat", "value": 1}, "nothing at /baz to put 'bat' into"),
    ("A.13", {}, {"op": "bogus", "path": "/a"}, '"op" must be one of add, remove, replace, move, copy, test'),
    ("no op", {}, {"path": "/a"}, '"op" must be one of'),
    ("an op like no other", {}, {"op": ["add"], "path": "/a"}, '"op" must be one of'),
    ("not an object", {}, "add", "An operation is an object"),
    ("no path", {}, {"op": "remove"}, 'needs the member "path"'),
    ("no value", {}, {"op": "add", "path": "/a"}, 'needs the member "value"'),
    ("no from", {"a": 1}, {"op": "move", "path": "/a"}, 'needs the member "from"'),
    ("a path of another type", {}, {"op": "remove", "path": 1}, '"path" must be a JSON Pointer, as a string'),
    ("a path that is none", {}, {"op": "remove", "path": "a"}, '"path": A JSON Pointer is "" or begins with "/"'),
    ("a from that is none", {}, {"op": "copy", "from": "/~", "path": "/a"}, '"from": In a JSON Pointer "~" is'),
    ("nothing to remove", {}, {"op": "remove", "path": "/a"}, "nothing at /a to remove: name what is there"),
    ("nothing to replace", {}, {"op": "replace", "path": "/a", "value": 1}, "nothing at /a to replace: .*, or add it"),
    ("nothing to move", {}, {"op": "move", "from": "/a", "path": "/b"}, "nothing at /a to move"),
    ("nothing to copy", {"a": []}, {"op": "copy", "from": "/a/-", "path": "/b"}, "nothing at /a/- to copy"),
    ("the whole, removed", {}, {"op": "remove", "path": ""}, "whole document cannot be removed; replace it"),
    ("into its child", {"a": {}}, {"op": "move", "from": "/a", "path": "/a/b"}, "/a cannot be moved into its own"),
    ("the whole into its child", {}, {"op": "move", "from": "", "path": "/b"}, "The whole document cannot be moved"),
    ("beyond the end", {"a": [1]}, {"op": "add", "path": "/a/2", "value": 1}, "'2' is no place .* from 0 to 1, or -"),
    ("a leading zero", {"a": [1]}, {"op": "add", "path": "/a/00", "value": 1}, "'00' is no place in the array"),
    ("a name in an array", {"a": [1]}, {"op": "add", "path": "/a/b", "value": 1}, "'b' is no place in the array"),
    ("an endless index", {"a": [1]}, {"op": "add", "path": "/a/" + "1" * 5000, "value": 1}, "no place in the array"),
    ("a text's letter", {"a": "text"}, {"op": "copy", "from": "/a/0", "path": "/b"}, "nothing at /a/0 to copy"),
    ("into a text", {"a": "text"}, {"op": "add", "path": "/a/0", "value": 1}, "/a is neither an object nor an array"),
    ("into a number", {"a": 1}, {"op": "add", "path": "/a/b", "value": 1}, "/a is neither an object nor an array"),
    ("into a scalar root", 1, {"op": "add", "path": "/b", "value": 1}, "the whole document is neither an object nor"),
    ("to nowhere", {"a": 1}, {"op": "move", "from": "/a", "path": "/b/c"}, "nothing at /b to put 'c' into"),
    ("beyond what it left", {"a": [1]}, {"op": "move", "from": "/a/0", "path": "/a/1"}, "an index from 0 to 0, or -"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "operation", "sentence"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED]
)
def test_what_cannot_be_done_is_named_with_its_mending(document: Any, operation: Any, sentence: str) -> None:
    before = {"op": "test", "path": "", "value": document}
    assert re.search(sentence, refused(copy.deepcopy(document), before, before, before, operation, at="/operations/3"))


@pytest.mark.parametrize("operations", [None, {}, "[]", 1, {"op": "add", "path": "", "value": 1}])
def test_a_patch_is_an_array(operations: Any) -> None:
    with pytest.raises(ValidationFailed) as caught:
        patch.apply({}, operations)
    assert list(caught.value.details) == ["operations"]


def test_a_patch_that_is_none_names_all_its_faults_and_changes_nothing() -> None:
    document: dict[str, Any] = {}
    with pytest.raises(ValidationFailed) as caught:
        patch.apply(document, [{"op": "add", "path": "/a", "value": 1}, {"op": "move"}, {"op": "add", "path": "a"}])
    assert {where: len(sentences) for where, sentences in caught.value.details.items()} == {
        "/operations/1": 2,
        "/operations/2": 2,
    }
    assert document == {}


TESTS_THAT_FAIL = [
    ("A.9", {"baz": "qux"}, "/baz", "bar"), ("A.15", {"~1": 10}, "/~01", "10"), ("true is not 1", {"a": True}, "/a", 1),
    ("0 is not false", {"a": 0}, "/a", False), ("inside", {"a": [{"b": 1}]}, "/a", [{"b": True}]),
    ("null is not absent", {}, "/a", None), ("the whole", {}, "", []), ("the end of an array", {"a": [1]}, "/a/-", 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "path", "value"), [pytest.param(*case[1:], id=case[0]) for case in TESTS_THAT_FAIL]
)
def test_a_failing_test_is_a_conflict(document: Any, path: str, value: Any) -> None:
    with pytest.raises(Conflict) as caught:
        patch.apply(document, [{"op": "add", "path": "/x", "value": 0}, {"op": "test", "path": path, "value": value}])
    [(where, [sentence])] = caught.value.details.items()
    assert where == "/operations/1"
    assert "read the document again" in sentence


def test_the_order_of_operations_matters() -> None:
    rename = [{"op": "move", "from": "/a", "path": "/b"}, {"op": "test", "path": "/b", "value": 1}]
    assert patch.apply({"a": 1}, rename) == {"b": 1}
    with pytest.raises(Conflict):
        patch.apply({"a": 1}, rename[::-1])


# --- nothing is shared -----------------------------------------------------------------------------------------------


def test_a_copy_lives_its_own_life() -> None:
    later = {"op": "add", "path": "/b/x", "value": 1}
    assert patch.apply({"a": {}}, [{"op": "copy", "from": "/a", "path": "/b"}, later]) == {"a": {}, "b": {"x": 1}}


@pytest.mark.parametrize("name", ["add", "replace"])
@pytest.mark.parametrize("path", ["", "/a"])
def test_a_value_stays_as_it_was_sent(name: str, path: str) -> None:
    sent = {"op": name, "path": path, "value": {"list": []}}
    into = {"op": "add", "path": f"{path}/list/-", "value": 1}
    assert pointers.get(patch.apply({"a": 0}, [sent, into, into]), f"{path}/list") == [1, 1]
    assert sent["value"] == {"list": []}


# --- how much is too much --------------------------------------------------------------------------------------------


def test_a_thousand_operations_and_not_one_more() -> None:
    step = {"op": "add", "path": "/-", "value": 0}
    assert len(patch.apply([], [step] * 1000)) == 1000
    assert "1001 operations are too many" in refused([], *[step] * 1001, at="operations")


@pytest.mark.parametrize("path", ["/a/-", "/b{}"])
def test_copies_that_double_the_document_are_stopped(path: str) -> None:
    document = {"a": ["x" * 1024]}
    with pytest.raises(PayloadTooLarge) as caught:
        patch.apply(document, [{"op": "copy", "from": "", "path": path.format(number)} for number in range(60)])
    [where] = caught.value.details
    assert 8 <= int(where.removeprefix("/operations/")) <= 13
    assert len(orjson.dumps(document)) < patch.MAX_BYTES


def test_what_is_added_is_counted_before_it_is_added() -> None:
    half = "x" * (patch.MAX_BYTES // 2)
    document = {"a": half}
    with pytest.raises(PayloadTooLarge):
        patch.apply(document, [{"op": "add", "path": "/b", "value": half}])
    assert list(document) == ["a"]
    assert patch.apply(document, [{"op": "test", "path": "/a", "value": half}]) is document


@pytest.mark.parametrize("name", ["add", "replace"])
def test_a_value_may_be_as_deep_as_a_document(name: str) -> None:
    whole = {"op": name, "path": "", "value": nested(64)}
    assert pointers.depth(patch.apply({}, [whole]), 100) == 64
    for levels, path in ((65, ""), (64, "/a"), (100_000, "/a")):
        assert "deeper than 64" in refused({"a": 0}, {"op": name, "path": path, "value": nested(levels)})


def test_copies_that_nest_deeper_each_time_are_stopped() -> None:
    assert "deeper than 64" in refused({}, *[{"op": "copy", "from": "", "path": "/a"}] * 64)


def test_moves_that_nest_deeper_each_time_are_stopped() -> None:
    """Each member goes into the one before it; no path of it is long, because the innermost comes first."""
    document = {str(number): {} for number in range(900)}
    steps = [{"op": "move", "from": f"/{number}", "path": f"/{number - 1}/x"} for number in range(899, 0, -1)]
    assert "deeper than 64" in refused(document, *steps, at="operations")
    assert pointers.depth(document, 2000) == 901


def test_a_copy_of_what_moves_have_nested_is_stopped_too() -> None:
    document = {str(number): {} for number in range(900)}
    steps = [{"op": "move", "from": f"/{number}", "path": f"/{number - 1}/x"} for number in range(899, 0, -1)]
    assert "deeper than 64" in refused(document, *steps, {"op": "copy", "from": "/0", "path": "/y"})


@pytest.mark.parametrize("value", ["\ud800", 2**64, {"\ud800": 1}])
def test_what_has_no_json_form_is_refused(value: Any) -> None:
    assert "cannot be written as JSON" in refused({}, {"op": "add", "path": "/a", "value": value})
    assert "cannot be written as JSON" in refused({"a": value}, at="document")


# --- whatever comes --------------------------------------------------------------------------------------------------


@given(JSON, st.lists(OPERATIONS, max_size=8) | st.lists(JSON, max_size=3) | JSON)
@example({"a": [0]}, [{"op": "move", "from": "/a/0", "path": "/a/1"}])
@example({"a": "text"}, [{"op": "replace", "path": "/a/0", "value": "T"}])
def test_no_patch_breaks_it(document: Any, operations: Any) -> None:
    asked = copy.deepcopy(operations)
    try:
        result = patch.apply(copy.deepcopy(document), operations)
    except (ValidationFailed, Conflict) as error:
        named = list(error.details)
    else:
        named = []
        assert not containers(result) & containers(operations)
        assert len(containers(result)) == count(result), "two places of the result are one object"
    assert all(key == "operations" or key.startswith("/operations/") for key in named)
    assert pointers.same(operations, asked)


def count(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + sum(count(item) for item in (value.values() if isinstance(value, dict) else value))


@given(OBJECTS, NAMES, JSON)
def test_what_is_added_can_be_tested_and_removed(document: dict[str, Any], name: str, value: Any) -> None:
    path = pointers.join(name)
    add, test = ({"op": op, "path": path, "value": value} for op in ("add", "test"))
    result = patch.apply(copy.deepcopy(document), [add, test, {"op": "remove", "path": path}])
    assert pointers.same(result, {other: kept for other, kept in document.items() if other != name})


@given(JSON, JSON)
def test_a_test_passes_for_equal_json_only(document: Any, value: Any) -> None:
    operations = [{"op": "test", "path": "", "value": value}]
    if pointers.same(document, value):
        assert patch.apply(document, operations) is document
    else:
        with pytest.raises(Conflict):
            patch.apply(document, operations)
