"""Runs that are the work of a node of another run."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from conftest import Person
from orchestrator.core.errors import ValidationFailed
from runs.engine import sweeper, worker
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, Waiting
from runs.services import cancellation, executions, limits, progress, submission, subruns
from runs.tests.steps import ME, OTHER, claim, finish, hearing, in_order, node_type, on_its_own, phases, states
from versioning.services import workflows

pytestmark = pytest.mark.django_db(transaction=True)


def _call(context: NodeContext) -> Waiting:
    return Waiting({"kind": "run", **context.config}, "Waiting for a run.")


def _say(context: NodeContext) -> NodeResult:
    if context.inputs.get("fail"):
        raise NodeFailure("broken", "The inner one broke.")
    return NodeResult({"said": context.config.get("word"), "inputs": dict(context.inputs)}, "Said.")


@pytest.fixture(autouse=True)
def _types() -> Iterator[None]:
    with node_type("workflow", _call), node_type("say", _say):
        yield


def _publish(person: Person, tag: str, nodes: dict[str, Any], **definition: Any) -> None:
    workflows.create_workflow(actor=person.actor, tag=tag, definition={"nodes": nodes, **definition})


def _outer(person: Person, inputs: dict[str, Any] | None = None, **node: Any) -> Run:
    """A queued run of a workflow whose one node runs ``inner``; ``inner`` is made, too."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    word = {"only": {"type": "say", "with": {"word": "first"}}}
    _publish(person, "inner", word, output="nodes.only", inputs=schema)
    call = {"workflow": "inner", "inputs": inputs or {}}
    _publish(person, "outer", {"call": {"type": "workflow", "with": call, **node}}, output="nodes.call")
    return submission.start_run(actor=person.actor, workflow="outer", inputs={})


def _drain(holder: str = ME) -> None:
    """Do all there is to do, as one worker that hears of nothing and looks itself."""
    for _ in range(100):
        with hearing() as heard:
            sweeper.sweep(holder)
        if not heard.offers:
            return
        for run_id, queue, *_ in heard.offers:
            worker.execute(run_id, holder, queue=queue)
    raise AssertionError("It comes to no end.")


def _child(run: Run) -> Run:
    return Run.objects.get(parent=run)


@pytest.mark.parametrize("forgetful", [False, True])
def test_the_node_waits_for_the_inner_run_and_has_its_output(alice: Person, forgetful: bool) -> None:
    """Also the worker that has the outer run in its memory hears of the end of the inner one."""
    run = _outer(alice, {"n": 5})
    assert worker.execute(run.id, ME)
    run.refresh_from_db()
    child = _child(run)
    on = {"kind": "run", "run_id": str(child.id), "workflow": "inner"}
    assert (run.status, run.waiting_on) == ("waiting", [{"node": "call", **on}])
    assert (child.status, child.parent_node, child.depth, child.created_by) == ("queued", "call", 1, run.created_by)
    assert not worker.execute(run.id, ME), "there is nothing to do yet"
    assert worker.execute(child.id, ME)
    if forgetful:
        executions.forget()
    with hearing() as heard:
        sweeper.sweep(ME)
    assert heard.runs == [run.id]
    worker.execute(run.id, ME)
    run.refresh_from_db()
    assert run.status == "succeeded"
    output = {"said": "first", "inputs": {"n": 5}}
    assert run.output == {"run_id": str(child.id), "status": "succeeded", "output": output}
    assert phases(run) == [("call", "started"), ("call", "waiting"), ("call", "completed")]
    in_order(run)


def test_the_end_of_the_inner_run_is_told_at_once(alice: Person) -> None:
    run = _outer(alice)
    worker.execute(run.id, ME)
    attempt = claim(_child(run))
    with hearing() as heard:
        finish(attempt)
    assert heard.wakes


def test_a_worker_in_the_middle_of_the_outer_run_hears_of_it_too(alice: Person) -> None:
    _publish(alice, "inner", {"only": {"type": "say"}})
    nodes = {"call": {"type": "workflow", "with": {"workflow": "inner"}}, "z": {"type": "say"}}
    _publish(alice, "outer", {**nodes, "after": {"type": "say", "needs": ["call"]}})
    run = submission.start_run(actor=alice.actor, workflow="outer", inputs={})
    call = claim(run)
    z = progress.finish(call, worker.run_node(call))
    assert z is not None
    worker.execute(_child(run).id, OTHER)
    finish(z)
    assert states(run) == {"call": "completed", "z": "completed", "after": "running"}


def test_the_version_is_the_one_of_the_moment_when_the_outer_run_was_made(alice: Person) -> None:
    run = _outer(alice)
    operations = [{"op": "replace", "path": "/nodes/only/with/word", "value": "second"}]
    workflows.patch_tag(actor=alice.actor, tag="inner", operations=operations)
    later = submission.start_run(actor=alice.actor, workflow="outer", inputs={})
    _drain()
    run.refresh_from_db()
    later.refresh_from_db()
    assert (run.output["output"]["said"], later.output["output"]["said"]) == ("first", "second")


