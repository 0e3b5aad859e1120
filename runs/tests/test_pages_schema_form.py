"""Forms made of a JSON Schema: which fields, and what becomes of what was typed."""

from typing import Any

import pytest
from django import forms

from runs.pages.schema_form import SchemaForm


def schema(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def typed(form_schema: dict[str, Any] | None, **data: Any) -> SchemaForm:
    return SchemaForm(form_schema, {f"answer-{name}": value for name, value in data.items()}, whole="answer")


def field(form_schema: dict[str, Any], name: str = "x") -> forms.Field:
    return SchemaForm(form_schema, whole="answer").fields[f"answer-{name}"]


@pytest.mark.parametrize(
    ("inner", "text", "value"),
    [
        ({"type": "string"}, " a ", " a "),
        ({"type": "integer"}, "3", 3),
        ({"type": "number"}, "2.5", 2.5),
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, "no", False),
        ({"type": "boolean", "default": True}, "on", True),
        ({"type": "boolean", "default": True}, "", False),
        ({"enum": ["a", 2]}, "2", 2),
        ({"enum": ["a", 2]}, '"a"', "a"),
        ({"type": "array", "items": {"type": "string"}}, "a\r\n\r\n b", ["a", "b"]),
        ({"type": "array", "items": {"type": "integer"}}, "1\n2", [1, 2]),
        ({"type": "array", "items": {"type": "object"}}, '[{"a": 1}]', [{"a": 1}]),
        ({"type": "object"}, '{"a": [1]}', {"a": [1]}),
        ({"type": ["string", "null"]}, "a", "a"),
        ({}, "[1]", [1]),
    ],
)
def test_values_have_the_type_that_the_schema_names(inner: dict[str, Any], text: str, value: Any) -> None:
    form = typed(schema(x=inner), x=text)
    assert form.is_valid(), form.errors
    assert form.value() == {"x": value}


@pytest.mark.parametrize(
    "inner",
    [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"enum": ["a"]}, {"type": "object"},
     {"type": "array", "items": {"type": "string"}}],
)  # fmt: skip
def test_what_was_left_empty_is_not_answered(inner: dict[str, Any]) -> None:
    form = typed(schema(x=inner))
    assert form.is_valid(), form.errors
    assert form.value() == {}


@pytest.mark.parametrize(
    ("inner", "text"),
    [({"type": "integer"}, "three"), ({"type": "integer", "maximum": 5}, "6"), ({"type": "number", "minimum": 1}, "0"),
     ({"type": "object"}, "{"), ({"type": "object"}, "[1]"), ({"type": "object"}, '{"a": 1, "a": 2}'),
     ({"enum": ["a"]}, "b"), ({"type": "array", "items": {"type": "integer"}}, "1\nx"),
     ({"type": "string", "maxLength": 2}, "abc"), ({"type": "string"}, "a\x00")],
)  # fmt: skip
def test_what_cannot_be_read_is_a_fault_at_the_field(inner: dict[str, Any], text: str) -> None:
    form = typed(schema(x=inner), x=text)
    assert not form.is_valid()
    assert list(form.errors) == ["answer-x"]


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ({"type": "integer"}, "9007199254740993"),
        ({"type": "number"}, "1e22"),
        ({"type": "array", "items": {"type": "integer"}}, f"1\n{'9' * 30}"),
        ({"type": "array", "items": {"type": "number"}}, "nan"),
        ({"type": "object"}, '{"a": [1e22]}'),
        ({"type": "object"}, '{"a": "\\ud800"}'),
    ],
)
def test_what_could_not_be_kept_as_it_is_is_refused(inner: dict[str, Any], text: str) -> None:
    """The API refuses it, too: a row with such a number could never be written as JSON again."""
    form = typed(schema(x=inner), x=text)
    assert not form.is_valid()
    assert list(form.errors) == ["answer-x"]


def test_a_name_that_looks_like_a_place_is_no_other_field() -> None:
    form = typed(schema(**{"0": {"type": "string"}, "é": {"type": "string"}}), **{"0": "v"})
    assert len(form.fields) == 2


def test_required_fields_come_first_and_must_be_filled() -> None:
    form = typed(schema(("z", "b"), a={"type": "string"}, b={"type": "string"}, z={"type": "integer"}))
    assert list(form.fields) == ["answer-z", "answer-b", "answer-a"]
    assert not form.is_valid()
    assert list(form.errors) == ["answer-z", "answer-b"]


def test_words_of_the_schema_are_those_of_the_form() -> None:
    made = field(schema(x={"type": "string", "title": "Headline", "description": "As readers see it", "default": "T"}))
    assert (made.label, made.help_text, made.initial) == ("Headline", "As readers see it", "T")
    assert field(schema(cover_text={"type": "string"}), "cover_text").label == "Cover text"


def test_a_default_is_chosen_in_a_list() -> None:
    html = str(SchemaForm(schema(x={"enum": ["a", "b"], "default": "b"}), whole="answer"))
    assert '<option value="&quot;b&quot;" selected>' in html


def test_a_reference_is_followed() -> None:
    form = typed({**schema(x={"$ref": "#/$defs/size"}), "$defs": {"size": {"type": "integer"}}}, x="4")
    assert form.is_valid()
    assert form.value() == {"x": 4}


def test_values_that_are_there_are_shown() -> None:
    known = {"n": 3, "list": ["a", "b"], "obj": {"a": 1}, "yes": False}
    made = SchemaForm(
        schema(n={"type": "integer"}, list={"type": "array", "items": {"type": "string"}}, obj={"type": "object"},
               yes={"type": "boolean"}),
        whole="answer", initial=known,
    )  # fmt: skip
    html = str(made)
    assert 'value="3"' in html
    assert "a\nb" in html
    assert "{\n  &quot;a&quot;: 1\n}" in html
    assert '<option value="no" selected>' in html


@pytest.mark.parametrize("form_schema", [None, {}, {"type": "object"}, {"properties": 3}])
def test_without_properties_all_of_it_is_json(form_schema: Any) -> None:
    form = SchemaForm(form_schema, {"answer": '{"a": 1}'}, whole="answer")
    assert form.is_valid()
    assert form.value() == {"a": 1}
    assert SchemaForm(form_schema, {"answer": ""}, whole="answer").is_valid()


def test_a_property_may_have_any_name() -> None:
    form = SchemaForm(schema(**{'a "b" <c>': {"type": "string"}}), {"answer.0": "v"}, whole="answer")
    assert form.is_valid()
    assert form.value() == {'a "b" <c>': "v"}


def test_what_the_service_found_is_told_at_its_field_or_above_the_form() -> None:
    form = typed(schema(x={"type": "string"}), x="a")
    assert form.is_valid()
    form.add_faults({"answer/x/0": ["Too short."], "answer": ["Too few."], "other": ["Unheard of."]}, "No.")
    assert form.errors["answer-x"] == ["Too short."]
    assert form.non_field_errors() == ["Too few.", "other: Unheard of."]
