"""A node that is executed once for each item of a list, a few at a time."""

from typing import Any

import pytest

from conftest import Person
from runs.engine import worker
from runs.models import Run, RunEvent, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, Waiting
from runs.services import approvals, executions, items, progress
from runs.services.outcomes import Outcome
from runs.services.progress import Attempt, Fenced
from runs.tests.steps import (
    OTHER,
    carry,
    claim,
    fail,
    finish,
    hearing,
    in_order,
    lose,
    node_type,
    phases,
    race,
    start_graph,
    states,
)  # fmt: skip


def _mapped(person: Person, over: Any, concurrency: int | None = None, **node: Any) -> Run:
    about = {"over": "inputs.list"} | ({} if concurrency is None else {"concurrency": concurrency})
    nodes = {"m": {"type": "x", "map": about, **node}, "after": {"type": "x", "needs": ["m"]}}
    return start_graph(person, nodes, inputs={"list": over}, output="nodes.m")


def _double(context: NodeContext) -> NodeResult:
    if context.config.get("item") == "bad":
        raise NodeFailure("bad_item", "The item is bad.")
    return NodeResult({"is": context.config.get("item"), "at": context.config.get("index")}, "Done.")


SETTINGS = {"with": {"item": "${item}", "index": "${index}"}}


def _row(run: Run, name: str) -> RunNode:
    return RunNode.objects.get(run=run, node=name)


def _all(run: Run, count: int) -> list[Attempt]:
    return [claim(run, f"elsewhere:{number}:x") for number in range(count)]


@pytest.mark.parametrize("concurrency", [1, 2, 100])
def test_each_item_is_executed_once_and_the_outputs_are_in_the_order_of_the_list(
    alice: Person, concurrency: int
) -> None:
    with node_type("x", _double):
        run = carry(_mapped(alice, ["a", {"b": 1}, None, 4], concurrency, **SETTINGS))
    assert (run.status, run.output) == ("succeeded", {
        "items": [{"is": "a", "at": 0}, {"is": {"b": 1}, "at": 1}, {"is": None, "at": 2}, {"is": 4, "at": 3}],
        "failed": 0,
    })  # fmt: skip
    log = phases(run)
    assert (log[0], log[-3:]) == (
        ("m", "started"), [("m", "completed"), ("after", "started"), ("after", "completed")]
    )  # fmt: skip
    assert sorted(log[1:-3]) == sorted((f"m[{n}]", phase) for n in range(4) for phase in ("started", "completed"))
    in_order(run)


def test_the_order_of_the_outputs_is_not_that_of_the_ends(alice: Person) -> None:
    run = _mapped(alice, list("abc"))
    first, second, third = _all(run, 3)
    finish(third, by=third.name)
    finish(first, by=first.name)
    after = finish(second, by=second.name)
    assert after is not None
    assert after.execution.variables["nodes"]["m"]["items"] == [{"by": f"m[{n}]"} for n in range(3)]


def test_no_more_items_are_in_hand_than_it_says(alice: Person) -> None:
    run = _mapped(alice, list(range(5)), 2)
    first, second = _all(run, 2)
    assert progress.take(run.id, OTHER) is None
    run.refresh_from_db()
    assert (run.status, run.waiting_on) == ("running", None)
    assert _row(run, "m").waiting_on == {"kind": "items", "total": 5, "made": 2, "ended": 0, "bytes": 0}
    third = finish(first)
    assert third is not None
    assert (first.name, second.name, third.name) == ("m[0]", "m[1]", "m[2]")
    assert progress.take(run.id, OTHER) is None
    assert finish(second) is not None
    assert _row(run, "m").waiting_on == {"kind": "items", "total": 5, "made": 4, "ended": 2, "bytes": 4}


def test_an_item_that_is_tried_again_keeps_its_place(alice: Person) -> None:
    run = _mapped(alice, list("abc"), 1, retry={"max_attempts": 2, "delay_seconds": 60})
    assert fail(claim(run)) is None
    assert states(run) == {"m": "waiting", "m[0]": "pending"}
    run.refresh_from_db()
    assert run.status == "waiting"
    assert {each["kind"] for each in run.waiting_on} == {"items", "retry"}


def test_an_empty_list_is_done_at_once(alice: Person) -> None:
    with node_type("x", _double):
        run = carry(_mapped(alice, []))
    assert (run.status, run.output) == ("succeeded", {"items": [], "failed": 0})
    assert phases(run)[:2] == [("m", "started"), ("m", "completed")]
    in_order(run)


def test_empty_lists_one_behind_the_other(alice: Person) -> None:
    node = {"type": "x", "map": {"over": "inputs.list"}}
    nodes = {f"m{n}": {**node, "needs": [f"m{n - 1}"] if n else []} for n in range(4)}
    run = carry(start_graph(alice, nodes, inputs={"list": []}, output="nodes.m3.items"))
    assert (run.status, run.output) == ("succeeded", [])
    assert not set(states(run).values()) - {"completed"}


def test_a_failing_item_fails_the_node_and_stops_the_others(alice: Person) -> None:
    run = _mapped(alice, list("abcd"), 3)
    first, second, _ = _all(run, 3)
    finish(second)
    fail(first)
    run.refresh_from_db()
    assert (run.status, run.error["node"], run.error["code"], run.error["item"]) == ("failed", "m", "broken", 0)
    assert states(run) == {
        "m": "failed", "m[0]": "failed", "m[1]": "completed", "m[2]": "cancelled", "m[3]": "cancelled",
    }  # fmt: skip
    in_order(run)


