"""What a failed node means for the rest of its run: the end, going on without it, or a fallback."""

from typing import Any

import pytest

from conftest import Person
from runs.models import Run, RunEvent, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult
from runs.tests.steps import carry, claim, fail, finish, in_order, node_type, phases, start_graph, states

OTHER = "elsewhere:2:other"


def _work(context: NodeContext) -> NodeResult:
    """Fails when it is told to; otherwise it says whose outputs and errors it was given."""
    if context.config.get("fail"):
        raise NodeFailure("broken", f"{context.node} broke.", {"by": context.node})
    return NodeResult({"by": context.node, "saw": sorted(context.outputs), **context.config}, "Done.")


def _carried(person: Person, nodes: dict[str, Any], **definition: Any) -> Run:
    nodes = {name: {"type": "work", **node} for name, node in nodes.items()}
    with node_type("work", _work):
        run = carry(start_graph(person, nodes, **definition))
    in_order(run)
    return run


BROKEN: dict[str, Any] = {"with": {"fail": True}}
ERROR = {"code": "broken", "message": "x broke."}


def test_a_failure_ends_the_run_and_cancels_what_is_beside_it(alice: Person) -> None:
    nodes = {name: {"type": "work", "needs": needs} for name, needs in
             {"a": [], "b": [], "c": [], "after": ["a"]}.items()}  # fmt: skip
    run = start_graph(alice, nodes)
    a, b = claim(run), claim(run, OTHER)
    fail(a)
    run.refresh_from_db()
    assert (run.status, run.error["node"], run.error["code"]) == ("failed", "a", "broken")
    assert states(run) == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    assert phases(run)[2:] == [("a", "failed"), ("b", "cancelled")], "c has never begun"
    assert RunNode.objects.get(run=run, node="b").lease_holder == ""
    assert b.name == "b"


@pytest.mark.parametrize("other", ["completed", "skipped", "failed"])
def test_a_join_waits_for_all_that_it_needs(alice: Person, other: str) -> None:
    b = {"completed": {}, "skipped": {"when": "`false`"}, "failed": {**BROKEN, "on_failure": "continue"}}[other]
    run = _carried(alice, {"a": {}, "b": b, "join": {"needs": ["a", "b"]}}, output="nodes.join.saw")
    assert (run.status, states(run)) == ("succeeded", {"a": "completed", "b": other, "join": "completed"})
    assert run.output == (["a", "b"] if other == "completed" else ["a"])
    assert phases(run)[-2:] == [("join", "started"), ("join", "completed")]


def test_a_skip_is_passed_on_and_says_why(alice: Person) -> None:
    nodes = {"a": {}, "b": {"needs": ["a"], "when": "`false`"}, "c": {"needs": ["b"]}, "d": {"needs": ["c", "a"]}}
    run = _carried(alice, nodes)
    assert states(run) == {"a": "completed", "b": "skipped", "c": "skipped", "d": "completed"}
    skips = dict(RunEvent.objects.filter(run=run, phase="skipped").values_list("node", "summary"))
    assert skips["c"] == "All that it needs was skipped: b."
    assert "condition" in skips["b"]


def test_what_follows_a_failure_that_is_passed_over_sees_the_error_and_no_output(alice: Person) -> None:
    told = {"with": {"code": "${errors.x.code}", "output": "${nodes.x}"}, "needs": ["x"]}
    nodes = {"x": {**BROKEN, "on_failure": "continue"}, "after": {**told, "when": "errors.x"}}
    run = _carried(alice, nodes, output="[errors.x, nodes.after]")
    assert (run.status, run.error) == ("succeeded", None)
    assert run.output == [ERROR, {"by": "after", "saw": [], "code": "broken", "output": None}]
    row = RunNode.objects.get(run=run, node="x")
    assert (row.status, row.output, row.error) == ("failed", None, {**ERROR, "details": {"by": "x"}})


def _with_fallback(fallback: dict[str, Any], broken: bool = True, **more: Any) -> dict[str, Any]:
    x = {**(BROKEN if broken else {}), "on_failure": {"fallback": "f"}}
    return {"f": fallback, "x": x, "after": {"needs": ["x"]}, **more}


