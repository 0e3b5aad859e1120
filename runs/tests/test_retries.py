"""When a failed attempt is followed by another one."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
import time_machine
from hypothesis import given, strategies as st

from conftest import Person
from runs.engine import retry
from runs.models import RunEvent, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult
from runs.services import progress
from runs.tests.steps import (
    carry,
    claim,
    fail,
    finish,
    hearing,
    in_order,
    lose,
    node_type,
    phases,
    start_graph,
    states,
)  # fmt: skip

# --- pure ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "tried", "how", "expected"),
    [
        (None, 1, {}, None),
        ({}, 1, {}, None),
        ({"max_attempts": 1}, 1, {}, None),
        ({"max_attempts": 2}, 1, {}, 1),
        ({"max_attempts": 2}, 2, {}, None),
        ({"max_attempts": 9, "delay_seconds": 0}, 3, {}, 0),
        ({"max_attempts": 9, "delay_seconds": 3}, 3, {}, 12),
        ({"max_attempts": 9, "delay_seconds": 3, "multiplier": 1}, 8, {}, 3),
        ({"max_attempts": 9, "delay_seconds": 3, "multiplier": 10, "max_delay_seconds": 50}, 3, {}, 50),
        ({"max_attempts": 100, "delay_seconds": 86400, "multiplier": 10}, 99, {}, 86400),
        ({"max_attempts": 9}, 1, {"permanent": True}, None),
        ({"max_attempts": 9, "on": ["broken"]}, 1, {"permanent": True}, 1),
        ({"max_attempts": 9, "on": ["broken", "x"]}, 1, {}, 1),
        ({"max_attempts": 9, "on": ["timeout"]}, 1, {}, None),
        ({"max_attempts": 9, "on": ["timeout"]}, 1, {"permanent": True}, None),
        ({"max_attempts": 9}, 1, {"retry_after": 30}, 30),
        ({"max_attempts": 9, "delay_seconds": 60}, 1, {"retry_after": 30}, 60),
        ({"max_attempts": 9, "max_delay_seconds": 5}, 1, {"retry_after": 30}, 30),
        ({"max_attempts": 9}, 1, {"retry_after": 10**9}, 86400),
    ],
)
def test_the_delay(policy: Any, tried: int, how: dict[str, Any], expected: float | None) -> None:
    assert retry.delay(policy, tried, "broken", **how) == expected


@given(
    st.fixed_dictionaries({
        "max_attempts": st.just(100), "delay_seconds": st.floats(0, 86400), "multiplier": st.floats(1, 10),
        "max_delay_seconds": st.floats(0, 86400), "jitter": st.floats(0, 1),
    }),
    st.integers(1, 99), st.integers(0, 2**32).map(Random),
)  # fmt: skip
def test_jitter_adds_its_share_at_most_and_never_more_than_a_day(
    policy: dict[str, Any], tried: int, chance: Random
) -> None:
    without = retry.delay({**policy, "jitter": 0}, tried, "broken")
    found = retry.delay(policy, tried, "broken", chance=chance)
    assert without is not None
    assert found is not None
    assert without <= policy["max_delay_seconds"]
    assert without <= found <= min(without * (1 + policy["jitter"]) * 1.000001, 86400)


# --- a run ---------------------------------------------------------------------------------------------------------


def test_a_failed_attempt_is_followed_by_another_when_its_time_has_come(
    alice: Person, noon: time_machine.Traveller
) -> None:
    policy = {"max_attempts": 3, "delay_seconds": 10, "multiplier": 3}
    run = start_graph(alice, {"a": {"type": "x", "retry": policy}})
    for attempt, seconds in ((1, 10), (2, 30)):
        taken = claim(run)
        assert taken.state.attempts == attempt
        assert fail(taken) is None
        run.refresh_from_db()
        at = RunNode.objects.get(run=run).due_at
        told = f"{at:%Y-%m-%dT%H:%M:%S}.000000Z"
        assert (run.status, states(run)) == ("waiting", {"a": "pending"})
        assert run.waiting_on == [{"node": "a", "kind": "retry", "at": told, "error": "broken"}]
        noon.shift(timedelta(seconds=seconds, microseconds=-1))
        assert progress.take(run.id, "elsewhere:2:other") is None
        noon.shift(timedelta(microseconds=1))
    last = claim(run)
    run.refresh_from_db()
    assert (run.status, run.waiting_on, last.state.attempts, last.state.error) == ("running", None, 3, None)
    fail(last)
    run.refresh_from_db()
    assert (run.status, run.recoveries) == ("failed", 0)
    assert phases(run) == [("a", "started"), ("a", "retrying")] * 2 + [("a", "started"), ("a", "failed")]
    retrying = RunEvent.objects.filter(run=run, phase="retrying").order_by("sequence").first()
    assert retrying is not None
    assert retrying.payload["error"]["code"] == "broken"
    assert (retrying.payload["attempt"], retrying.payload["at"]) == (1, "2030-01-01T12:00:10.000000Z")
    in_order(run)


def test_the_workers_are_told_when_it_is_time(
    alice: Person, transactional_db: None, noon: time_machine.Traveller
) -> None:
    run = start_graph(alice, {"a": {"type": "x", "retry": {"max_attempts": 2, "delay_seconds": 10}}})
    attempt = claim(run)
    with hearing() as heard:
        fail(attempt)
    assert heard.offers == []
    assert heard.wakes == [RunNode.objects.get(run=run).due_at]


def test_without_a_delay_the_same_worker_goes_on_at_once(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "x", "retry": {"max_attempts": 2, "delay_seconds": 0}}})
    second = fail(claim(run))
    assert second is not None
    finish(second)
    run.refresh_from_db()
    assert (run.status, RunNode.objects.get(run=run).attempts) == ("succeeded", 2)


def test_the_rest_of_the_run_goes_on_meanwhile(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "x", "retry": {"max_attempts": 2}}, "b": {"type": "x"}})
    following = fail(claim(run))
    assert following is not None
    assert following.name == "b"
    run.refresh_from_db()
    assert (run.status, run.waiting_on) == ("running", None)


@pytest.mark.parametrize(
    ("policy", "failure", "status"),
    [
        ({"on": ["busy"]}, NodeFailure("busy", "Busy."), "pending"),
        ({"on": ["busy"]}, NodeFailure("broken", "Broken."), "failed"),
        ({}, NodeFailure("broken", "Broken.", permanent=True), "failed"),
        ({"on": ["broken"]}, NodeFailure("broken", "Broken.", permanent=True), "pending"),
        ({}, KeyError("a stranger's"), "pending"),
        ({"on": ["internal_error"]}, KeyError("a stranger's"), "pending"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_tried_again(
    alice: Person, policy: dict[str, Any], failure: Exception, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(context: NodeContext) -> NodeResult:
        raise failure

    with node_type("x", broken), caplog.at_level("CRITICAL", "runs.engine.worker"):
        run = carry(start_graph(alice, {"a": {"type": "x", "retry": {"max_attempts": 2, **policy}}}))
    assert states(run) == {"a": status}


def test_what_the_other_side_asks_for_is_the_least(alice: Person, noon: time_machine.Traveller) -> None:
    def busy(context: NodeContext) -> NodeResult:
        raise NodeFailure("busy", "Later.", retry_after=90)

    with node_type("x", busy):
        run = carry(start_graph(alice, {"a": {"type": "x", "retry": {"max_attempts": 2, "delay_seconds": 1}}}))
    assert run.waiting_on[0]["at"] == "2030-01-01T12:01:30.000000Z"


def test_settings_that_cannot_be_filled_in_are_not_tried_again(alice: Person) -> None:
    with node_type("x", lambda _: NodeResult({}, "Done.")):
        node = {"type": "x", "with": {"n": "${length(inputs.none)}"}, "retry": {"max_attempts": 5}}
        run = carry(start_graph(alice, {"a": node}))
    assert (run.status, run.error["code"], RunNode.objects.get(run=run).attempts) == ("failed", "expression_error", 1)


def test_the_fallback_comes_when_all_attempts_have_failed(alice: Person) -> None:
    x = {"type": "x", "retry": {"max_attempts": 2, "delay_seconds": 0}, "on_failure": {"fallback": "f"}}
    run = start_graph(alice, {"x": x, "f": {"type": "x"}})
    second = fail(claim(run))
    assert second is not None
    assert second.name == "x"
    fallback = fail(second)
    assert fallback is not None
    assert fallback.name == "f"


def test_the_end_of_the_run_is_told_of_what_was_to_be_tried_again(alice: Person) -> None:
    """Its last word is not that it is tried again."""
    run = start_graph(alice, {"a": {"type": "x", "retry": {"max_attempts": 2}}, "b": {"type": "x"}})
    b = fail(claim(run))
    assert b is not None
    fail(b)
    assert states(run) == {"a": "cancelled", "b": "failed"}
    assert phases(run)[-2:] == [("b", "failed"), ("a", "cancelled")]


def test_a_lost_worker_uses_up_no_attempt(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "x", "retry": {"max_attempts": 2, "delay_seconds": 0}}})
    lose(claim(run))
    lose(claim(run))
    second = fail(claim(run))
    assert second is not None
    lose(second)
    assert fail(claim(run)) is None
    row = RunNode.objects.get(run=run)
    assert (row.status, row.attempts, row.recoveries) == ("failed", 5, 3)
