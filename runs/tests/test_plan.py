"""The pure plan: examples, and random graphs walked against a model of four lines."""

import graphlib
from random import Random
from typing import Any

import jmespath.exceptions
import pytest
from hypothesis import given, strategies as st

from runs.engine import plan as plans
from runs.engine.plan import NodeState, Plan, Unplannable, order, outputs, plan
from runs.states import NodeStatus

COMPLETED, SKIPPED = NodeState("completed", 1, {}), NodeState("skipped")
DIAMOND = {"nodes": {"a": {}, "b": {"needs": ["a"]}, "c": {"needs": ["a"]}, "d": {"needs": ["b", "c"]}}}


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


@pytest.mark.parametrize("expression", ["length(nodes.a.nothing) > `0`", "no_such_function(@)", "inputs.[", ""])
def test_a_condition_that_makes_no_sense_names_its_node(expression: str) -> None:
    with pytest.raises(Unplannable) as caught:
        plan(with_when(expression, ("a",)), {}, {"a": COMPLETED})
    assert caught.value.node == "x"
    assert "'x'" in str(caught.value)
    assert isinstance(caught.value.__cause__, jmespath.exceptions.JMESPathError)


def test_a_condition_is_not_asked_before_its_time() -> None:
    assert plan(with_when("length(nodes.a.list) > `0`", ("a",)), {}, {}) == Plan(("a",))


def test_a_cycle_is_named() -> None:
    with pytest.raises(graphlib.CycleError, match="cycle"):
        order({"nodes": {"a": {"needs": ["b"]}, "b": {"needs": ["a"]}}})


def test_the_order_is_that_of_the_definition_among_equals() -> None:
    assert order({"nodes": {"z": {"needs": ["m"]}, "b": {}, "m": {}, "a": {"needs": ["b"]}}}) == ("b", "m", "z", "a")


def test_only_completed_nodes_have_outputs() -> None:
    states = {
        "a": NodeState("completed", 1, {"x": 1}),
        "b": SKIPPED,
        "c": NodeState("failed", 1, {"y": 2}),
        "d": NodeState("completed"),
    }
    assert outputs(states) == {"a": {"x": 1}, "d": {}}


# --- random graphs -------------------------------------------------------------------------------------------------


CONDITIONS: list[dict[str, Any]] = [{}, {}, {"when": "`false`"}, {"when": "`true`"}]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """Up to nine nodes, named in any order; a node needs some of those before it, and may have a condition."""
    drawn = draw(st.lists(st.tuples(st.integers(0, 255), st.sampled_from(CONDITIONS)), min_size=1, max_size=9))
    nodes = [
        (f"n{number}", {"needs": [f"n{need}" for need in range(number) if mask >> need & 1], **condition})
        for number, (mask, condition) in enumerate(drawn)
    ]
    draw(st.randoms(use_true_random=False)).shuffle(nodes)
    return {"nodes": dict(nodes)}


def model(definition: dict[str, Any]) -> dict[str, str]:
    """How each node ends when none fails, said as simply as it can be."""
    ends: dict[str, str] = {}

    def end(name: str) -> str:
        if name not in ends:
            node = definition["nodes"][name]
            needed = [end(need) for need in node["needs"]]
            skipped = node.get("when") == "`false`" or (needed and set(needed) == {"skipped"})
            ends[name] = "skipped" if skipped else "completed"
        return ends[name]

    for name in definition["nodes"]:
        end(name)
    return ends


@given(graphs(), st.integers(0, 2**32).map(Random))
def test_any_graph_walked_in_any_order_ends_as_the_model_says(definition: dict[str, Any], chance: Random) -> None:
    """Several nodes may run at once and finish in any order."""
    states: dict[str, NodeState] = {}
    started: list[str] = []
    running: list[str] = []
    while True:
        step = plan(definition, {}, states)
        assert not {*step.ready, *step.skipped} & states.keys(), "nothing is told twice"
        assert not step.finished or not (step.ready or running)
        states |= dict.fromkeys(step.skipped, SKIPPED)
        for name in chance.sample(step.ready, chance.randint(0, len(step.ready))):
            needs = definition["nodes"][name]["needs"]
            assert all(states[need].status in ("completed", "skipped") for need in needs)
            states[name] = NodeState("running", 1)
            started.append(name)
            running.append(name)
        if running:
            done = chance.choice(running)
            running.remove(done)
            states[done] = COMPLETED
        elif not plan(definition, {}, states).ready:
            break
    assert plan(definition, {}, states).finished
    assert {name: str(state.status) for name, state in states.items()} == model(definition)
    assert sorted(started) == sorted(name for name, end in model(definition).items() if end == "completed")


@given(graphs(), st.integers(0, 2**32).map(Random))
def test_behind_a_failed_node_nothing_starts(definition: dict[str, Any], chance: Random) -> None:
    broken = chance.choice(sorted(definition["nodes"]))
    states = {broken: NodeState(chance.choice([NodeStatus.FAILED, NodeStatus.CANCELLED, NodeStatus.RUNNING]), 1)}
    while ready := (step := plan(definition, {}, states)).ready:
        states |= {**dict.fromkeys(step.skipped, SKIPPED), ready[0]: COMPLETED}
    assert not plan(definition, {}, states).finished
    behind = {broken}
    for name in order(definition):
        if behind & set(definition["nodes"][name]["needs"]):
            behind.add(name)
    assert not (behind - {broken}) & states.keys()


@given(graphs())
def test_the_order_puts_needs_first_and_depends_on_nothing_else(definition: dict[str, Any]) -> None:
    found = order(definition)
    assert sorted(found) == sorted(definition["nodes"])
    for name in found:
        assert all(found.index(need) < found.index(name) for need in definition["nodes"][name]["needs"])
    plans._order.cache_clear()
    assert order(definition) == found
