"""The versions of workflows within a run's workflow stay as long as the run: also when nothing else names them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from conftest import Person
from runs.engine import sweeper, worker
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, Waiting
from runs.services import approvals, executions, forks, patches, submission
from runs.services.progress import Fenced
from runs.tests.steps import ME, claim, finish, hearing, node_type
from versioning.models import Artifact
from versioning.services import tags, upkeep, workflows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _types() -> Iterator[None]:
    def call(context: NodeContext) -> Waiting:
        return Waiting({"kind": "run", **context.config}, "Waiting for a run.")

    def ask(context: NodeContext) -> Waiting:
        return Waiting({"kind": "approval"}, "Waiting.")

    def say(context: NodeContext) -> NodeResult:
        if context.config.get("fail"):
            raise NodeFailure("broken", "It broke.")
        return NodeResult(dict(context.config), "Said.")

    with node_type("workflow", call), node_type("ask", ask), node_type("say", say):
        yield


def _publish(person: Person, tag: str, nodes: dict[str, Any], **definition: Any) -> None:
    workflows.create_workflow(actor=person.actor, tag=tag, definition={"nodes": nodes, **definition})


def _waiting(person: Person, **word: Any) -> Run:
    """A run that waits for a person before it starts a run of ``inner``, whose version nobody else names."""
    _publish(person, "inner", {"only": {"type": "say", "with": word}}, output="nodes.only")
    call = {"type": "workflow", "needs": ["ask"], "with": {"workflow": "inner"}}
    _publish(person, "outer", {"ask": {"type": "ask"}, "call": call}, output="nodes.call.output")
    run = submission.start_run(actor=person.actor, workflow="outer", inputs={})
    worker.execute(run.id, ME)
    tags.delete_tag(actor=person.actor, name="inner")
    return run


def _collect() -> None:
    upkeep.collect_garbage(older_than=timedelta(0), dry_run=False)
    executions.forget()


def _drain(run: Run) -> Run:
    for _ in range(10):
        with hearing() as heard:
            sweeper.sweep(ME)
        for run_id, queue, *_ in heard.offers:
            worker.execute(run_id, ME, queue=queue)
    run.refresh_from_db()
    return run


def _approve(person: Person, run: Run) -> Run:
    approvals.approve(actor=person.actor, run_id=run.id, node="ask")
    return _drain(run)


def test_a_run_that_waits_long_starts_the_inner_run_all_the_same(alice: Person) -> None:
    run = _waiting(alice, word="kept")
    _collect()
    assert _approve(alice, run).output == {"word": "kept"}


def test_a_run_that_ended_before_can_be_done_again(alice: Person) -> None:
    run = _waiting(alice, word="kept")
    approvals.reject(actor=alice.actor, run_id=run.id, node="ask", comment="no")
    _collect()
    again = forks.retry_run(actor=alice.actor, run_id=run.id)
    worker.execute(again.id, ME)
    _collect()
    assert _approve(alice, again).output == {"word": "kept"}


def test_what_a_patch_took_away_and_its_revert_brings_back_is_still_there(alice: Person) -> None:
    run = _waiting(alice, word="kept")
    remove = [{"op": "remove", "path": "/nodes/call"}, {"op": "remove", "path": "/output"}]
    patch = patches.submit_patch(actor=alice.actor, run_id=run.id, operations=remove)
    _collect()
    patches.revert_patch(actor=alice.actor, run_id=run.id, number=patch.number)
    assert _approve(alice, run).output == {"word": "kept"}


def test_what_a_patch_brought_stays_too(alice: Person) -> None:
    run = _waiting(alice, word="kept")
    _publish(alice, "late", {"only": {"type": "say", "with": {"word": "late"}}}, output="nodes.only")
    more = {"type": "workflow", "needs": ["ask"], "with": {"workflow": "late"}}
    add = [
        {"op": "add", "path": "/nodes/more", "value": more},
        {"op": "replace", "path": "/output", "value": "nodes.more.output"},
    ]
    patches.submit_patch(actor=alice.actor, run_id=run.id, operations=add)
    tags.delete_tag(actor=alice.actor, name="late")
    _collect()
    assert _approve(alice, run).output == {"word": "late"}


def test_they_go_with_the_run(alice: Person) -> None:
    run = _waiting(alice, word="gone")
    snapshot_id = run.pins["call"]["snapshot"]
    _collect()
    assert Artifact.objects.filter(pk=snapshot_id).exists()
    run.delete()
    _collect()
    assert not Artifact.objects.filter(pk=snapshot_id).exists()
    assert not RunNode.objects.exists()


def test_an_org_goes_with_all_that_it_has_while_its_runs_go_on(alice: Person) -> None:
    run = _waiting(alice, word="gone")
    approvals.approve(actor=alice.actor, run_id=run.id, node="ask")
    attempt = claim(run)
    alice.org.delete()
    with pytest.raises(Fenced):
        finish(attempt)
    with hearing() as heard:
        sweeper.sweep(ME)
    assert not heard.offers
    assert not Artifact.objects.exists()
