"""Doing a run again: what is reused, what is done anew, and where it says that it comes from."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from django.db import transaction

from conftest import Person
from orchestrator.core.errors import Conflict, NotFound, OrchestratorError, PermissionDenied, ValidationFailed
from orchestrator.events.models import Event
from runs.models import Run, RunEvent, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult
from runs.services import cancellation, executions, forks
from runs.services.journal import record_run
from runs.services.submission import start_run
from runs.tests.steps import carry, claim, finish, node_type, on_its_own, phases, start, start_graph
from versioning.models import Artifact
from versioning.services import workflows

CHAIN = {"a": {"type": "echo"}, "b": {"type": "echo", "needs": ["a"]}, "c": {"type": "echo", "needs": ["b"]}}


class Echo:
    """A node type that counts what it does, and fails where it is told to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failing: set[str] = set()

    def __call__(self, ctx: NodeContext) -> NodeResult:
        if ctx.node in self.failing:
            raise NodeFailure("told_to", "It was told to fail.")
        self.done.append(ctx.node)
        return NodeResult({"by": ctx.run_id, "inputs": dict(ctx.inputs), "seen": sorted(ctx.outputs)}, "done")


@pytest.fixture
def echo() -> Any:
    found = Echo()
    with node_type("echo", found), node_type("approval", found):
        yield found


def failed_at(person: Person, echo: Echo, node: str, nodes: dict[str, Any] = CHAIN, **definition: Any) -> Run:
    """An ended run; what is done from now on is counted."""
    echo.failing = {node}
    run = carry(start_graph(person, nodes, **definition))
    assert run.status == "failed"
    echo.failing, echo.done = set(), []
    return run


def outputs(run: Run) -> dict[str, Any]:
    return dict(RunNode.objects.filter(run=run, status="completed").values_list("node", "output"))


def saved(person: Person, nodes: dict[str, Any], tag: str = "flow", **definition: Any) -> Artifact:
    made = workflows.create_workflow(actor=person.actor, tag=tag, definition={"nodes": nodes, **definition})
    assert made.artifact is not None
    return made.artifact


def patched(person: Person, *operations: dict[str, Any], tag: str = "flow") -> Artifact:
    return workflows.patch_tag(actor=person.actor, tag=tag, operations=list(operations), version=None).artifact


# --- retry -----------------------------------------------------------------------------------------------------------


def test_a_retry_goes_on_where_the_run_failed(alice: Person, echo: Echo) -> None:
    old = failed_at(alice, echo, "c")
    new = forks.retry_run(actor=alice.actor, run_id=old.id)
    assert (new.status, new.forked_from_id, new.forked_at) == ("queued", old.id, "")
    assert (new.artifact_id, new.snapshot_id, new.inputs) == (old.artifact_id, old.snapshot_id, old.inputs)
    assert carry(new).status == "succeeded"
    assert echo.done == ["c"]
    assert outputs(new)["b"] == outputs(old)["b"]
    assert outputs(new)["c"]["seen"] == ["a", "b"]


def test_the_log_tells_what_was_reused(alice: Person, echo: Echo) -> None:
    old = failed_at(alice, echo, "c")
    new = forks.retry_run(actor=alice.actor, run_id=old.id)
    told = list(RunEvent.objects.filter(run=new).order_by("sequence"))
    assert [(row.sequence, row.node, row.phase) for row in told] == [(0, "a", "completed"), (1, "b", "completed")]
    assert {row.summary for row in told} == {f"Reused from run {old.id}."}
    assert told[0].payload == outputs(old)["a"]
    created = Event.objects.get(event="run_created", target=f"run:{new.id}")
    assert created.details["forked_from"] == str(old.id)
    assert created.actor == str(alice.actor)
    carry(new)
    sequences = list(RunEvent.objects.filter(run=new).order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(len(sequences)))


def test_a_cancelled_run_can_be_retried(alice: Person, echo: Echo) -> None:
    old = start_graph(alice, CHAIN)
    finish(claim(old), value=1)
    cancellation.cancel_run(actor=alice.actor, run_id=old.id)
    attempt = RunNode.objects.get(run=old, node="b")
    assert attempt.status in ("running", "cancelled")
    Run.objects.filter(pk=old.pk).update(status="cancelled")
    new = carry(forks.retry_run(actor=alice.actor, run_id=old.id))
    assert (new.status, echo.done) == ("succeeded", ["b", "c"])
    assert outputs(new)["a"] == {"value": 1}


@pytest.mark.parametrize("status", ["queued", "running", "waiting", "succeeded"])
def test_only_what_ended_without_success_can_be_retried(alice: Person, echo: Echo, status: str) -> None:
    run = start_graph(alice, CHAIN)
    Run.objects.filter(pk=run.pk).update(status=status)
    with pytest.raises(Conflict):
        forks.retry_run(actor=alice.actor, run_id=run.id)
    assert Run.objects.count() == 1


