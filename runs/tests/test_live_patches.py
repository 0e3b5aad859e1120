"""Patches to a live run: what may be changed, and what becomes of the run."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from conftest import Person
from orchestrator.core.errors import Conflict, OrchestratorError, ValidationFailed
from runs.models import Run, RunEvent, RunNode, RunPatch
from runs.services import approvals, cancellation, executions, patches, progress
from runs.snapshot import definition_of
from runs.tests.patching import ADDED, CHAIN, STARTED, TYPED, any_definition, echo, outputs, submit, types  # noqa: F401
from runs.tests.steps import ME, OTHER, carry, claim, finish, node_type, phases, race, start_graph, step
from versioning.services import workflows

# --- what becomes of the run -----------------------------------------------------------------------------------------


def test_what_has_not_started_is_done_as_the_patch_says(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    attempt = claim(run)
    before = run.snapshot_id
    patch = submit(alice, run, TYPED, message="better")
    assert (patch.number, patch.state, patch.definition_version, patch.message) == (1, "accepted", 2, "better")
    run.refresh_from_db()
    assert (run.definition_version, run.snapshot_id, patch.base_id) == (2, patch.result_id, before)
    assert definition_of(run)["nodes"]["c"]["with"] == {"better": True}
    step(attempt, more=False)
    assert carry(run).status == "succeeded"
    assert outputs(run)["c"]["config"] == {"better": True}
    assert outputs(run)["b"]["config"] == {}


def test_a_patch_before_the_run_begins_is_its_first_event(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    submit(alice, run, STARTED)
    run.refresh_from_db()
    assert (run.status, phases(run)) == ("queued", [("a", "patched")])
    assert carry(run).status == "succeeded"
    assert outputs(run)["a"]["config"] == {"late": True}


def test_a_node_that_is_ready_now_starts_now(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    finish(claim(run), value=1)
    submit(alice, run, ADDED)
    assert RunNode.objects.get(run=run, node="d").status == "pending"
    assert claim(run, OTHER).name == "d"


def test_a_ready_node_that_now_needs_more_waits_for_it(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "echo"}, "b": {"type": "echo"}})
    first = claim(run)
    assert RunNode.objects.get(run=run, node="b").status == "pending"
    submit(alice, run, [{"op": "add", "path": "/nodes/b/needs", "value": ["a"]}])
    assert progress.take(run.id, OTHER) is None
    second = step(first)
    assert second is not None
    assert (second.name, second.state.attempts) == ("b", 1)
    assert step(second) is None
    assert outputs(run)["b"]["seen"] == ["a"]


def test_a_ready_node_that_is_removed_is_not_done(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "echo"}, "b": {"type": "echo"}})
    first = claim(run)
    submit(alice, run, [{"op": "remove", "path": "/nodes/b"}])
    assert step(first) is None
    run.refresh_from_db()
    assert (run.status, sorted(outputs(run))) == ("succeeded", ["a"])


def test_a_run_of_which_nothing_is_left_ends_with_the_patch(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "echo"}, "ok": {"type": "approval", "needs": ["a"]}, "b": {"type": "echo"}})
    carry(run)
    run.refresh_from_db()
    assert run.status == "waiting"
    with pytest.raises(Conflict):
        submit(alice, run, [{"op": "remove", "path": "/nodes/ok"}])
    two = start_graph(alice, {"a": {"type": "echo"}, "b": {"type": "echo", "needs": ["a"]}})
    step(claim(two), more=False)
    submit(alice, two, [{"op": "remove", "path": "/nodes/b"}])
    two.refresh_from_db()
    assert two.status == "succeeded"
    assert phases(two)[-1] == ("b", "patched")


def test_a_run_that_waits_goes_on_when_a_patch_gives_it_something_to_do(alice: Person) -> None:
    run = carry(start_graph(alice, {"ok": {"type": "approval"}}))
    assert run.status == "waiting"
    submit(alice, run, [{"op": "add", "path": "/nodes/x", "value": {"type": "echo"}}])
    run.refresh_from_db()
    assert run.status == "running"
    carry(run)
    assert list(outputs(run)) == ["x"]


def test_what_was_pushed_back_can_be_changed_before_it_is_done_again(alice: Person) -> None:
    run = carry(start_graph(alice, {"draft": {"type": "echo"}, "ok": {"type": "approval", "needs": ["draft"]}}))
    operations = [{"op": "add", "path": "/nodes/draft/with", "value": {"shorter": True}}]
    with pytest.raises(Conflict):
        submit(alice, run, operations)
    approvals.reject(actor=alice.actor, run_id=run.id, node="ok", comment="Too long.", to="draft")
    submit(alice, run, operations)
    carry(run)
    assert outputs(run)["draft"]["config"] == {"shorter": True}


def test_the_time_that_the_run_may_take_can_be_changed(alice: Person) -> None:
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as clock:
        run = start_graph(alice, {"a": {"type": "approval"}}, timeout_seconds=60)
        carry(run)
        clock.shift(timedelta(seconds=30))
        for operation, seconds in (({"op": "replace", "value": 90}, 90), ({"op": "remove"}, None)):
            with any_definition():
                submit(alice, run, [{**operation, "path": "/timeout_seconds"}])
            run.refresh_from_db()
            assert run.started_at is not None
            assert run.due_at == (run.started_at + timedelta(seconds=seconds) if seconds else None)
        assert not progress.end_overdue(run.id)


def test_a_workflow_within_that_a_patch_brings_is_pinned(alice: Person) -> None:
    with node_type("workflow", echo):
        made = workflows.create_workflow(actor=alice.actor, tag="inner", definition={"nodes": {"x": {"type": "echo"}}})
        run = start_graph(alice, CHAIN)
        sub = {"type": "workflow", "with": {"workflow": "inner"}, "needs": ["c"]}
        submit(alice, run, [{"op": "add", "path": "/nodes/sub", "value": sub}])
        run.refresh_from_db()
        assert run.pins["sub"]["artifact"] == str(made.artifact_id)
        workflows.patch_tag(
            actor=alice.actor,
            tag="inner",
            version=None,
            operations=[{"op": "add", "path": "/description", "value": "x"}],
        )
        submit(alice, run, TYPED)
        run.refresh_from_db()
        assert run.pins["sub"]["artifact"] == str(made.artifact_id), "it is the same node as before"
        with pytest.raises(ValidationFailed):
            submit(alice, run, [{"op": "replace", "path": "/nodes/sub/with/workflow", "value": "gone"}])
        for number in (2, 1):
            patches.revert_patch(actor=alice.actor, run_id=run.id, number=number)
        run.refresh_from_db()
        assert run.pins == {}


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operations",
    [
        STARTED,
        [{"op": "remove", "path": "/nodes/a"}, {"op": "remove", "path": "/nodes/b/needs"}],
        [{"op": "move", "from": "/nodes/a", "path": "/nodes/z"}, {"op": "remove", "path": "/nodes/b/needs"}],
        [
            {"op": "add", "path": "/nodes/x", "value": {"type": "echo"}},
            {"op": "add", "path": "/nodes/a/needs", "value": ["x"]},
        ],
    ],
)
@pytest.mark.parametrize("state", ["running", "completed", "retrying", "recovered"])
def test_what_has_started_cannot_be_touched(alice: Person, operations: Any, state: str) -> None:
    run = start_graph(alice, {**CHAIN, "a": {"type": "echo", "retry": {"max_attempts": 2, "delay_seconds": 60}}})
    attempt = claim(run)
    if state == "completed":
        step(attempt, more=False)
    elif state == "retrying":
        progress.finish(attempt, progress.failed("x", "It failed."), more=False)
    elif state == "recovered":
        assert progress.recover(run.id, "a", attempt.state.token)
    with pytest.raises(Conflict) as refused:
        submit(alice, run, operations)
    assert refused.value.details == {"nodes": ["a"]}
    assert not RunPatch.objects.exists()
    run.refresh_from_db()
    assert run.definition_version == 1


def test_what_was_skipped_cannot_be_touched(alice: Person) -> None:
    nodes = {"a": {"type": "echo"}, "b": {"type": "echo", "when": "`false`"}, "c": {"type": "echo", "needs": ["a"]}}
    run = start_graph(alice, nodes)
    claim(run)
    with pytest.raises(Conflict) as refused:
        submit(alice, run, [{"op": "remove", "path": "/nodes/b/when"}])
    assert refused.value.details == {"nodes": ["b"]}


def test_a_finished_node_cannot_become_somebodys_fallback(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "echo"}, "b": {"type": "echo", "needs": ["a"]}, "c": {"type": "approval"}})
    step(claim(run), more=False)
    with pytest.raises(Conflict) as refused, any_definition():
        submit(alice, run, [{"op": "add", "path": "/nodes/c/on_failure", "value": {"fallback": "a"}}])
    assert refused.value.details == {"nodes": ["a"]}


@pytest.mark.parametrize(
    ("operations", "place"),
    [
        ([{"op": "add", "path": "/nodes/c/needs/-", "value": "nobody"}], "/nodes/c/needs/1"),
        ([{"op": "replace", "path": "/nodes/b/needs", "value": ["c"]}], "/nodes/b/needs/0"),
        ([{"op": "add", "path": "/nodes/d", "value": {"type": "no-such-type"}}], "/nodes/d/type"),
        ([{"op": "remove", "path": "/nodes/nobody"}], "/operations/0"),
        ([{"op": "jump", "path": "/nodes/c"}], "/operations/0"),
        ([{"op": "replace", "path": "", "value": []}], "/"),
        ([{"op": "add", "path": "/inputs", "value": {"required": ["x"]}}], "/inputs"),
    ],
)
def test_faults_are_told_by_their_place(alice: Person, operations: Any, place: str) -> None:
    run = start_graph(alice, CHAIN)
    claim(run)
    for propose in (False, True):
        with pytest.raises(ValidationFailed) as refused:
            submit(alice, run, operations, propose=propose)
        assert place in refused.value.details
    assert not RunPatch.objects.exists()
    assert phases(run) == [("a", "started")]


def test_a_test_that_fails_is_a_conflict(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    with pytest.raises(Conflict):
        submit(alice, run, [{"op": "test", "path": "/nodes/c/type", "value": "other"}, *TYPED])
    submit(alice, run, [{"op": "test", "path": "/nodes/c/type", "value": "echo"}, *TYPED])


def test_a_patch_by_which_the_run_would_fail_at_once_is_refused(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    finish(claim(run), value=1)
    value = {"type": "echo", "needs": ["a"], "when": "abs('x')"}
    with pytest.raises(ValidationFailed) as refused:
        submit(alice, run, [{"op": "add", "path": "/nodes/d", "value": value}])
    assert "operations" in refused.value.details
    run.refresh_from_db()
    assert (run.status, run.definition_version) == ("running", 1)
    assert claim_again(run).status == "running"


def claim_again(run: Run) -> Run:
    """What this process knows of the run is what the database has."""
    execution = executions.open_locked(run.id)
    assert execution is not None
    assert execution.run.snapshot_id == run.snapshot_id
    assert "d" not in execution.graph.nodes
    return execution.run


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_run_that_has_ended_stays_as_it_is(alice: Person, status: str) -> None:
    run = start_graph(alice, CHAIN)
    submit(alice, run, TYPED, propose=True)
    Run.objects.filter(pk=run.pk).update(status=status)
    executions.forget()
    calls: list[Any] = [
        lambda: submit(alice, run, ADDED),
        lambda: patches.accept_patch(actor=alice.actor, run_id=run.id, number=1),
        lambda: patches.reject_patch(actor=alice.actor, run_id=run.id, number=1),
        lambda: patches.revert_patch(actor=alice.actor, run_id=run.id, number=1),
    ]
    for call in calls:
        with pytest.raises(Conflict) as refused:
            call()
        assert refused.value.details == {"status": status}


def test_a_run_that_is_being_cancelled_takes_no_patch(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    claim(run)
    cancellation.cancel_run(actor=alice.actor, run_id=run.id)
    with pytest.raises(Conflict):
        submit(alice, run, ADDED)


# --- races -----------------------------------------------------------------------------------------------------------


def test_another_process_notices(alice: Person) -> None:
    """What a worker knows of the run from before the patch is put right at its next step."""
    run = start_graph(alice, CHAIN)
    attempt = claim(run)
    executions.forget()
    submit(alice, run, TYPED)
    executions.forget()
    following = step(attempt)
    assert following is not None
    assert following.execution.graph.nodes["c"]["with"] == {"better": True}


@pytest.mark.django_db(transaction=True)
def test_a_patch_and_the_start_of_its_node_at_once_are_one_after_the_other(alice: Person) -> None:
    operations = [{"op": "add", "path": "/nodes/b/with", "value": {"late": True}}]
    for _ in range(6):
        run = start_graph(alice, CHAIN)
        step(claim(run), more=False)
        patched, taken = race(lambda run=run: submit(alice, run, operations), lambda run=run: progress.take(run.id, ME))
        assert taken.name == "b", taken
        settings = taken.execution.graph.nodes["b"].get("with")
        if isinstance(patched, OrchestratorError):
            assert (patched.details, settings) == ({"nodes": ["b"]}, None)
        else:
            assert (patched.state, settings) == ("accepted", {"late": True})
        assert step(taken) is not None
        assert outputs(run)["b"]["config"] == (settings or {})
        sequences = list(RunEvent.objects.filter(run=run).order_by("sequence").values_list("sequence", flat=True))
        assert sequences == list(range(len(sequences)))


@pytest.mark.django_db(transaction=True)
def test_patches_at_once_are_numbered_and_none_is_lost(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    claim(run)

    def add(name: str) -> RunPatch:
        return submit(alice, run, [{"op": "add", "path": f"/nodes/{name}", "value": {"type": "echo", "needs": ["a"]}}])

    found = race(*(lambda name=name: add(name) for name in ("u", "v", "w", "x")))
    assert sorted(patch.number for patch in found) == [1, 2, 3, 4]
    assert sorted(patch.definition_version for patch in found) == [2, 3, 4, 5]
    run.refresh_from_db()
    assert {"u", "v", "w", "x"} <= set(definition_of(run)["nodes"])
