"""A node's settings against what its type takes: in a definition, where templates stand, and once they are filled."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from conftest import Person
from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeResult, NodeType
from runs.workflows.settings import check
from runs.workflows.validation import faults_of

DOCS = Path(__file__).parents[2] / "docs"
HERE = "/nodes/a/with"
SAY = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 3},
        "times": {"type": "integer", "minimum": 1, "maximum": 9},
        "mode": {"enum": ["loud", "quiet"]},
        "to": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False},
            "uniqueItems": True,
            "maxItems": 2,
        },
        "either": {"anyOf": [{"type": "integer"}, {"type": "object", "properties": {"x": {"type": "integer"}}}]},
        "headers": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}},
        "where": {"type": "string", "format": "jmespath"},
        "answer": {"$ref": "https://json-schema.org/draft/2020-12/schema", "type": "object", "format": "json-schema"},
        "program": {"type": "string", "x-literal": True},
        "step": {"multipleOf": 5},
        "at": {"format": "date-time"},
    },
    "required": ["text"],
    "additionalProperties": False,
}


@pytest.fixture(autouse=True)
def say(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def execute(ctx: NodeContext) -> NodeResult:
        return NodeResult({}, "Said it")

    monkeypatch.setattr(registry, "_types", dict(registry._types))
    registry.register(NodeType("say", "Saying it", execute, SAY))
    return


def told(**settings: Any) -> list[tuple[str, str]]:
    definition = {"nodes": {"a": {"type": "say", "with": {"text": "hello", **settings}}}}
    return [(fault.pointer, fault.message) for fault in faults_of(definition)]


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"text": "x"}, "/text", "its length must be 3 or more"),
    ({"text": 5}, "/text", "This is a number; it must be a string."),
    ({"times": 0}, "/times", "1 or more"),
    ({"times": 1.5}, "/times", "a whole number"),
    ({"mode": "shrill"}, "/mode", 'This must be "loud" or "quiet".'),
    ({"to": "me"}, "/to", "it must be a list"),
    ({"to": [{"name": 1}]}, "/to/0/name", "it must be a string"),
    ({"to": [{"nmae": "x"}]}, "/to/0/nmae", 'There is no setting "nmae" here, only name.'),
    ({"to": [{}, {}]}, "/to", "once only"),
    ({"either": "x"}, "/either", "none of the forms"),
    ({"txet": 1}, "/txet", "only text, times"),
    ({"tims": 1}, "/tims", 'Did you mean "times"?'),
    ({"headers": {"A": 1}}, "/headers/A", "must match"),
    ({"where": "a["}, "/where", "This is not JMESPath"),
    ({"answer": {"type": "strin"}}, "/answer/type", "must be one type"),
    ({"answer": {"$ref": "https://example.com"}}, "/answer/$ref", "leads out"),
    ({"answer": {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}}, "/answer/$defs/a", "a → a"),
    ({"answer": {"properties": {"a": {"pattern": "("}}}}, "/answer/properties/a/pattern", "regular expression"),
    ({"answer": {"enum": ["x" * 40_000]}}, "/answer", "32768 bytes"),
    ({"answer": True}, "/answer", "it must be an object"),
    ({"step": 7}, "/step", "a multiple of 5"),
    ({"at": "tomorrow"}, "/at", "not a time"),
]


@pytest.mark.parametrize(("settings", "pointer", "piece"), BAD)
def test_a_wrong_setting_is_told_at_its_place(settings: dict[str, Any], pointer: str, piece: str) -> None:
    assert {where for where, _ in told(**settings)} == {HERE + pointer}
    assert any(piece in sentence for _, sentence in told(**settings))
    filled = check(SAY, {"text": "hello", **settings})
    assert any(sentence.startswith(f"{pointer}: ") and piece in sentence for sentence in filled)


def test_what_is_missing_is_told_at_the_settings() -> None:
    missing = 'The member "text" is missing: add it.'
    for node in ({"type": "say"}, {"type": "say", "with": {}}):
        assert [(f.pointer, f.message) for f in faults_of({"nodes": {"a": node}})] == [(HERE, missing)]
    assert check(SAY, {}) == [missing]


TEMPLATED: list[dict[str, Any]] = [
    {"text": "${inputs.x}"},
    {"times": "${inputs.x}"},
    {"mode": "${inputs.x}"},
    {"to": "${nodes.b.people}"},
    {"to": ["${nodes.b.x}", "${nodes.b.x}"]},
    {"to": [{"name": "${inputs.x}"}]},
    {"either": {"x": "${inputs.x}"}},
    {"either": "${inputs.x}"},
    {"where": "${inputs.x}"},
    {"answer": {"enum": "${inputs.x}"}},
    {"answer": {"type": "object", "properties": {"a": {"minimum": "${inputs.x}"}}}},
    {"step": "${inputs.x}"},
    {"at": "${inputs.x}"},
]


@pytest.mark.parametrize("settings", TEMPLATED)
def test_a_template_is_checked_when_it_is_filled_in(settings: dict[str, Any]) -> None:
    assert told(**settings) == []


@pytest.mark.parametrize(("settings", "pointer", "piece"), [
    ({"times": "${inputs.}"}, "/times", "This is not JMESPath"),
    ({"times": "$${inputs.x}"}, "/times", "it must be a whole number"),
    ({"to": ["${a}", "${b}", "${c}"]}, "/to", "at most 2"),
    ({"to": ["${a}", 5]}, "/to/1", "it must be an object"),
    ({"typo": "${inputs.x}"}, "/typo", "no setting"),
    ({"either": {"x": "1"}}, "/either", "none of the forms"),
    ({"program": "/bin/${inputs.x}"}, "/program", "a template cannot stand here"),
    ({"headers": {"A": "${inputs.x}"}}, "/headers/A", "must match"),
])  # fmt: skip
def test_what_no_template_changes_is_told(settings: dict[str, Any], pointer: str, piece: str) -> None:
    ((where, sentence),) = told(**settings)
    assert where == HERE + pointer
    assert piece in sentence


def test_a_literal_is_not_looked_at_again_once_it_is_filled_in() -> None:
    assert told(program="$${x}") == []
    assert check(SAY, {"text": "hello", "program": "${x}"}) == []


def test_an_unknown_type_still_has_its_templates_checked() -> None:
    found = faults_of({"nodes": {"a": {"type": "sya", "with": {"b": "${", "c": 1}}}})
    assert [fault.pointer for fault in found] == ["/nodes/a/type", "/nodes/a/with/b"]


def test_at_run_time_the_first_sentences_are_enough() -> None:
    found = check(SAY, {"text": "hello", **{f"x{number}": 1 for number in range(1000)}})
    assert len(found) == len(set(found)) == 20
    assert check(SAY, {"text": "hello"}) == []
    assert check({"type": "object"}, {"any": [1]}) == []


def test_settings_that_are_wrong_far_inside_are_not_taken() -> None:
    people: list[Any] = [{"name": str(number)} for number in range(30_000)]
    schema = {"properties": {"to": {"items": SAY["properties"]["to"]["items"]}}}  # type: ignore[index]
    assert check(schema, {"to": people}) == []
    assert len(check(schema, {"to": [*people, 5]})) == 1
    assert len(check(schema, {"to": [5, *people]})) == 1
    registry.register(NodeType("send", "Sending", lambda ctx: NodeResult({}, ""), schema))
    (fault,) = faults_of({"nodes": {"a": {"type": "send", "with": {"to": [*people, 5]}}}})
    assert "too large to say where" in fault.message


@pytest.mark.parametrize("schema", [
    {"type": "nonsense"}, {"$ref": "https://example.com/schema"}, {"properties": 5}, {"pattern": "("},
])  # fmt: skip
def test_a_type_with_a_broken_schema_is_told_and_breaks_nothing(schema: dict[str, Any]) -> None:
    registry.register(NodeType("odd", "Being odd", lambda ctx: NodeResult({}, ""), schema))
    (fault,) = faults_of({"nodes": {"a": {"type": "odd"}}})
    assert (fault.pointer, "broken schema" in fault.message) == (HERE, True)
    assert len(check(schema, {})) == 1


# --- the schemas of the types that there are -------------------------------------------------------------------------

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("intent", {}), ("intent", {"default_days": 3}), ("intent", {"default_days": None}),
    ("intent", {"default_days": "${inputs.days}", "of_old": 1}),
    ("planner", {"activities_per_day": 3, "lodging": "budget", "reads": {"intent": "find"}}),
    ("synth", {"reads": {"repair": "mend"}}), ("verifier", {"reads": {}}),
    ("transform", {"expression": "nodes.a.b"}), ("transform", {"output": None}), ("transform", {"output": ["${a}"]}),
    ("wait", {"seconds": 0}), ("wait", {"seconds": "${inputs.s}"}), ("wait", {"until": "2026-01-31T12:00:00+01:00"}),
    ("approval", {}), ("approval", {"approvers": {"users": ["a@b.cd"]}, "on_expiry": "reject", "expires_seconds": 1}),
    ("approval", {"title": "t", "message": "", "schema": {"type": "object"}, "approvers": {"roles": ["owner"]}}),
    ("agent", {"agent": "writer", "prompt": "${item}"}),
    ("agent", {"agent": "w", "prompt": "p", "prompt_type": "adw", "prompt_name": "", "max_attempts": 100,
               "schema": {"type": "array"}}),
    ("workflow", {"workflow": "team/report"}), ("workflow", {"workflow": "a", "ref": "~1", "inputs": {"x": "${item}"}}),
    ("workflow", {"workflow": "a", "inputs": "${inputs}"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "settings"), GOOD)
def test_good_settings(kind: str, settings: dict[str, Any]) -> None:
    assert faults_of({"nodes": {"a": {"type": kind, "with": settings}}}) == []


@pytest.mark.parametrize(("kind", "settings", "pointer"), [
    ("intent", {"default_days": 31}, "/default_days"),
    ("planner", {"activities_per_day": 4}, "/activities_per_day"),
    ("planner", {"lodging": "palace"}, "/lodging"),
    ("planner", {"reads": {"intnt": "x"}}, "/reads/intnt"),
    ("synth", {"reads": {"intent": 5}}, "/reads/intent"),
    ("transform", {}, ""),
    ("transform", {"expression": "a", "output": 1}, ""),
    ("transform", {"expression": "a."}, "/expression"),
    ("transform", {"expression": "${a}"}, "/expression"),
    ("wait", {}, ""),
    ("wait", {"seconds": 1, "until": "2026-01-31T12:00:00Z"}, ""),
    ("wait", {"seconds": -1}, "/seconds"),
    ("wait", {"seconds": 31_622_401}, "/seconds"),
    ("wait", {"until": "2026-01-31T12:00:00"}, "/until"),
    ("approval", {"approvers": {}}, "/approvers"),
    ("approval", {"approvers": {"roles": ["viewer"]}}, "/approvers/roles/0"),
    ("approval", {"approvers": {"users": ["nobody"]}}, "/approvers/users/0"),
    ("approval", {"expires_seconds": 0}, "/expires_seconds"),
    ("approval", {"on_expiry": "explode"}, "/on_expiry"),
    ("approval", {"schema": {"$ref": "file:///etc/passwd"}}, "/schema/$ref"),
    ("agent", {"agent": "a"}, ""),
    ("agent", {"agent": "a", "prompt": ""}, "/prompt"),
    ("agent", {"agent": "a", "prompt": "p", "prompt_type": "chat"}, "/prompt_type"),
    ("agent", {"agent": "a", "prompt": "p", "max_attempts": 101}, "/max_attempts"),
    ("agent", {"agent": "a", "prompt": "p", "schema": {"$schema": "http://json-schema.org/draft-07/schema#"}},
     "/schema/$schema"),
    ("workflow", {}, ""),
    ("workflow", {"workflow": "${inputs.which}"}, "/workflow"),
    ("workflow", {"workflow": "a b"}, "/workflow"),
    ("workflow", {"workflow": "a", "inputs": []}, "/inputs"),
])  # fmt: skip
def test_bad_settings(kind: str, settings: dict[str, Any], pointer: str) -> None:
    found = faults_of({"nodes": {"a": {"type": kind, "with": settings}}})
    assert {fault.pointer for fault in found} == {HERE + pointer}


def test_every_type_tells_people_what_it_takes() -> None:
    for name in registry.names():
        if name == "say":
            continue
        kind = registry.get(name)
        assert kind.about.endswith("."), name
        assert kind.schema["type"] == "object", name
        for setting, part in kind.schema.get("properties", {}).items():
            assert part["description"].endswith("."), (name, setting)


# --- where people read of them ---------------------------------------------------------------------------------------


def test_the_types_are_published(alice: Person, carol: Person) -> None:
    answer = carol.client.get("/api/v1/schemas/node-types")
    assert answer.status_code == 200
    assert answer.json()["kind"] == "node_types"
    found = {item["name"]: item for item in answer.json()["items"]}
    assert list(found) == registry.names()
    assert found["say"] == {"name": "say", "about": "", "schema": SAY}
    again = alice.client.get("/api/v1/schemas/node-types", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert alice.client.get("/api/v1/schemas/node-types?x=1").status_code == 422
    assert Client().get("/api/v1/schemas/node-types").status_code == 401


def test_every_type_is_on_a_page() -> None:
    pages = [path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("nodes*.md"))]
    sections = dict(re.findall(r"^##+ `(\w+)`\n(.*?)(?=^##|\Z)", "\n".join(pages), re.DOTALL | re.MULTILINE))
    assert set(sections) >= set(registry.names()) - {"say"}


def test_the_page_lists_each_setting_as_its_schema_does() -> None:
    page = (DOCS / "nodes.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^##+ `(\w+)`\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE))
    for name, section in sections.items():
        kind = registry.get(name)
        assert section.split("\n\n")[0].strip() == kind.about
        needed = kind.schema.get("required", [])
        assert re.findall(r"^\| `.*", section, re.MULTILINE) == [
            f"| `{setting}` |{' yes' if setting in needed else ''} | {part['description']} |"
            for setting, part in kind.schema.get("properties", {}).items()
        ]