def test_a_run_whose_output_failed_has_nothing_to_do_again(alice: Person, echo: Echo) -> None:
    old = carry(start_graph(alice, {"a": {"type": "echo"}}, output="abs('x')"))
    assert (old.status, outputs(old) != {}) == ("failed", True)
    new = carry(forks.retry_run(actor=alice.actor, run_id=old.id))
    assert (new.status, new.error["code"], echo.done) == ("failed", "expression_error", ["a"])


def test_a_run_of_which_everything_is_reused_succeeds(alice: Person, echo: Echo) -> None:
    old = carry(start_graph(alice, CHAIN))
    Run.objects.filter(pk=old.pk).update(status="cancelled")
    echo.done = []
    new = carry(forks.retry_run(actor=alice.actor, run_id=old.id))
    assert (new.status, echo.done) == ("succeeded", [])
    assert new.finished_at is not None
    assert phases(new)[-1] == ("c", "completed")


# --- what is never reused --------------------------------------------------------------------------------------------


def test_an_approval_and_what_follows_it_is_never_reused(alice: Person, echo: Echo) -> None:
    nodes = {
        "draft": {"type": "echo"}, "ok": {"type": "approval", "needs": ["draft"]},
        "send": {"type": "echo", "needs": ["ok"]}, "file": {"type": "echo", "needs": ["send"]},
        "aside": {"type": "echo", "needs": ["draft"]},
    }  # fmt: skip
    old = failed_at(alice, echo, "file", nodes)
    new = carry(forks.retry_run(actor=alice.actor, run_id=old.id))
    assert new.status == "succeeded"
    assert sorted(echo.done) == ["file", "ok", "send"]


def test_what_follows_a_node_that_failed_is_done_again(alice: Person, echo: Echo) -> None:
    nodes = {
        "a": {"type": "echo", "on_failure": "continue"}, "b": {"type": "echo", "needs": ["a"]},
        "x": {"type": "echo"}, "c": {"type": "echo", "needs": ["b", "x"]},
    }  # fmt: skip
    old = start_graph(alice, nodes)
    echo.failing = {"a", "c"}
    assert carry(old).status == "failed"
    echo.failing, echo.done = set(), []
    assert carry(forks.retry_run(actor=alice.actor, run_id=old.id)).status == "succeeded"
    assert sorted(echo.done) == ["a", "b", "c"]


def test_a_fallback_that_helped_is_not_taken_for_help_that_is_not_needed(alice: Person, echo: Echo) -> None:
    nodes = {
        "a": {"type": "echo", "on_failure": {"fallback": "plan_b"}}, "plan_b": {"type": "echo"},
        "c": {"type": "echo", "needs": ["a"]},
    }  # fmt: skip
    old = start_graph(alice, nodes)
    echo.failing = {"a", "c"}
    assert carry(old).status == "failed"
    assert "plan_b" in outputs(old)
    echo.failing, echo.done = set(), []
    new = carry(forks.retry_run(actor=alice.actor, run_id=old.id))
    assert (new.status, sorted(echo.done)) == ("succeeded", ["a", "c"])
    assert RunNode.objects.get(run=new, node="plan_b").status == "skipped"


WHEN = {
    "a": {"type": "echo"}, "maybe": {"type": "echo", "needs": ["a"], "when": "inputs.wanted"},
    "b": {"type": "echo", "needs": ["a", "maybe"]}, "c": {"type": "echo", "needs": ["b"]},
}  # fmt: skip


def test_behind_a_node_that_is_skipped_again_all_is_reused(alice: Person, echo: Echo) -> None:
    old = failed_at(alice, echo, "c", WHEN)
    new = carry(forks.retry_run(actor=alice.actor, run_id=old.id))
    assert (new.status, echo.done) == ("succeeded", ["c"])
    assert RunNode.objects.get(run=new, node="maybe").status == "skipped"


def test_new_inputs_decide_anew_what_is_skipped(alice: Person, echo: Echo) -> None:
    old = failed_at(alice, echo, "c", WHEN)
    new = carry(forks.fork_run(actor=alice.actor, run_id=old.id, from_node="c", inputs={"wanted": True}))
    assert (new.status, echo.done) == ("succeeded", ["maybe", "b", "c"])
    again = carry(forks.fork_run(actor=alice.actor, run_id=new.id, from_node="c", inputs={}))
    assert RunNode.objects.get(run=again, node="maybe").status == "skipped", (
        "an output is not reused of what is skipped"
    )