def test_a_run_whose_inner_workflow_is_not_there_is_not_made(alice: Person) -> None:
    _publish(alice, "outer", {"call": {"type": "workflow", "with": {"workflow": "no-such"}}})
    with pytest.raises(ValidationFailed):
        submission.start_run(actor=alice.actor, workflow="outer", inputs={})
    assert not Run.objects.exists()


def test_inputs_that_do_not_suit_fail_the_node(alice: Person) -> None:
    run = _outer(alice, {"n": "many"})
    _drain()
    run.refresh_from_db()
    assert (run.status, run.error["code"], run.error["node"]) == ("failed", "invalid_inputs", "call")
    assert not run.children.exists()


@pytest.mark.parametrize("attempts", [1, 2])
def test_an_inner_run_that_fails_fails_the_node(alice: Person, attempts: int) -> None:
    """Each attempt is a run of its own."""
    run = _outer(alice, {"fail": True}, retry={"max_attempts": attempts, "delay_seconds": 0})
    _drain()
    run.refresh_from_db()
    assert (run.status, run.error["code"], run.error["node"]) == ("failed", "run_failed", "call")
    assert run.error["details"]["error"]["code"] == "broken"
    assert "The inner one broke." in run.error["message"]
    assert run.children.count() == attempts
    in_order(run)


def test_an_inner_run_that_is_cancelled_fails_the_node(alice: Person) -> None:
    run = _outer(alice)
    worker.execute(run.id, ME)
    cancellation.cancel_run(actor=alice.actor, run_id=_child(run).id)
    _drain()
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "run_cancelled")


def test_an_inner_run_that_was_deleted_does_not_hold_the_outer_one_for_ever(alice: Person) -> None:
    run = _outer(alice)
    worker.execute(run.id, ME)
    child = _child(run)
    RunNode.objects.filter(run=run).update(due_at=child.created_at)
    child.delete()
    worker.execute(run.id, ME)
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "run_lost")


def test_the_cancel_of_the_outer_run_cancels_the_inner_one(alice: Person) -> None:
    run = _outer(alice)
    worker.execute(run.id, ME)
    child = _child(run)
    attempt = claim(child, OTHER)
    with hearing() as heard:
        cancellation.cancel_run(actor=alice.actor, run_id=run.id)
    assert heard.wakes, "it does not go on until the next sweep"
    run.refresh_from_db()
    assert run.status == "cancelled"
    with hearing() as heard:
        sweeper.sweep(ME)
    child.refresh_from_db()
    assert (child.status, child.cancelled_by) == ("running", "system")
    assert child.cancel_requested_at is not None
    assert heard.interrupted == [child.id]
    with hearing() as heard:
        sweeper.sweep(ME)
    assert heard.interrupted == [], "once"
    finish(attempt)
    child.refresh_from_db()
    assert child.status == "cancelled"


def test_a_wait_that_is_out_of_time_cancels_the_inner_run(alice: Person) -> None:
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as noon:
        run = _outer(alice, timeout_seconds=60)
        worker.execute(run.id, ME)
        noon.shift(timedelta(seconds=60))
        attempt = claim(_child(run), OTHER)
        _drain()
        run.refresh_from_db()
        assert (run.status, run.error["code"]) == ("failed", "timeout")
        _drain()
        finish(attempt)
        assert _child(run).status == "cancelled"


def test_workflows_within_each_other_go_so_deep_and_no_deeper(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subruns, "DEEPEST", 3)
    _publish(alice, "w0", {"only": {"type": "say", "with": {"word": "deep"}}}, output="nodes.only.said")
    for number in range(1, 5):
        node = {"type": "workflow", "with": {"workflow": f"w{number - 1}"}}
        _publish(alice, f"w{number}", {"call": node}, output="nodes.call.output")
    deep = submission.start_run(actor=alice.actor, workflow="w3", inputs={})
    deeper = submission.start_run(actor=alice.actor, workflow="w4", inputs={})
    _drain()
    deep.refresh_from_db()
    deeper.refresh_from_db()
    assert (deep.status, deep.output) == ("succeeded", "deep")
    assert deeper.status == "failed"
    depths = Run.objects.order_by("-depth").values_list("depth", "workflow", "error__code")
    assert depths[0][:2] in ((3, "w0"), (3, "w1"))
    assert Run.objects.filter(error__code="too_deep").count() == 1
    assert not Run.objects.exclude(status__in=("succeeded", "failed")).exists()


def test_a_workflow_that_runs_itself_comes_to_an_end(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subruns, "DEEPEST", 3)
    _publish(alice, "loop", {"call": {"type": "workflow", "with": {"workflow": "loop"}}})
    submission.start_run(actor=alice.actor, workflow="loop", inputs={})
    _drain()
    assert list(Run.objects.order_by("depth").values_list("depth", "status")) == [(n, "failed") for n in range(4)]


def test_the_inner_run_is_as_urgent_as_the_outer_one(alice: Person) -> None:
    run = _outer(alice)
    Run.objects.filter(pk=run.pk).update(priority=7)
    with hearing() as heard:
        worker.execute(run.id, ME)
    child = _child(run)
    assert child.priority == 7
    assert (child.id, "", 1, 7) in heard.offers


