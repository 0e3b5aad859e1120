"""``transform``, ``wait``, ``approval``, ``agent`` and ``workflow``: what they give, and what they wait for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from agents.states import PromptType
from runs.nodes import agent, registry
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, Waiting
from runs.workflows.settings import check

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def executed(kind: str, *, waited: dict[str, Any] | None = None, **settings: Any) -> NodeResult | Waiting:
    node_type = registry.get(kind)
    assert check(node_type.schema, settings) == []
    ctx = NodeContext(
        run_id="r1", node="step", attempt=1, inputs={"n": 2, "list": [1, 2]}, outputs={"a": {"x": {"y": [3]}}},
        config=settings, waited=waited,
    )  # fmt: skip
    with time_machine.travel(NOW, tick=False):
        return node_type.execute(ctx)


def waiting(kind: str, **settings: Any) -> Waiting:
    found = executed(kind, **settings)
    assert isinstance(found, Waiting)
    assert found.summary.endswith(".")
    return found


def result(kind: str, *, waited: dict[str, Any] | None = None, **settings: Any) -> NodeResult:
    found = executed(kind, waited=waited, **settings)
    assert isinstance(found, NodeResult)
    assert found.summary
    return found


def failure(kind: str, *, waited: dict[str, Any] | None = None, **settings: Any) -> NodeFailure:
    with pytest.raises(NodeFailure) as caught:
        executed(kind, waited=waited, **settings)
    return caught.value


# --- transform -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "output"), [
    ({"expression": "{total: inputs.n, y: nodes.a.x.y}"}, {"total": 2, "y": [3]}),
    ({"expression": "nodes.a.x"}, {"y": [3]}),
    ({"expression": "inputs.list[?@ > `1`]"}, {"value": [2]}),
    ({"expression": "nodes.b"}, {"value": None}),
    ({"expression": "run.id"}, {"value": "r1"}),
    ({"output": {"a": [1]}}, {"a": [1]}),
    ({"output": {}}, {}),
    ({"output": [1]}, {"value": [1]}),
    ({"output": None}, {"value": None}),
])  # fmt: skip
def test_transform_gives_an_object(settings: dict[str, Any], output: dict[str, Any]) -> None:
    assert result("transform", **settings).output == output


def test_transform_says_what_it_made() -> None:
    assert result("transform", output={"a": 1}).summary == "Made 1 member: a"
    assert result("transform", output={}).summary == "Made 0 members"
    many = result("transform", output={f"m{number}": 1 for number in range(9)} | {"x" * 10_000: 1})
    assert many.summary == "Made 10 members: m0, m1, m2, m3, m4 and 5 more"
    assert len(result("transform", output={"x" * 10_000: 1}).summary) < 100


@pytest.mark.parametrize(
    ("expression", "piece"), [("sum(inputs.n)", "sum() takes"), ("[@,@]|" * 60 + "@", "too large")]
)
def test_transform_fails_for_good(expression: str, piece: str) -> None:
    failed = failure("transform", expression=expression)
    assert (failed.code, failed.permanent) == ("expression_failed", True)
    assert piece in failed.message


# --- wait ------------------------------------------------------------------------------------------------------------


def test_wait_for_some_seconds() -> None:
    found = waiting("wait", seconds=90.5)
    assert found.until == NOW + timedelta(seconds=90.5)
    assert found.on == {"kind": "timer", "until": "2026-03-01T12:01:30.500000Z"}
    over = result("wait", seconds=90.5, waited=found.on)
    assert over.output == {"waited_until": "2026-03-01T12:01:30.500000Z"}


def test_wait_until_a_time() -> None:
    found = waiting("wait", until="2026-03-02T01:00:00+01:00")
    assert found.until == datetime(2026, 3, 2, tzinfo=UTC)
    assert found.on == {"kind": "timer", "until": "2026-03-02T00:00:00.000000Z"}


@pytest.mark.parametrize(
    "settings", [{"seconds": 0}, {"until": "2026-03-01T12:00:00Z"}, {"until": "1999-01-01T00:00:00Z"}]
)
def test_what_is_past_is_not_waited_for(settings: dict[str, Any]) -> None:
    assert result("wait", **settings).output["waited_until"] <= "2026-03-01T12:00:00.000000Z"


def test_nothing_waits_for_more_than_a_year() -> None:
    assert waiting("wait", seconds=366 * 86400).until == NOW + timedelta(days=366)
    assert waiting("wait", until="2027-03-02T12:00:00Z").until == NOW + timedelta(days=366)
    failed = failure("wait", until="2027-03-02T12:00:01Z")
    assert (failed.code, failed.permanent) == ("invalid_settings", True)
    assert "more than a year" in failed.message


# --- approval --------------------------------------------------------------------------------------------------------


def test_approval_asks() -> None:
    found = waiting("approval")
    assert found.until is None
    assert found.on == {
        "kind": "approval", "title": "step", "message": "", "schema": None, "expires_at": None,
        "approvers": {"roles": [], "users": []},
    }  # fmt: skip


def test_approval_asks_some_for_a_time() -> None:
    schema = {"type": "object"}
    found = waiting(
        "approval", title="Ship it?", message="All is green.", approvers={"users": ["Ann@Example.com"]},
        schema=schema, expires_seconds=60,
    )  # fmt: skip
    assert found.until == NOW + timedelta(minutes=1)
    assert found.on == {
        "kind": "approval", "title": "Ship it?", "message": "All is green.", "schema": schema,
        "expires_at": "2026-03-01T12:01:00.000000Z", "approvers": {"roles": [], "users": ["ann@example.com"]},
    }  # fmt: skip


def test_an_approval_that_nobody_gave_expires() -> None:
    on = waiting("approval", expires_seconds=1).on
    assert result("approval", on_expiry="approve", waited=on).output == {
        "approved": True, "by": "expiry", "answer": None,
    }  # fmt: skip
    for settings, code in (({}, "approval_expired"), ({"on_expiry": "fail"}, "approval_expired"),
                           ({"on_expiry": "reject"}, "rejected")):  # fmt: skip
        failed = failure("approval", waited=on, **settings)
        assert (failed.code, failed.permanent) == (code, True)


# --- agent -----------------------------------------------------------------------------------------------------------


def test_agent_waits_for_an_agent() -> None:
    found = waiting("agent", agent="writer", prompt="Write.")
    assert (found.summary, found.until) == ("Waiting for an agent writer.", None)
    assert found.on == {
        "kind": "agent", "agent": "writer", "prompt_type": "command", "prompt_name": "", "prompt": "Write.",
        "max_attempts": 3, "schema": None,
    }  # fmt: skip
    chosen = {"prompt_type": "followup", "prompt_name": "n", "max_attempts": 1, "schema": {"type": "object"}}
    assert waiting("agent", agent="writer", prompt="Write.", **chosen).on == {**found.on, **chosen}
    assert failure("agent", agent="writer", prompt="Write.", waited=found.on).code == "timeout"


def test_the_types_of_prompts_are_those_that_agents_know() -> None:
    assert sorted(agent.PROMPT_TYPES) == sorted(PromptType.values)


# --- workflow --------------------------------------------------------------------------------------------------------


def test_workflow_waits_for_a_run() -> None:
    found = waiting("workflow", workflow="report")
    assert found.until is None
    assert found.on == {"kind": "run", "workflow": "report", "ref": None, "inputs": {}}
    assert waiting("workflow", workflow="report", ref="3", inputs={"a": 1}).on == {
        "kind": "run", "workflow": "report", "ref": "3", "inputs": {"a": 1},
    }  # fmt: skip
    assert failure("workflow", workflow="report", waited=found.on).code == "timeout"