def test_a_mapped_node_is_reused_with_what_its_items_gave(alice: Person, echo: Echo) -> None:
    nodes = {"a": {"type": "echo", "map": {"over": "[`1`, `2`]"}}, "b": {"type": "echo", "needs": ["a"]}}
    old = failed_at(alice, echo, "b", nodes)
    new = carry(forks.retry_run(actor=alice.actor, run_id=old.id))
    assert (new.status, echo.done) == ("succeeded", ["b"])
    assert outputs(new)["a"] == outputs(old)["a"]
    assert sorted(RunNode.objects.filter(run=new).values_list("node", flat=True)) == ["a", "b"]


# --- replay, re-run --------------------------------------------------------------------------------------------------


def test_a_replay_does_all_of_the_same_version_again(alice: Person, echo: Echo) -> None:
    saved(alice, CHAIN)
    old = carry(start_run(actor=alice.actor, workflow="flow", inputs={"n": 1}, priority=7))
    patched(alice, {"op": "remove", "path": "/nodes/c"})
    new = carry(forks.replay_run(actor=alice.actor, run_id=old.id))
    assert (new.artifact_id, new.snapshot_id) == (old.artifact_id, old.snapshot_id)
    assert (new.inputs, new.priority, new.forked_from_id) == ({"n": 1}, 7, old.id)
    assert echo.done == ["a", "b", "c"] * 2


def test_a_rerun_is_of_the_tags_head_now_or_of_a_ref(alice: Person, echo: Echo) -> None:
    first = saved(alice, CHAIN)
    old = carry(start_run(actor=alice.actor, workflow="flow", inputs={"n": 1}))
    second = patched(alice, {"op": "remove", "path": "/nodes/c"})
    assert forks.rerun(actor=alice.actor, run_id=old.id).artifact_id == second.id
    again = forks.rerun(actor=alice.actor, run_id=old.id, ref="~1")
    assert (again.artifact_id, again.inputs, again.forked_from_id) == (first.id, {"n": 1}, old.id)
    with pytest.raises(ValidationFailed):
        forks.rerun(actor=alice.actor, run_id=old.id, ref="~9")


def test_a_rerun_is_refused_when_the_inputs_do_not_suit_any_more(alice: Person, echo: Echo) -> None:
    saved(alice, CHAIN)
    old = carry(start_run(actor=alice.actor, workflow="flow", inputs={"n": 1}))
    patched(alice, {"op": "add", "path": "/inputs", "value": {"properties": {"n": {"type": "string"}}}})
    with pytest.raises(ValidationFailed) as refused:
        forks.rerun(actor=alice.actor, run_id=old.id)
    assert "n" in refused.value.details


def test_the_workflows_within_are_the_same_in_a_replay_and_those_of_now_in_a_rerun(alice: Person, echo: Echo) -> None:
    with node_type("workflow", echo):
        saved(alice, {"x": {"type": "echo"}}, tag="inner")
        saved(alice, {"sub": {"type": "workflow", "with": {"workflow": "inner"}}})
        old = start_run(actor=alice.actor, workflow="flow", inputs={})
        then = old.pins["sub"]
        now = patched(alice, {"op": "add", "path": "/description", "value": "new"}, tag="inner")
        assert forks.replay_run(actor=alice.actor, run_id=old.id).pins["sub"] == then
        assert forks.fork_run(actor=alice.actor, run_id=old.id, from_node="sub").pins["sub"] == then
        assert forks.rerun(actor=alice.actor, run_id=old.id).pins["sub"]["artifact"] == str(now.id) != then["artifact"]


# --- fork ------------------------------------------------------------------------------------------------------------


def test_a_fork_does_its_node_and_all_that_follows_again(alice: Person, echo: Echo) -> None:
    nodes = {**CHAIN, "aside": {"type": "echo", "needs": ["a"]}}
    old = carry(start_graph(alice, nodes))
    echo.done = []
    new = carry(forks.fork_run(actor=alice.actor, run_id=old.id, from_node="b", inputs={"n": 2}))
    assert (new.status, new.forked_at, new.inputs) == ("succeeded", "b", {"n": 2})
    assert echo.done == ["b", "c"]
    assert outputs(new)["c"]["inputs"] == {"n": 2}
    assert outputs(new)["aside"] == outputs(old)["aside"]


def test_a_run_that_still_goes_on_can_be_forked(alice: Person, echo: Echo) -> None:
    old = start_graph(alice, CHAIN)
    assert finish(claim(old), value=1) is not None
    new = carry(forks.fork_run(actor=alice.actor, run_id=old.id, from_node="c"))
    assert (new.status, echo.done) == ("succeeded", ["b", "c"])
    old.refresh_from_db()
    assert old.status == "running"


