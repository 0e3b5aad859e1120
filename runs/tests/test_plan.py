"""The pure plan, by examples; test_plan_walks.py walks random graphs."""

import graphlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from runs.engine.plan import Graph, NodeState, Plan, Unplannable, learn, passes, plan as plan_of, variables_of
from runs.tests.model import Case, cases
from runs.workflows.evaluation import EvaluationError

COMPLETED, SKIPPED = NodeState("completed", 1, {}), NodeState("skipped")
FAILED, RUNNING = NodeState("failed", 1, error={"code": "broken", "message": "It broke."}), NodeState("running", 1)
DIAMOND = {"nodes": {"a": {}, "b": {"needs": ["a"]}, "c": {"needs": ["a"]}, "d": {"needs": ["b", "c"]}}}


def plan(definition: Mapping[str, Any], inputs: Mapping[str, Any], states: Mapping[str, NodeState]) -> Plan:
    graph = Graph(definition)
    return plan_of(graph, states, variables_of(graph, inputs, states))


def with_when(expression: str, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    nodes: dict[str, Any] = {need: {} for need in needs}
    return {"nodes": {**nodes, "x": {"needs": list(needs), "when": expression}}}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, Plan(("a",))),
        ({"a": NodeState("running", 1)}, Plan()),
        ({"a": COMPLETED}, Plan(("b", "c"))),
        ({"a": COMPLETED, "b": COMPLETED}, Plan(("c",))),
        ({"a": COMPLETED, "b": COMPLETED, "c": NodeState("running", 1)}, Plan()),
        ({"a": COMPLETED, "b": COMPLETED, "c": SKIPPED}, Plan(("d",))),
        ({"a": NodeState("failed", 1)}, Plan()),
        ({"a": COMPLETED, "b": NodeState("failed", 1), "c": COMPLETED}, Plan()),
        ({"a": COMPLETED, "b": NodeState("cancelled", 1), "c": COMPLETED}, Plan()),
        (dict.fromkeys("abcd", COMPLETED), Plan(finished=True)),
        ({"a": COMPLETED, "b": COMPLETED, "c": SKIPPED, "d": COMPLETED}, Plan(finished=True)),
        ({"a": COMPLETED, "b": COMPLETED, "c": COMPLETED, "d": NodeState("failed", 1)}, Plan()),
    ],
)
def test_a_diamond(states: dict[str, NodeState], expected: Plan) -> None:
    assert plan(DIAMOND, {}, states) == expected


def test_a_skip_is_handed_on_until_something_completed_is_needed_too() -> None:
    definition = {"nodes": {
        "a": {"when": "inputs.wanted"}, "b": {"needs": ["a"]}, "c": {"needs": ["b"]}, "free": {},
        "d": {"needs": ["c", "free"]},
    }}  # fmt: skip
    step = plan(definition, {"wanted": False}, {})
    assert list(step.skipped) == ["a", "b", "c"]
    assert step.ready == ("free",)
    assert "a" in step.skipped["b"]
    later = {**dict.fromkeys("abc", SKIPPED), "free": COMPLETED}
    assert plan(definition, {"wanted": False}, later).ready == ("d",)


def test_a_graph_of_which_all_is_skipped_is_finished() -> None:
    step = plan(with_when("`false`"), {}, {})
    assert (list(step.skipped), step.ready, step.finished) == (["x"], (), True)


@pytest.mark.parametrize(
    ("expression", "ready"),
    [
        ("inputs.n > `2`", True), ("inputs.n > `5`", False), ("nodes.a.found", True), ("nodes.a.missing", False),
        ("length(nodes.a.list) == `0`", True), ("nodes.a.list", False), ("nodes.b", False), ("nodes.skipped", False),
        ("`0`", False), ("`1`", True),
    ],
)  # fmt: skip
def test_conditions_see_inputs_and_outputs(expression: str, ready: bool) -> None:
    """Null, false, 0 and what is empty do not hold."""
    definition = {"nodes": {"a": {}, "skipped": {}, "x": {"needs": ["a"], "when": expression}}}
    states = {"a": NodeState("completed", 1, {"found": "yes", "list": []}), "skipped": SKIPPED}
    step = plan(definition, {"n": 3}, states)
    assert (step.ready, list(step.skipped)) == ((("x",), []) if ready else ((), ["x"]))


@pytest.mark.parametrize("expression", ["length(nodes.a.nothing) > `0`", "no_such_function(@)", "inputs.["])
def test_a_condition_that_makes_no_sense_names_its_node(expression: str) -> None:
    with pytest.raises(Unplannable) as caught:
        plan(with_when(expression, ("a",)), {}, {"a": COMPLETED})
    assert caught.value.node == "x"
    assert "'x'" in str(caught.value)
    assert isinstance(caught.value.__cause__, EvaluationError)


def test_a_condition_is_not_asked_before_its_time() -> None:
    assert plan(with_when("length(nodes.a.list) > `0`", ("a",)), {}, {}) == Plan(("a",))


def test_a_cycle_is_named() -> None:
    with pytest.raises(graphlib.CycleError, match="cycle"):
        Graph({"nodes": {"a": {"needs": ["b"]}, "b": {"needs": ["a"]}}})