def test_a_fallback_takes_the_place_of_the_node_that_failed(alice: Person) -> None:
    run = _carried(alice, _with_fallback({}), output="[nodes.x.by, nodes.f.by, errors.x.code, nodes.after.saw]")
    assert (run.status, run.output) == ("succeeded", ["f", "f", "broken", ["f", "x"]])
    assert phases(run) == [
        ("x", "started"), ("x", "failed"), ("f", "started"), ("f", "completed"), ("after", "started"),
        ("after", "completed"),
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["completed", "skipped"])
def test_a_fallback_that_is_not_needed_is_skipped(alice: Person, how: str) -> None:
    nodes = _with_fallback({}, broken=False)
    if how == "skipped":
        nodes["x"]["when"] = "`false`"
    run = _carried(alice, nodes)
    assert (run.status, states(run)) == ("succeeded", {"x": how, "f": "skipped", "after": how})
    assert RunEvent.objects.get(run=run, node="f").summary == "Not needed: 'x' did not fail."


def test_a_fallback_that_fails_ends_the_run(alice: Person) -> None:
    run = _carried(alice, _with_fallback(BROKEN))
    assert (run.status, run.error["node"], states(run)) == ("failed", "f", {"x": "failed", "f": "failed"})


def test_a_fallback_that_fails_may_be_passed_over(alice: Person) -> None:
    nodes = _with_fallback({**BROKEN, "on_failure": "continue"})
    run = _carried(alice, nodes, output="[errors.x.message, errors.f.message, nodes.x, nodes.after.by]")
    assert (run.status, run.output) == ("succeeded", ["x broke.", "f broke.", None, "after"])


@pytest.mark.parametrize("last", ["completed", "failed"])
def test_a_fallback_has_a_fallback(alice: Person, last: str) -> None:
    g = {} if last == "completed" else BROKEN
    run = _carried(alice, {"g": g, **_with_fallback({**BROKEN, "on_failure": {"fallback": "g"}})}, output="nodes.x.by")
    assert states(run) == {"x": "failed", "f": "failed", "g": last, **({"after": last} if last == "completed" else {})}
    assert (run.status, run.output) == (("succeeded", "g") if last == "completed" else ("failed", None))


def test_a_fallback_whose_condition_does_not_hold_leaves_the_failure_as_it_is(alice: Person) -> None:
    """The run fails with the failure of the node that it would have helped."""
    run = _carried(alice, _with_fallback({"when": "errors.x.code == 'another'"}))
    assert (run.status, run.error["node"], run.error["code"]) == ("failed", "x", "broken")
    assert states(run) == {"x": "failed", "f": "skipped"}


def test_what_needs_the_fallback_itself_follows_it(alice: Person) -> None:
    for broken, end in ((True, "completed"), (False, "skipped")):
        run = _carried(alice, _with_fallback({}, broken, beside={"needs": ["f"]}))
        assert (run.status, states(run)["beside"], states(run)["after"]) == ("succeeded", end, "completed")


def test_several_failures_are_passed_over_in_any_order(alice: Person) -> None:
    nodes = {name: {"type": "work", "on_failure": "continue"} for name in "abc"}
    run = start_graph(alice, {**nodes, "join": {"type": "work", "needs": list("abc")}}, output="keys(errors)")
    a, b, c = (claim(run, f"elsewhere:{number}:x") for number in range(3))
    assert fail(c) is None
    assert fail(a) is None
    join = fail(b)
    assert join is not None
    finish(join)
    run.refresh_from_db()
    assert (run.status, sorted(run.output)) == ("succeeded", ["a", "b", "c"])


def test_a_node_that_cannot_be_mapped_leaves_nothing_to_do_behind(alice: Person) -> None:
    """What would have become ready in the same step never does: nothing of an ended run is offered."""
    nodes = {"a": {}, "bad": {"needs": ["a"], "map": {"over": "inputs.none"}}, "beside": {"needs": ["a"]}}
    run = _carried(alice, nodes)
    assert (run.status, run.error["code"], states(run)) == ("failed", "bad_map", {"a": "completed", "bad": "failed"})
