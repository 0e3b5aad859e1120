"""Templates in settings: what is replaced by what, what stays, and what is refused."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from runs.workflows import templates
from runs.workflows.templates import TemplateError, fill, has_template

RUN: dict[str, Any] = {
    "inputs": {"n": 3, "name": "Zoë", "list": [1, "}"], "null": None, "big": "x" * 1_000_000, "yes": True},
    "nodes": {"a": {"total": 1.5}, "b-c": {"x": {"y": "deep"}}},
    "errors": {"d": {"code": "timeout", "message": "It took too long."}},
    "item": {"id": 7},
    "index": 2,
    "run": {"id": "r", "workflow": "w"},
}


@pytest.mark.parametrize(("text", "value"), [
    ("plain", "plain"),
    ("${inputs.n}", 3),
    ("${ inputs.n }", 3),
    ("${inputs.list}", [1, "}"]),
    ("${inputs.missing}", None),
    ("${inputs.yes}", True),
    (" ${inputs.n}", " 3"),
    ("${inputs.n}${nodes.a.total}", "31.5"),
    ("Hello ${inputs.name}!", "Hello Zoë!"),
    ("<${inputs.null}>", "<>"),
    ("<${inputs.list}>", '<[1,"}"]>'),
    ("<${inputs.yes}>", "<true>"),
    ("${item.id}/${index}", "7/2"),
    ("${errors.d.code}", "timeout"),
    ("${run.workflow}", "w"),
    ('${nodes."b-c".x.y}', "deep"),
    ("${ {a: inputs.n, b: {c: `1`}} }", {"a": 3, "b": {"c": 1}}),
    ("${'}'}", "}"),
    ("${'it\\'s }'}", "it's }"),
    ('${`"}"`}', "}"),
    ('${"}"}', None),
    ("${`{\"a\": \"{\"}`}", {"a": "{"}),
    ("$${inputs.n}", "${inputs.n}"),
    ("$${ and ${inputs.n}", "${ and 3"),
    ("$$${inputs.n}", "$${inputs.n}"),
    ("${'$'}${inputs.n}", "$3"),
    ("$", "$"),
    ("a $ {b} }", "a $ {b} }"),
    ("${inputs.list[?@ == `1`] | [0]}", 1),
])  # fmt: skip
def test_a_string_is_filled_in(text: str, value: Any) -> None:
    assert fill(text, RUN) == value
    assert type(fill(text, RUN)) is type(value)
    assert fill({"a": [{"b": text}]}, RUN) == {"a": [{"b": value}]}
    assert list(templates.faults(text)) == []


def test_the_rest_of_a_document_stays() -> None:
    document = {"${inputs.n}": 1, "a": [None, True, 1.5, {"b": []}], "": "${inputs.n}"}
    assert fill(document, RUN) == {**document, "": 3}
    assert document[""] == "${inputs.n}"


def test_values_are_not_read_again() -> None:
    run = {"inputs": {"evil": "${inputs.secret}", "secret": "s"}}
    assert fill(["${inputs.evil}", "> ${inputs.evil}"], run) == ["${inputs.secret}", "> ${inputs.secret}"]


@pytest.mark.parametrize(("text", "piece"), [
    ("${", 'The "${" at character 1 has no end'),
    ("ab ${inputs.n", "at character 4"),
    ("${inputs.n} ${'}", "at character 13"),
    ("${{}", "at character 1"),
    ("${" + "a" * 2001 + "}", "has no end in the next 2000"),
    ("${a}" * 2001, "more than 1000 templates"),
    ("${}", "ends too soon"),
    ("${inputs.}", 'In "${inputs.}": This is not JMESPath'),
    ("x ${inputs n} y", '"n" is not expected at character 8'),
    ("${lenght(inputs)}", 'Did you mean "length"?'),
])  # fmt: skip
def test_a_bad_template_is_told_and_not_filled_in(text: str, piece: str) -> None:
    for document, path in ((text, ()), ({"a/b": [1, text]}, ("a/b", 1))):
        ((place, told), *_) = templates.faults(document)
        assert place == path
        assert piece in told
        with pytest.raises(TemplateError) as caught:
            fill(document, RUN)
        assert caught.value.pointer == ("/a~1b/1" if path else "")
        assert caught.value.message == str(caught.value) == told


def test_an_expression_without_a_value_is_told_at_its_place() -> None:
    with pytest.raises(TemplateError, match=r"length\(\) takes string or array or object, not number") as caught:
        fill({"url": {"path": ["${length(inputs.n)}"]}}, RUN)
    assert caught.value.pointer == "/url/path/0"


def test_what_grows_too_large_or_too_deep_is_refused() -> None:
    assert len(fill(["${inputs.big}"] * 4, RUN)) == 4
    for document in (["${inputs.big}"] * 5, "${inputs.big}" * 5, ["a", {"b": "${[inputs.big, inputs.big]}"}] * 3):
        with pytest.raises(TemplateError, match="larger than 4 MiB"):
            fill(document, RUN)
    nested: Any = "${nodes}"
    for _ in range(62):
        nested = [nested]
    with pytest.raises(TemplateError, match="nested more than 64"):
        fill(nested, RUN)


def test_many_templates_together_are_bounded() -> None:
    rows = {"inputs": {"rows": [{"x": number} for number in range(20_000)]}}
    begun = time.process_time()
    with pytest.raises(TemplateError, match="takes too long"):
        fill([f"${{length(inputs.rows[?x > `{number}`])}}" for number in range(1000)], rows)
    assert time.process_time() - begun < 10


def test_expressions_are_listed_with_their_places() -> None:
    document = {"a": "${x} and ${ y }", "b": ["$${z}", "${", {"c": "${`1`}"}], "d": 5}
    assert list(templates.expressions(document)) == [(("a",), "x"), (("a",), " y "), (("b", 2, "c"), "`1`")]


@pytest.mark.parametrize(("text", "found"), [
    ("", False), ("$", False), ("{}", False), ("${a}", True), ("x ${a}", True), ("$${a}", False), ("$$${a}", False),
    ("$${a} ${b}", True), ("${", True), ("${a}$${b}", True),
])  # fmt: skip
def test_whether_a_text_has_a_template(text: str, found: bool) -> None:
    assert has_template(text) is found


LITERAL = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("${}'`\"\\"), max_size=30)


@given(LITERAL)
def test_any_text_can_be_written(text: str) -> None:
    written = text.replace("${", "$${")
    assert not has_template(written)
    assert fill(written, RUN) == text


@given(LITERAL, LITERAL, LITERAL)
def test_any_string_can_stand_in_an_expression(before: str, inside: str, after: str) -> None:
    literal = json.dumps(inside).replace("`", "\\`")
    before, after = before.rstrip("$").replace("${", "$${"), after.replace("${", "$${")
    text = f"{before}${{`{literal}`}}{after}"
    assert fill(text, RUN) == f"{fill(before, RUN)}{inside}{fill(after, RUN)}"
    assert list(templates.expressions(text)) == [((), f"`{literal}`")]


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@given(st.text("${}'`\"\\ab.[]@", max_size=40))
def test_a_text_without_faults_is_filled_in_or_has_no_value(text: str) -> None:
    with contextlib.suppress(TemplateError):
        fill(text, {"a": {"b": [1]}})
        assert not list(templates.faults(text))
    assert has_template(text) or fill(text, {}) == text.replace("$${", "${")