def test_the_order_is_that_of_the_definition_among_equals() -> None:
    graph = Graph({"nodes": {"z": {"needs": ["m"]}, "b": {}, "m": {}, "a": {"needs": ["b"]}}})
    assert graph.order == ("b", "m", "z", "a")


def test_expressions_speak_of_outputs_errors_and_the_run() -> None:
    graph = Graph({"nodes": {name: {} for name in "abcd"}})
    states = {"a": NodeState("completed", 1, {"x": 1}), "b": SKIPPED, "c": FAILED, "d": NodeState("completed")}
    assert variables_of(graph, {"n": 1}, states, {"id": "r"}) == {
        "inputs": {"n": 1}, "nodes": {"a": {"x": 1}, "d": {}}, "run": {"id": "r"},
        "errors": {"c": {"code": "broken", "message": "It broke."}},
    }  # fmt: skip


# --- failures ------------------------------------------------------------------------------------------------------


HELPED = {"nodes": {
    "x": {"on_failure": {"fallback": "f"}}, "f": {}, "after": {"needs": ["x"]}, "beside": {"needs": ["f"]},
}}  # fmt: skip


@pytest.mark.parametrize(
    ("states", "ready", "skipped"),
    [
        ({}, ("x",), []),
        ({"x": RUNNING}, (), []),
        ({"x": COMPLETED}, ("after",), ["f", "beside"]),
        ({"x": FAILED}, ("f",), []),
        ({"x": FAILED, "f": RUNNING}, (), []),
        ({"x": FAILED, "f": COMPLETED}, ("after", "beside"), []),
        ({"x": FAILED, "f": FAILED}, (), []),
        ({"x": FAILED, "f": SKIPPED}, (), ["beside"]),
        ({"x": SKIPPED}, (), ["f", "after", "beside"]),
        ({"x": NodeState("cancelled")}, (), []),
    ],
)
def test_a_fallback(states: dict[str, NodeState], ready: tuple[str, ...], skipped: list[str]) -> None:
    found = plan(HELPED, {}, states)
    assert (found.ready, list(found.skipped)) == (ready, skipped)


def test_what_follows_a_failure_that_is_passed_over_goes_on() -> None:
    definition = {"nodes": {"x": {"on_failure": "continue"}, "after": {"needs": ["x"]}}}
    assert plan(definition, {}, {"x": FAILED}).ready == ("after",)
    assert plan(definition, {}, {"x": NodeState("cancelled")}).ready == ()


@pytest.mark.parametrize("names", ["xfg", "gfx", "fxg"], ids="".join)
def test_a_fallback_may_have_a_fallback_wherever_it_stands(names: str) -> None:
    """Its end is looked at for what follows the first one, and its output is also the first one's."""
    helped = {"x": {"on_failure": {"fallback": "f"}}, "f": {"on_failure": {"fallback": "g"}}, "g": {}}
    graph = Graph({"nodes": {**{name: helped[name] for name in names}, "after": {"needs": ["x"]}}})
    states = {"x": FAILED, "f": FAILED, "g": NodeState("completed", 1, {"by": "g"})}
    variables = variables_of(graph, {}, states)
    assert passes(graph, states, "x")
    assert plan_of(graph, states, variables, after=["g"]).ready == ("after",)
    assert variables["nodes"] == {name: {"by": "g"} for name in "xfg"}


@given(cases(most=10))
def test_the_order_puts_what_is_waited_for_first_and_is_always_the_same(case: Case) -> None:
    found = Graph({"nodes": case.nodes}).order
    assert sorted(found) == sorted(case.nodes)
    for name in found:
        assert all(found.index(need) < found.index(name) for need in case.nodes[name]["needs"])
    for fallback, helped in case.fallback_for.items():
        assert found.index(helped) < found.index(fallback)
    assert Graph({"nodes": case.nodes}).order == found


def test_what_is_known_of_a_node_that_was_done_again_is_its_last_state() -> None:
    """Also where the states in between were not seen."""
    done, broken = NodeState("completed", output={"x": 1}), NodeState("failed", error={"code": "c", "message": "m"})
    found = Graph({"nodes": {"a": {"type": "t"}}})
    for last, nodes, errors in (
        (NodeState("skipped"), {}, {}),
        (broken, {}, {"a": {"code": "c", "message": "m"}}),
        (done, {"a": {"x": 1}}, {}),
    ):
        for first in (done, broken):
            variables = variables_of(found, {}, {"a": first})
            learn(variables, found, "a", last)
            assert (variables["nodes"], variables["errors"]) == (nodes, errors)


def test_a_fallback_that_is_done_again_takes_its_output_back_everywhere() -> None:
    found = Graph({"nodes": {"a": {"type": "t", "on_failure": {"fallback": "b"}}, "b": {"type": "t"}}})
    states = {"a": NodeState("failed", error={"code": "c"}), "b": NodeState("completed", output={"x": 1})}
    variables = variables_of(found, {}, states)
    assert variables["nodes"] == {"a": {"x": 1}, "b": {"x": 1}}
    learn(variables, found, "b", NodeState("pending"))
    assert variables["nodes"] == {}
    learn(variables, found, "a", NodeState("completed", output={"x": 2}))
    learn(variables, found, "b", NodeState("skipped"))
    assert variables["nodes"] == {"a": {"x": 2}}
