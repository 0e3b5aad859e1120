"""What a definition may look like: its members, expressions and inputs; and the schema that is published."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from django.test import Client
from hypothesis import given, strategies as st

from conftest import Person
from orchestrator.core.errors import ValidationFailed
from runs.workflows import inputs as schemas
from runs.workflows.shape import SCHEMA
from runs.workflows.validation import faults_of, register
from versioning import rules

pytestmark = pytest.mark.filterwarnings("ignore:deprecated string literal")  # of JMESPath, in random texts

AGENT_GRAPH = Path(schemas.__file__).with_name("agent-graph.json")
PAGE = Path(schemas.__file__).parents[2] / "docs/workflows.md"
PUBLISHED = "/api/v1/schemas/workflow"
A: dict[str, Any] = {"type": "intent"}
ODD_ID = "no node id"
HERE_ONLY = "here once only"


def with_node(**members: Any) -> dict[str, Any]:
    return {"nodes": {"a": {**A, **members}}}


def with_inputs(**schema: Any) -> dict[str, Any]:
    return {"nodes": {"a": A}, "inputs": schema}


def told(definition: Any) -> dict[str, str]:
    """The sentences by pointer."""
    found: dict[str, str] = {}
    for fault in faults_of(definition):
        found[fault.pointer] = f"{found.get(fault.pointer, '')} {fault.message}".strip()
    return found


def agent_graph() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(AGENT_GRAPH.read_text(encoding="utf-8"))
    return found


# --- members -------------------------------------------------------------------------------------------------------

BAD_SHAPES: list[tuple[Any, str, str]] = [
    ([], "", "This is a list; it must be an object."),
    (None, "", "null"),
    (True, "", "boolean"),
    ("nodes", "", "string"),
    (1.5, "", "number"),
    ({}, "", '"nodes" is missing'),
    ({"nodes": {}}, "/nodes", "at least 1"),
    ({"nodes": []}, "/nodes", "it must be an object"),
    ({"nodes": {"a": A}, "naem": 1}, "/naem", 'Did you mean "name"?'),
    (
        {"nodes": {"a": A}, "x/y~z": 1},
        "/x~1y~0z",
        "only name, description, inputs, nodes, output, timeout_seconds, concurrency and priority",
    ),
    ({"nodes": {"a": A}, "": 1}, "/", "There is no member"),
    ({"nodes": {"a": A}, "name": ""}, "/name", "too short"),
    ({"nodes": {"a": A}, "name": "x" * 201}, "/name", "200 or less"),
    ({"nodes": {"a": A}, "description": "x" * 4001}, "/description", "4000 or less"),
    ({"nodes": {"a": A}, "output": "x" * 2001}, "/output", "2000 or less"),
    ({"nodes": {"a": A}, "output": None}, "/output", "This is null; it must be a string."),
    ({"nodes": {"a": A}, "inputs": []}, "/inputs", "This is a list; it must be an object."),
    ({"nodes": {"a": A}, "inputs": True}, "/inputs", "it must be an object"),
    ({"nodes": {"a b": A}}, "/nodes/a b", ODD_ID),
    ({"nodes": {"": A}}, "/nodes/", ODD_ID),
    ({"nodes": {"-a": A}}, "/nodes/-a", ODD_ID),
    ({"nodes": {"a\n": A}}, "/nodes/a\n", ODD_ID),
    ({"nodes": {"é": A}}, "/nodes/é", ODD_ID),
    ({"nodes": {"x" * 101: A}}, f"/nodes/{'x' * 101}", ODD_ID),
    ({"nodes": {"a": 5}}, "/nodes/a", "This is a number; it must be an object."),
    ({"nodes": {"a": {}}}, "/nodes/a", '"type" is missing'),
    (with_node(type=5), "/nodes/a/type", "it must be a string"),
    (with_node(type=""), "/nodes/a/type", "too short"),
    (with_node(type="intnt"), "/nodes/a/type", 'Did you mean "intent"?'),
    (with_node(type="zzz"), "/nodes/a/type", "only agent, approval"),
    (with_node(needs="b"), "/nodes/a/needs", "it must be a list"),
    (with_node(needs=[5]), "/nodes/a/needs/0", "it must be a string"),
    (with_node(needs=["b c"]), "/nodes/a/needs/0", ODD_ID),
    (with_node(needs=[f"n{number}" for number in range(501)]), "/nodes/a/needs", "at most 500"),
    (with_node(needz=[]), "/nodes/a/needz", 'Did you mean "needs"?'),
    (with_node(when=""), "/nodes/a/when", "too short"),
    (with_node(when="x" * 2001), "/nodes/a/when", "too long"),
    (with_node(when=True), "/nodes/a/when", "it must be a string"),
    (with_node(**{"with": []}), "/nodes/a/with", "it must be an object"),
    (with_node(retry=3), "/nodes/a/retry", "it must be an object"),
    (with_node(retry={}), "/nodes/a/retry", '"max_attempts" is missing'),
    (with_node(retry={"max_attempts": 0}), "/nodes/a/retry/max_attempts", "1 or more"),
    (with_node(retry={"max_attempts": 101}), "/nodes/a/retry/max_attempts", "100 or less"),
    (with_node(retry={"max_attempts": 1.5}), "/nodes/a/retry/max_attempts", "whole number"),
    (with_node(retry={"max_attempts": 1, "delay_seconds": -1}), "/nodes/a/retry/delay_seconds", "0 or more"),
    (with_node(retry={"max_attempts": 1, "multiplier": 0.5}), "/nodes/a/retry/multiplier", "1 or more"),
    (with_node(retry={"max_attempts": 1, "max_delay_seconds": 86401}), "/nodes/a/retry/max_delay_seconds", "86400"),
    (with_node(retry={"max_attempts": 1, "delay": 1}), "/nodes/a/retry/delay", "There is no member"),
    (
        with_node(retry={"max_attempts": 2, "delay_seconds": 9, "max_delay_seconds": 8.5}),
        "/nodes/a/retry/max_delay_seconds",
        "make it 9 or more",
    ),
    (with_node(timeout_seconds=0), "/nodes/a/timeout_seconds", "more than 0"),
    (with_node(timeout_seconds=604801), "/nodes/a/timeout_seconds", "604800 or less"),
    (with_node(timeout_seconds="9"), "/nodes/a/timeout_seconds", "it must be a number"),
    (with_node(retry={"max_attempts": 2, "jitter": 1.5}), "/nodes/a/retry/jitter", "1 or less"),
    (with_node(retry={"max_attempts": 2, "on": []}), "/nodes/a/retry/on", "at least 1"),
    (with_node(retry={"max_attempts": 2, "on": ["a", "a"]}), "/nodes/a/retry/on", HERE_ONLY),
    (with_node(retry={"max_attempts": 2, "on": [f"e{n}" for n in range(51)]}), "/nodes/a/retry/on", "at most 50"),
    (with_node(retry={"max_attempts": 2, "on": "timeout"}), "/nodes/a/retry/on", "it must be a list"),
    (with_node(queue="GPU"), "/nodes/a/queue", "no name of a queue"),
    (with_node(queue="x" * 51), "/nodes/a/queue", "no name of a queue"),
    (with_node(map={}), "/nodes/a/map", '"over" is missing'),
    (with_node(map={"over": ""}), "/nodes/a/map/over", "too short"),
    (with_node(map={"over": "inputs.["}), "/nodes/a/map/over", "This is not JMESPath"),
    (with_node(map={"over": "inputs.x", "concurrency": 0}), "/nodes/a/map/concurrency", "1 or more"),
    (with_node(map={"over": "inputs.x", "concurrency": 1001}), "/nodes/a/map/concurrency", "1000 or less"),
    (with_node(map={"over": "inputs.x", "parallel": 1}), "/nodes/a/map/parallel", "only over and concurrency"),
    (with_node(map=["a"]), "/nodes/a/map", "it must be an object"),
    (with_node(on_failure="retry"), "/nodes/a/on_failure", '"fail", "continue" or'),
    (with_node(on_failure=None), "/nodes/a/on_failure", '"fail", "continue" or'),
    (with_node(on_failure={}), "/nodes/a/on_failure", '"fail", "continue" or'),
    (with_node(on_failure={"fallback": "b c"}), "/nodes/a/on_failure", '"fail", "continue" or'),
    ({**with_node(), "timeout_seconds": 0}, "/timeout_seconds", "more than 0"),
    ({**with_node(), "timeout_seconds": 31_622_401}, "/timeout_seconds", "31622400 or less"),
    ({**with_node(), "priority": 101}, "/priority", "100 or less"),
    ({**with_node(), "priority": "high"}, "/priority", "whole number"),
    ({**with_node(), "concurrency": {}}, "/concurrency", '"limit" is missing'),
    ({**with_node(), "concurrency": {"limit": 0}}, "/concurrency/limit", "1 or more"),
    ({**with_node(), "concurrency": {"limit": 1, "polic": "a"}}, "/concurrency/polic", '"policy"?'),
    ({**with_node(), "concurrency": {"limit": 1, "key": "a."}}, "/concurrency/key", "ends too soon"),
    ({**with_node(), "concurrency": {"limit": 1, "policy": "drop"}}, "/concurrency/policy", '"cancel_running" or'),
    ({**with_node(), "concurrency": 3}, "/concurrency", "it must be an object"),
]


@pytest.mark.parametrize(("definition", "pointer", "piece"), BAD_SHAPES)
def test_one_fault_is_one_sentence_at_its_place(definition: Any, pointer: str, piece: str) -> None:
    found = {fault.pointer: fault.message for fault in faults_of(definition) if not _follows(fault.message)}
    assert list(found) == [pointer]
    assert piece in found[pointer]


def _follows(sentence: str) -> bool:
    return "add it, or leave it out here" in sentence  # needs that are there for another reason


@pytest.mark.parametrize("definition", [
    with_node(needs=[]), with_node(**{"with": {"any": [{"thing": None}]}}), with_node(when="`true`"),
    with_node(retry={"max_attempts": 100, "delay_seconds": 0, "multiplier": 10, "max_delay_seconds": 0}),
    with_node(retry={"max_attempts": 3.0, "delay_seconds": 2.5, "max_delay_seconds": 2.5}),
    with_node(timeout_seconds=0.001), {"nodes": {"x" * 100: A, "0": A, "A_-": A}, "name": "é", "description": ""},
    {"nodes": {f"n{number}": A for number in range(2000)}}, {"nodes": {"a": A}, "inputs": {}},
    with_node(retry={"max_attempts": 2, "jitter": 1, "on": ["timeout"]}), with_node(queue="gpu-1"),
    with_node(map={"over": "inputs.x", "concurrency": 1000}), with_node(on_failure="continue"),
    {"nodes": {"a": {**A, "on_failure": {"fallback": "b"}}, "b": A}},
    {**with_node(), "timeout_seconds": 31_622_400, "priority": 100},
    {**with_node(), "concurrency": {"limit": 1, "key": "inputs.city", "policy": "replace_queued"}},
])  # fmt: skip
def test_what_is_allowed(definition: Any) -> None:
    assert faults_of(definition) == []


def test_the_built_in_workflow_is_valid() -> None:
    assert faults_of(agent_graph()) == []


def test_the_page_about_definitions_is_right() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    good, *others, answer = map(json.loads, blocks)
    assert [faults_of(definition) for definition in (good, *others)] == [[]] * (1 + len(others))
    good["nodes"]["plan"]["needs"] = ["red"]
    good["nodes"]["check"]["needs"].append("mend")
    good["nodes"]["mend"]["when"] = "length(nodes.check.violations"
    del good["nodes"]["tell"]["retry"]["max_attempts"]
    assert rules.by_pointer(faults_of(good)) == answer["details"]


def test_all_faults_are_told_at_once_in_order() -> None:
    definition = {
        "nodes": {
            "a": {"type": "intnt", "needs": ["b", "c"], "when": "nodes.["},
            "b": {"type": "intent", "needs": ["a"], "retry": {"max_attempts": 0, "often": 1}},
            "d e": {"typ": 1},
            "f": None,
        },
        "inputs": {"type": "array", "properties": {"x": {"minLength": "1", "pattern": "("}}},
        "output": "nodes.a.",
        "outputs": 1,
    }
    assert list(told(definition)) == [
        "/inputs/properties/x/minLength", "/inputs/properties/x/pattern", "/inputs/type", "/nodes/a/needs/0",
        "/nodes/a/needs/1", "/nodes/a/type", "/nodes/a/when", "/nodes/b/retry/max_attempts", "/nodes/b/retry/often",
        "/nodes/d e", "/nodes/f", "/output", "/outputs",
    ]  # fmt: skip


def test_of_very_many_faults_the_first_are_told() -> None:
    found = faults_of({"nodes": {f"n{number}": {"type": "x", "when": "["} for number in range(2000)}})
    assert found[0] == ("", "There are more than 1000 faults: mend these first.")
    assert len(found) == 1001


def test_too_many_nodes() -> None:
    assert told({"nodes": {f"n{number}": {} for number in range(2001)}}) == {
        "/nodes": "There are too many members: leave at most 2000."
    }


def test_no_sentence_repeats_the_document() -> None:
    long = "x" * 100_000
    definitions = [
        {long: long}, {"nodes": {long: {long: long}}}, {"nodes": {"a": {"type": long, "needs": [long], long: 1}}},
        {"nodes": {"a": {**A, "needs": [long, long]}}, "output": long}, with_inputs(required=["x" * 9999] * 2),
        with_inputs(**{"type": long[:9999], "$ref": long[:9999], "pattern": f"({long[:9999]}"}),
        {"nodes": {"a": A}, "output": f"`{long[:1500]}"},
    ]  # fmt: skip
    for definition in definitions:
        faults = faults_of(definition)
        assert faults
        assert max(len(fault.message) for fault in faults) < 400


# --- expressions ---------------------------------------------------------------------------------------------------

BAD_EXPRESSIONS = [
    ("foo bar", '"bar" is not expected at character 5'),
    ("nodes.a-b", "at character 8"),
    ("a.", "ends too soon, after character 2"),
    ("(", "ends too soon, after character 1"),
    ("   ", "ends too soon"),
    ("'open", "at character 1"),
    ("length(nodes.a", "ends too soon"),
    ("]", '"]" is not expected at character 1'),
    ("lenght(@)", 'no function "lenght". Did you mean "length"?'),
    ("a[?starts_wiht(b, 'c')]", "starts_with"),
    ("(" * 65 + "a" + ")" * 65, "too deeply"),
    ("(" * 1000, "too deeply"),
    ("{a:" * 600, "too deeply"),
    ("!" * 1999 + "a", "too deeply"),
    ("a" + "||a" * 600, "too deeply"),
    ("a" + "|a" * 900, "too deeply"),
    ("[]" * 1000, "too deeply"),
    ("`" + "[" * 1998, "too deeply"),
]


@pytest.mark.parametrize(("expression", "piece"), BAD_EXPRESSIONS)
def test_a_bad_expression_is_told_with_its_position(expression: str, piece: str) -> None:
    for definition, pointer in (
        ({**with_node(), "output": expression}, "/output"),
        (
            with_node(when=expression),
            "/nodes/a/when",
        ),
    ):
        assert list(found := told(definition)) == [pointer]
        assert piece in found[pointer]


@pytest.mark.parametrize("expression", [
    "nodes.a", 'nodes."a-b".c', "length(nodes.a.b) > `0`", "inputs.x && !inputs.y || `null`", "a[?b == 'c'].d | [0]",
    "sort_by(a, &b)", "`foo`", "a" + ".a" * 999, "(" * 64 + "a" + ")" * 64,
])  # fmt: skip
def test_a_good_expression(expression: str) -> None:
    assert told(with_node(when=expression)) == {}


# --- inputs --------------------------------------------------------------------------------------------------------

DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
BAD_INPUTS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "array"}, "/type", '"object"'),
    ({"type": ["object"]}, "/type", '"object"'),
    ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "2020-12"),
    ({"properties": {"a": {"type": "strin"}}}, "/properties/a/type", "string"),
    ({"properties": {"a": 5}}, "/properties/a", "it must be a boolean or an object"),
    ({"properties": {"a": {"pattern": "("}}}, "/properties/a/pattern", "regular expression"),
    ({"properties": {"a": {"pattern": "\\d{99999}"}}}, "/properties/a/pattern", "too large"),
    ({"patternProperties": {"(": {}}}, "/patternProperties/(", "regular expression"),
    ({"required": ["a", "a"]}, "/required", HERE_ONLY),
    ({"minProperties": -1}, "/minProperties", "0 or more"),
    ({"$ref": "https://example.com/schema"}, "/$ref", "leads out"),
    ({"properties": {"enum": {"$ref": "file:///etc/passwd"}}}, "/properties/enum/$ref", "leads out"),
    ({"allOf": [{"$dynamicRef": "#x"}]}, "/allOf/0/$dynamicRef", "leads out"),
    ({"properties": {"a": {"$id": "https://example.com/a"}}}, "/properties/a/$id", "leave this one out"),
    ({"items": {"$ref": "#/$defs/adress"}, "$defs": {"address": {}}}, "/items/$ref", 'Did you mean "address"?'),
    ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "/$defs/a", "a → a"),
    ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}}, "/$defs/a", "a → b → a"),
    ({"$defs": {**DOUBLING, "d40": {}}, "properties": {"a": {"$ref": "#/$defs/d0"}}}, "", "multiply"),
    ({"enum": ["x" * 40_000]}, "", "32768 bytes"),
]


@pytest.mark.parametrize(("schema", "pointer", "piece"), BAD_INPUTS)
def test_bad_inputs(schema: dict[str, Any], pointer: str, piece: str) -> None:
    found = told(with_inputs(**schema))
    assert list(found) == [f"/inputs{pointer}"]
    assert piece in found[f"/inputs{pointer}"]


GOOD_INPUTS: list[dict[str, Any]] = [
    {}, {"type": "object"}, {"properties": {"$ref": {"type": "string"}, "default": {"default": {"$ref": "not one"}}}},
    {"$defs": {"a": {"type": "string"}, "b": {"items": {"$ref": "#/$defs/a"}}}, "properties": {"x": {
        "$ref": "#/$defs/b"}}}, {"properties": {"a": {"pattern": "^(?!x)\\p{L}+$"}}}, {"x-ours": {"any": 1}},
    {"const": {"$ref": "http://data.example"}}, {"$id": "https://example.com/mine", "$defs": {"a": True}},
]  # fmt: skip


@pytest.mark.parametrize("schema", GOOD_INPUTS)
def test_good_inputs_compile(schema: dict[str, Any]) -> None:
    assert told(with_inputs(**schema)) == {}
    schemas.compiled(schema)


def test_compiling_opens_no_connection() -> None:
    with pytest.raises(jsonschema_rs.ValidationError, match="disabled"):
        schemas.compiled({"$ref": "http://127.0.0.1:9/schema"})


# --- whatever comes ------------------------------------------------------------------------------------------------

WORDS = ["nodes", "needs", "type", "when", "with", "retry", "inputs", "output", "name", "a", "b", "intent", "$ref",
         "$defs", "properties", "#/$defs/a", "max_attempts", "delay_seconds", "max_delay_seconds", "timeout_seconds",
         "object", "pattern", "items", "allOf", "length(a)", ""]  # fmt: skip
TEXT = st.sampled_from(WORDS) | st.text(max_size=20) | st.text("ab.[]*?|&!<=,:(){}@`\"'\\ 0-", max_size=30)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=5))


@given(VALUES)
def test_no_json_value_makes_it_raise(value: Any) -> None:
    assert faults_of(value)
    for definition in ({"nodes": value}, {"nodes": {"a": A}, "inputs": value}, {"nodes": {"a": value, "b": A}}):
        found = faults_of(definition)
        assert found == sorted(found) == faults_of(definition)
        assert all(fault.message.endswith((".", "?")) for fault in found)


@given(st.data())
def test_a_broken_place_of_a_valid_definition_is_told_there_or_above(data: st.DataObject) -> None:
    definition = agent_graph()
    *path, last = data.draw(st.sampled_from(list(_places(definition))))
    parent: Any = definition
    for step in path:
        parent = parent[step]
    parent[last] = data.draw(VALUES)
    for fault in faults_of(definition):
        assert fault.pointer.startswith(("/nodes", f"/{path[0] if path else last}")) or fault.pointer == ""


def _places(value: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    for step, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _places(inner, *path, step)


@pytest.mark.parametrize("value", ["\ud800", 10**30, float("nan")])
def test_what_json_cannot_carry_is_told(value: Any) -> None:
    found = faults_of(with_node(timeout_seconds=value))
    assert [fault.pointer for fault in found] in ([""], ["/nodes/a/timeout_seconds"])


def test_depth_is_no_danger() -> None:
    deep: Any = 1
    for depth in range(100_000):
        deep = [deep] if depth % 2 else {"not": deep}
        if depth == 62:
            assert told(with_node(**{"with": {"a": deep}})) == {}
            assert told({"nodes": deep})
    for definition in (deep, with_node(**{"with": {"a": deep}}), with_inputs(**{"not": deep}), with_node(needs=deep)):
        assert [fault.pointer for fault in faults_of(definition)] == [""]


HOSTILE: list[Any] = [
    {"nodes": {f"n{a}": {**A, "needs": [f"m{a}x{b}" for b in range(500)]} for a in range(800)}},
    {"nodes": {f"{'a' * 38}{a}": {**A, "needs": ["a" * 36 + "bbb"]} for a in range(2000)}},
    {"nodes": {f"n{a}": 5 for a in range(200_000)}},
    {"nodes": {f"n{a}": {"type": f"intent{a}", "x": 1} for a in range(2000)}},
    with_node(needs=[1] * 500_000),
    with_node(**{f"x{a}": 1 for a in range(100_000)}),
    {f"x{a}": 1 for a in range(200_000)},
    with_inputs(required=[1] * 16_000),
    with_inputs(properties={f"a{a}": 5 for a in range(3000)}),
    with_inputs(anyOf=[{"pattern": "\\w{2000}"}] * 1300),
    with_node(retry={"max_attempts": 1, "on": [1] * 500_000}),
    {**with_node(), "concurrency": {f"x{a}": 1 for a in range(100_000)}},
    {"nodes": {f"n{a}": {**A, "on_failure": {"fallback": f"n{a % 2}"}} for a in range(2000)}},
    {"nodes": {"a": {"type": "approval", "with": {"approvers": {"roles": [1] * 500_000}}}}},
    {"nodes": {"a": {"type": "approval", "with": {f"x{a}": 1 for a in range(100_000)}}}},
    {
        "nodes": {
            f"n{a}": {
                "type": "agent",
                "with": {"agent": "a", "prompt": "p", "schema": {"properties": {f"p{b}": "${x}" for b in range(2000)}}},
            }
            for a in range(100)
        }
    },
    with_node(**{"with": {"a": ["${a}"] * 500_000}}),
    with_node(**{"with": {"a": "${a}" * 1_000_000}}),
    with_node(**{"with": {"a": "${'" * 1_000_000}}),
    with_node(**{"with": {"a": "${" + "{" * 4_000_000}}),
    {"nodes": {f"n{a}": {**A, "needs": [f"n{(a + b) % 2000}" for b in range(1, 400)]} for a in range(2000)}},
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_what_is_large_on_purpose_takes_no_longer_than_it_must(number: int) -> None:
    begun = time.process_time()
    faults_of(HOSTILE[number])
    assert time.process_time() - begun < 5  # a second at most, and machines differ


# --- where it is used ----------------------------------------------------------------------------------------------


def test_a_definition_that_is_stored_must_be_valid() -> None:
    with pytest.raises(ValidationFailed) as caught:
        rules.require_valid({"nodes": {"a": {"type": "intnt", "needs": ["a"]}}})
    assert {pointer: len(sentences) for pointer, sentences in caught.value.details.items()} == {
        "/nodes/a/needs/0": 1, "/nodes/a/type": 1,
    }  # fmt: skip


def test_making_the_app_ready_twice_tells_no_fault_twice() -> None:
    register()
    assert rules.faults_of({}) == faults_of({})


def test_the_schema_is_published(alice: Person, carol: Person) -> None:
    answer = carol.client.get(PUBLISHED)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json() == SCHEMA
    assert answer.json()["$id"] == PUBLISHED
    assert answer["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    again = alice.client.get(PUBLISHED, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])
    assert alice.client.get(PUBLISHED, headers={"If-None-Match": '"other"'}).status_code == 200


def test_strangers_do_not_get_it(db: Any) -> None:
    assert Client().get(PUBLISHED).status_code == 401


def test_the_schema_tells_people_what_everything_is() -> None:
    def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield schema
        for inner in [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]:
            yield from parts(inner)

    silent = [part for part in parts(SCHEMA) if "description" not in part and not {"$ref", "const"} & part.keys()]
    assert not silent
