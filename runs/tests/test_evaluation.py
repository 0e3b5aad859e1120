"""JMESPath within bounds: what expressions give, and those that would take a worker's memory or time."""

import contextlib
import time
from typing import Any

import jmespath
import pytest
from hypothesis import given, strategies as st

from runs.workflows.evaluation import DEEPEST, MAX_BYTES, Effort, EvaluationError, search, size_of

RUN: dict[str, Any] = {
    "inputs": {"n": 3, "name": "Zoë", "list": list(range(50_000)), "long": "x" * 1_000_000},
    "nodes": {"a": {"rows": [{"x": number % 7, "y": str(number)} for number in range(5000)]}, "b-c": {"none": None}},
}


@pytest.mark.parametrize("expression", [
    "inputs.n", "nodes.missing.deep", 'nodes."b-c".none', "length(inputs.list)",
    "nodes.a.rows[?x > `5`].{a: x, b: [y]}",
    "nodes.a.rows[*].y | sort(@) | [:3]", "max_by(nodes.a.rows, &to_number(y))", "join('-', nodes.a.rows[:3].y)",
    "map(&x, nodes.a.rows[:9])", "merge(inputs.missing || `{}`, {a: inputs.n})", "to_string(nodes.a.rows[0])",
    "nodes.*.rows[][].x | [::500]", "keys(nodes) | reverse(@)", "not_null(inputs.none, inputs.name)", "!inputs.n",
])  # fmt: skip
def test_a_value_is_the_one_of_the_library(expression: str) -> None:
    assert search(expression, RUN) == jmespath.search(expression, RUN)


@pytest.mark.parametrize(("expression", "piece"), [
    ("inputs.", "This is not JMESPath"),
    ("lenght(@)", 'no function "lenght"'),
    ("length(inputs.n)", "length() takes string or array or object, not number."),
    ("sum(nodes.a.rows)", "sum() takes array-number, not dict."),
    ("abs(`1`, `2`)", "Expected 1 argument"),
    ("inputs.list[::0]", "cannot be evaluated"),
    ("to_number('nan')", "not JSON"),
    ("[to_number('-inf')]", "not JSON"),
    (f"to_number('{'9' * 30}')", "not JSON"),
    ("&inputs", "not JSON"),
    ("{a: &inputs}", "not JSON"),
])  # fmt: skip
def test_no_value_is_told_in_a_sentence(expression: str, piece: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        search(expression, RUN)
    assert piece in str(caught.value)
    assert str(caught.value).endswith((".", "?"))
    assert len(str(caught.value)) < 400


BOMBS = [
    "|".join(["[@, @]"] * 60),
    "|".join(["{a: @, b: @}"] * 60),
    "inputs.list|" + "|".join(["[@, @][]"] * 60),
    "inputs.long|" + "|".join(["join('', [@, @, @, @])"] * 30),
    "join(inputs.long, inputs.list[*].'x')",
    "inputs.list[*].join('', ['" + "y" * 1500 + "', 'z'])|length(@)",
    "map(&'" + "y" * 1500 + "', inputs.list)|length(@)",
    "inputs.long|" + "|".join(["to_string([@])"] * 60),
    "inputs.list|" + "|".join(["[?@ != 'a']"] * 30),
    "inputs.list|" + "|".join(["[*].[@][]"] * 20),
    "inputs.list[*].contains(`[" + ",".join("1" for _ in range(900)) + "]`, @)|length(@)",
]


@pytest.mark.parametrize("number", range(len(BOMBS)))
def test_what_multiplies_is_stopped(number: int) -> None:
    begun = time.process_time()
    with pytest.raises(EvaluationError):
        search(BOMBS[number], RUN)
    assert time.process_time() - begun < 10  # about 3 seconds at most, and machines differ


def test_several_expressions_share_their_effort() -> None:
    effort = Effort()
    search("nodes.a.rows[*].x", RUN, effort)
    left = effort.left
    search("nodes.a.rows[*].x", RUN, effort)
    assert left - effort.left == Effort().left - left > 5000
    effort.left = 10
    with pytest.raises(EvaluationError, match="takes too long"):
        search("nodes.a.rows[*].x", RUN, effort)


def test_a_value_has_its_limits() -> None:
    rows = {"inputs": {"rows": ["x" * 1000] * 5000}}
    with pytest.raises(EvaluationError, match="larger than 4 MiB"):
        search("inputs.rows", rows)
    assert search("length(inputs.rows)", rows) == 5000
    deep: Any = []
    for _ in range(DEEPEST):
        deep = [deep]
    assert search("inputs", {"inputs": deep}) == deep
    with pytest.raises(EvaluationError, match="nested more than 64"):
        search("inputs", {"inputs": [deep]})


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    SCALARS | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_a_size_is_about_that_of_the_text(value: Any) -> None:
    from_text = len(jmespath.search("to_string(@)", [value]))
    assert size_of(value) <= 3 * from_text + 3
    shared = [value] * 10
    assert size_of(shared) >= 10 * (size_of(value) - 1)
    with pytest.raises(EvaluationError, match="larger"):
        size_of(shared, size_of(shared) - 1)
    assert size_of(shared, size_of(shared)) <= MAX_BYTES


TEXT = st.text("ab.[]*?|&!<=,:(){}@`\"'\\ 0-", max_size=30)


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@given(TEXT, JSON)
def test_whatever_is_written_gives_json_or_a_sentence(expression: str, value: Any) -> None:
    with contextlib.suppress(EvaluationError):
        size_of(search(expression, {"a": value, "b": [value, value]}))