def test_inner_runs_that_end_at_once_are_all_heard_of(alice: Person) -> None:
    _publish(alice, "inner", {"only": {"type": "say"}})
    nodes = {f"n{number}": {"type": "workflow", "with": {"workflow": "inner"}} for number in range(4)}
    _publish(alice, "outer", nodes)
    run = submission.start_run(actor=alice.actor, workflow="outer", inputs={})
    worker.execute(run.id, ME)
    from_tests = [claim(child, OTHER) for child in Run.objects.filter(parent=run)]
    assert len(from_tests) == 4
    for attempt in from_tests:
        finish(attempt)
    _drain()
    run.refresh_from_db()
    assert run.status == "succeeded"
    in_order(run)


def test_an_inner_run_of_an_earlier_attempt_is_cancelled(alice: Person) -> None:
    """The node waits again, but not for that one."""
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as noon:
        run = _outer(alice, timeout_seconds=20, retry={"max_attempts": 2, "delay_seconds": 0})
        worker.execute(run.id, ME)
        first = _child(run)
        attempt = claim(first, OTHER)
        noon.shift(timedelta(seconds=20))
        worker.execute(run.id, ME)
        second = run.children.exclude(pk=first.pk).get()
        sweeper.sweep(ME)
        first.refresh_from_db()
        second.refresh_from_db()
        assert first.cancel_requested_at is not None
        assert second.cancel_requested_at is None
        finish(attempt)
        _drain()
        run.refresh_from_db()
        assert (run.status, run.output["run_id"]) == ("succeeded", str(second.id))


def test_the_end_of_an_earlier_attempt_s_inner_run_does_not_end_the_wait(alice: Person) -> None:
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as noon:
        run = _outer(alice, timeout_seconds=60, retry={"max_attempts": 2, "delay_seconds": 0})
        worker.execute(run.id, ME)
        attempt = claim(_child(run), OTHER)
        noon.shift(timedelta(seconds=60))
        worker.execute(run.id, ME)
        finish(attempt)
        worker.execute(run.id, ME)
        run.refresh_from_db()
        assert (run.status, states(run)) == ("waiting", {"call": "waiting"})
        _drain()
        run.refresh_from_db()
        assert run.status == "succeeded"


def test_a_worker_that_knows_the_outer_run_as_of_earlier_hears_of_it_at_once(alice: Person) -> None:
    _publish(alice, "inner", {"only": {"type": "say"}})
    nodes = {"call": {"type": "workflow", "with": {"workflow": "inner"}}, "z": {"type": "say", "queue": "other"}}
    _publish(alice, "outer", nodes)
    run = submission.start_run(actor=alice.actor, workflow="outer", inputs={})
    worker.execute(run.id, ME)
    known = executions._take(run.id)
    assert known is not None
    worker.execute(run.id, OTHER, queue="other")
    worker.execute(_child(run).id, OTHER)
    executions.forget()
    executions.keep(known)
    worker.execute(run.id, ME)
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_a_run_that_fails_while_an_inner_one_ends_does_not_lock_with_it(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal of the second inner run holds the head of the org's log; the end of the first waits for that, with
    the row of the node that is to be cancelled.
    """
    _publish(alice, "inner", {"only": {"type": "say"}}, concurrency={"limit": 1, "policy": "reject"})
    calls = {name: {"type": "workflow", "with": {"workflow": "inner"}} for name in ("a", "b")}
    _publish(alice, "outer", calls)
    run = submission.start_run(actor=alice.actor, workflow="outer", inputs={})
    second = progress.finish(a := claim(run), worker.run_node(a))
    assert second is not None
    ending = claim(_child(run), OTHER)
    refuse = limits._refuse_one_too_many
    with ThreadPoolExecutor(1) as threads:
        left: list[Future[Any]] = []

        def refuse_late(*args: Any) -> None:
            try:
                refuse(*args)
            finally:
                left.append(threads.submit(on_its_own, lambda: finish(ending)))
                wait(left, 0.5)

        monkeypatch.setattr(limits, "_refuse_one_too_many", refuse_late)
        progress.finish(second, worker.run_node(second))
        left[0].result(30)
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "limit_reached")
    assert _child(run).status == "succeeded"


def test_what_ended_in_time_counts_also_when_it_is_looked_at_late(alice: Person) -> None:
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as noon:
        run = _outer(alice, timeout_seconds=60)
        worker.execute(run.id, ME)
        worker.execute(_child(run).id, OTHER)
        noon.shift(timedelta(seconds=61))
        _drain()
        run.refresh_from_db()
        assert run.status == "succeeded"


def test_a_node_that_is_looked_at_for_nothing_goes_on_waiting(alice: Person) -> None:
    run = _outer(alice)
    worker.execute(run.id, ME)
    RunNode.objects.filter(run=run).update(due_at=run.created_at)
    worker.execute(run.id, ME)
    assert states(run) == {"call": "waiting"}
    _drain()
    run.refresh_from_db()
    assert run.status == "succeeded"