def test_a_fork_with_another_version_reuses_the_nodes_that_are_the_same(alice: Person, echo: Echo) -> None:
    saved(alice, CHAIN)
    old = carry(start_run(actor=alice.actor, workflow="flow", inputs={}))
    later = patched(alice, {"op": "add", "path": "/nodes/c/with", "value": {"better": True}})
    echo.done = []
    new = carry(forks.fork_run(actor=alice.actor, run_id=old.id, from_node="c", ref="flow"))
    assert (new.status, new.artifact_id, echo.done) == ("succeeded", later.id, ["c"])


@pytest.mark.parametrize(
    "change",
    [
        {"op": "add", "path": "/nodes/a/with", "value": {"other": 1}},
        {"op": "replace", "path": "/nodes/a/type", "value": "planner"},
        {"op": "add", "path": "/nodes/a/when", "value": "`true`"},
    ],
)
def test_a_fork_over_a_node_that_differs_is_refused_with_its_name(
    alice: Person, echo: Echo, change: dict[str, Any]
) -> None:
    saved(alice, CHAIN)
    old = carry(start_run(actor=alice.actor, workflow="flow", inputs={}))
    patched(alice, change)
    before = Run.objects.count()
    for how in ({"ref": "flow"}, {"patch": [change]}):
        with pytest.raises(Conflict) as refused:
            forks.fork_run(actor=alice.actor, run_id=old.id, from_node="c", **how)
        assert refused.value.details == {"nodes": ["a"]}
    assert Run.objects.count() == before
    assert carry(forks.fork_run(actor=alice.actor, run_id=old.id, from_node="a", ref="flow")).forked_at == "a"


def test_a_patch_is_of_the_new_run_alone(alice: Person, echo: Echo) -> None:
    artifact = saved(alice, CHAIN)
    old = carry(start_run(actor=alice.actor, workflow="flow", inputs={}))
    echo.done = []
    operations = [{"op": "add", "path": "/nodes/d", "value": {"type": "echo", "needs": ["c"]}}]
    new = carry(forks.fork_run(actor=alice.actor, run_id=old.id, from_node="d", patch=operations))
    assert (new.status, new.artifact_id, echo.done) == ("succeeded", artifact.id, ["d"])
    old.refresh_from_db()
    assert new.snapshot_id != old.snapshot_id
    assert new.snapshot.kind == "run_snapshot"
    twin = forks.fork_run(actor=alice.actor, run_id=old.id, from_node="d", patch=operations)
    assert twin.snapshot_id == new.snapshot_id, "one per content"


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"from_node": "nowhere"}, ValidationFailed),
        ({"from_node": "a[0]"}, ValidationFailed),
        ({"from_node": "c", "patch": [{"op": "add", "path": "/nodes/c/needs", "value": ["c"]}]}, ValidationFailed),
        ({"from_node": "c", "patch": [{"op": "remove", "path": "/nodes/x"}]}, ValidationFailed),
        ({"from_node": "c", "patch": [{"op": "test", "path": "/nodes/c/type", "value": "x"}]}, Conflict),
        ({"from_node": "c", "ref": "no-such-tag"}, ValidationFailed),
    ],
)
def test_a_fork_that_cannot_be_is_refused(
    alice: Person, echo: Echo, how: dict[str, Any], error: type[OrchestratorError]
) -> None:
    old = carry(start_graph(alice, CHAIN))
    with pytest.raises(error):
        forks.fork_run(actor=alice.actor, run_id=old.id, **how)
    assert Run.objects.count() == 1


# --- who -------------------------------------------------------------------------------------------------------------

AGAIN: dict[str, Callable[..., Run]] = {
    "retry": forks.retry_run,
    "replay": forks.replay_run,
    "rerun": forks.rerun,
    "fork": lambda **how: forks.fork_run(from_node="a", **how),
}


@pytest.mark.parametrize("how", AGAIN)
def test_strangers_find_nothing_and_viewers_may_not(
    alice: Person, mallory: Person, carol: Person, echo: Echo, how: str
) -> None:
    old = failed_at(alice, echo, "c")
    with pytest.raises(NotFound):
        AGAIN[how](actor=mallory.actor, run_id=old.id)
    with pytest.raises(NotFound):
        AGAIN[how](actor=alice.actor, run_id=uuid.uuid4())
    with pytest.raises(PermissionDenied):
        AGAIN[how](actor=carol.actor, run_id=old.id)
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_fork_of_a_run_that_is_just_taking_a_step_does_not_lock_with_it(alice: Person) -> None:
    """The fork has the head of the org's log when it makes sure that the old run is there; the step has the run."""
    run = start(alice)
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            execution = executions.open_locked(run.id)
            assert execution is not None
            fork = threads.submit(
                on_its_own, lambda: forks.fork_run(actor=alice.actor, run_id=run.id, from_node="intent")
            )
            wait([fork], 0.5)
            record_run(alice.actor, "run_started", run)
        assert fork.result(30).forked_from_id == run.id