def test_an_item_in_hand_is_fenced_when_another_one_has_failed(alice: Person) -> None:
    nodes = {"m": {"type": "x", "map": {"over": "inputs.list"}, "on_failure": {"fallback": "f"}}, "f": {"type": "x"}}
    run = start_graph(alice, nodes, inputs={"list": [1, 2]}, output="nodes.m")
    first, second = _all(run, 2)
    fallback = fail(first)
    assert fallback is not None
    assert fallback.name == "f"
    with pytest.raises(Fenced):
        finish(second)
    finish(fallback, instead=True)
    run.refresh_from_db()
    assert (run.status, run.output) == ("succeeded", {"instead": True})


def test_failing_items_may_be_passed_over(alice: Person) -> None:
    with node_type("x", _double):
        run = carry(_mapped(alice, ["a", "bad", "c", "bad"], 2, on_failure="continue", **SETTINGS))
    assert (run.status, run.output) == (
        "succeeded", {"items": [{"is": "a", "at": 0}, None, {"is": "c", "at": 2}, None], "failed": 2}
    )  # fmt: skip
    assert RunEvent.objects.get(run=run, node="m", phase="completed").summary == "2 of 4 items done."
    in_order(run)


@pytest.mark.parametrize("over", ["text", {"a": 1}, None, 5, True])
def test_what_is_no_list_fails_the_run(alice: Person, over: Any) -> None:
    run = carry(_mapped(alice, over))
    assert (run.status, run.error["node"], run.error["code"], states(run)) == (
        "failed",
        "m",
        "bad_map",
        {"m": "failed"},
    )
    assert "no list" in run.error["message"]
    in_order(run)


def test_too_many_items_fail_the_run(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MOST_ITEMS", 3)
    run = carry(_mapped(alice, [1, 2, 3, 4]))
    assert (run.status, run.error["code"]) == ("failed", "bad_map")
    assert "4 items; 3 is the most" in run.error["message"]


def test_a_list_that_cannot_be_evaluated_fails_the_run(alice: Person) -> None:
    run = carry(start_graph(alice, {"m": {"type": "x", "map": {"over": "length(inputs.none)"}}}))
    assert (run.status, run.error["code"]) == ("failed", "bad_map")


def test_lost_items_are_tried_again_and_poison_ends_the_run(alice: Person) -> None:
    run = _mapped(alice, [1])
    for _ in range(3):
        assert lose(claim(run))
    assert states(run) == {"m": "waiting", "m[0]": "pending"}
    assert lose(claim(run))
    run.refresh_from_db()
    assert (run.status, run.error["code"], run.error["node"]) == ("failed", "worker_lost", "m[0]")
    assert states(run) == {"m": "cancelled", "m[0]": "failed"}


def test_a_queue_is_that_of_the_items(alice: Person) -> None:
    run = _mapped(alice, [1, 2], queue="gpu")
    assert progress.take(run.id, OTHER) is None
    assert claim(run, queue="gpu").name == "m[0]"


def test_as_many_are_offered_as_may_begin(alice: Person, transactional_db: None) -> None:
    run = _mapped(alice, list(range(9)), 4)
    with hearing() as heard:
        first = claim(run)
    assert heard.offers == [(run.id, "", 3, 0)], "one is in hand already"
    with hearing() as heard:
        finish(first)
    assert heard.offers == [], "whoever ends one begins the next"
    with hearing() as heard:
        progress.finish(_all(run, 1)[0], Outcome("done", output={}), more=False)
    assert heard.offers == [(run.id, "", 1, 0)]


def test_items_that_end_at_once_are_all_counted(alice: Person, transactional_db: None) -> None:
    run = _mapped(alice, list(range(12)), 4)

    def work(number: int) -> bool:
        return worker.execute(run.id, f"elsewhere:{number}:x")

    with node_type("x", _double):
        answers = race(*(lambda number=number: work(number) for number in range(4)))
        assert not [answer for answer in answers if isinstance(answer, Exception)], answers
        executions.forget()
        while worker.execute(run.id, OTHER):
            pass
    run.refresh_from_db()
    assert (run.status, len(run.output["items"])) == ("succeeded", 12)
    assert RunEvent.objects.filter(run=run, phase="completed").count() == 14
    in_order(run)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_knows_the_run_as_of_before_it_was_pushed_back_has_the_new_list(alice: Person) -> None:
    def ask(context: NodeContext) -> Waiting:
        return Waiting({"kind": "approval"}, "Waiting.")

    def make(context: NodeContext) -> NodeResult:
        return NodeResult({"list": [context.attempt]}, "Made.")

    nodes = {
        "l": {"type": "make"},
        "m": {"type": "x", "needs": ["l"], "queue": "other", "map": {"over": "nodes.l.list"}, **SETTINGS},
        "review": {"type": "ask", "needs": ["l"]},
    }
    with node_type("x", _double), node_type("make", make), node_type("ask", ask):
        run = carry(start_graph(alice, nodes))
        known = executions._take(run.id)
        assert known is not None
        assert items.items_of(known, "m") == [1]
        approvals.reject(actor=alice.actor, run_id=run.id, node="review", comment="again", to="l")
        carry(run)
        executions.forget()
        executions.keep(known)
        attempt = claim(run, queue="other")
        assert (attempt.execution, worker.run_node(attempt).output) == (known, {"is": 2, "at": 0})
