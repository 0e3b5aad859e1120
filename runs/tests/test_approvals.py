"""Nodes that wait for a person's word: who may say it, what it means, and that it is said once."""

from typing import Any

import pytest

from conftest import Person
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import Role
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeResult, Waiting
from runs.services import approvals
from runs.tests.steps import carry, node_type, phases, race, start_graph


def _ask(ctx: NodeContext) -> Waiting:
    return Waiting({"kind": "approval", **ctx.config}, "Waiting for somebody to approve.")


@pytest.fixture(autouse=True)
def types() -> Any:
    with node_type("ask", _ask), node_type("work", lambda ctx: NodeResult({"saw": dict(ctx.outputs)}, "done")):
        yield


def _waiting(person: Person, **config: Any) -> Run:
    nodes = {
        "draft": {"type": "work"},
        "review": {"type": "ask", "needs": ["draft"], "with": config},
        "publish": {"type": "work", "needs": ["review"]},
    }
    return carry(start_graph(person, nodes, output="nodes.review"))


def _url(run: Run, what: str) -> str:
    return f"/api/v1/runs/{run.id}/nodes/review/{what}"


def test_the_run_waits_and_says_what_for(alice: Person) -> None:
    run = _waiting(alice, title="Publish?")
    assert run.status == "waiting"
    assert run.waiting_on == [{"node": "review", "kind": "approval", "title": "Publish?"}]
    assert phases(run)[-1] == ("review", "waiting")
    body = alice.client.get(f"/api/v1/runs/{run.id}/nodes").json()["items"]
    assert [(item["node"], item["status"]) for item in body] == [
        ("draft", "completed"), ("review", "waiting"), ("publish", "pending"),
    ]  # fmt: skip


def test_approval_lets_the_run_go_on_with_the_answer(alice: Person, bob: Person) -> None:
    run = _waiting(alice)
    answer = {"answer": {"title": "Fine"}, "comment": "go"}
    response = bob.client.post(_url(run, "approve"), answer, content_type="application/json")
    assert (response.status_code, response.json()["status"]) == (200, "completed")
    run = carry(run)
    assert run.status == "succeeded"
    assert run.output == {"approved": True, "by": str(bob.actor), "answer": {"title": "Fine"}, "comment": "go"}


def test_rejection_fails_the_node_and_the_run(alice: Person) -> None:
    run = _waiting(alice)
    response = alice.client.post(_url(run, "reject"), {"comment": "No."}, content_type="application/json")
    assert (response.status_code, response.json()["error"]["code"]) == (200, "rejected")
    run.refresh_from_db()
    assert (run.status, run.error["node"], run.error["details"]["comment"]) == ("failed", "review", "No.")


def test_it_is_decided_once(alice: Person, bob: Person) -> None:
    run = _waiting(alice)
    approvals.approve(actor=alice.actor, run_id=run.id, node="review")
    for what, body in (("approve", {}), ("reject", {"comment": "late"})):
        response = bob.client.post(_url(run, what), body, content_type="application/json")
        assert (response.status_code, response.json()["type"]) == (409, "conflict")


@pytest.mark.django_db(transaction=True)
def test_of_many_who_decide_at_once_one_is_heard(alice: Person, bob: Person) -> None:
    run = _waiting(alice)
    answers = race(
        lambda: approvals.approve(actor=alice.actor, run_id=run.id, node="review"),
        lambda: approvals.reject(actor=bob.actor, run_id=run.id, node="review", comment="no"),
        lambda: approvals.approve(actor=bob.actor, run_id=run.id, node="review"),
    )
    assert sum(isinstance(answer, Run) for answer in answers) == 1
    ends = [phase for node, phase in phases(run) if node == "review" and phase in ("completed", "failed")]
    assert len(ends) == 1


def test_only_approvers_decide(alice: Person, bob: Person, carol: Person, mallory: Person) -> None:
    run = _waiting(alice, approvers={"roles": [Role.OWNER], "users": []})
    refused = bob.client.post(_url(run, "approve"), {}, content_type="application/json")
    assert (refused.status_code, refused.json()["type"]) == (403, "permission_denied")
    assert carol.client.post(_url(run, "approve"), {}, content_type="application/json").status_code == 403
    assert mallory.client.post(_url(run, "approve"), {}, content_type="application/json").status_code == 404
    assert alice.client.post(_url(run, "approve"), {}, content_type="application/json").status_code == 200


def test_people_are_named_by_their_address(alice: Person, bob: Person) -> None:
    run = _waiting(alice, approvers={"users": ["Bob@example.com"]})
    assert alice.client.post(_url(run, "approve"), {}, content_type="application/json").status_code == 403
    assert bob.client.post(_url(run, "approve"), {}, content_type="application/json").status_code == 200


def test_an_agent_never_decides(alice: Person) -> None:
    run = _waiting(alice)
    agent = Actor("agent", run.id, alice.org.id, frozenset({"read", "write"}))
    with pytest.raises(Exception, match="agent cannot decide"):
        approvals.approve(actor=agent, run_id=run.id, node="review")


def test_the_answer_suits_the_schema(alice: Person) -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}
    run = _waiting(alice, schema=schema)
    for answer in ({}, {"answer": {"days": "two"}}, {"answer": {}}):
        response = alice.client.post(_url(run, "approve"), answer, content_type="application/json")
        assert (response.status_code, response.json()["type"]) == (422, "validation_error")
    response = alice.client.post(_url(run, "approve"), {"answer": {"days": 2}}, content_type="application/json")
    assert response.status_code == 200


def test_pushed_back_the_work_is_done_again_with_the_comment(alice: Person) -> None:
    run = _waiting(alice)
    body = {"comment": "Shorter, please.", "to": "draft"}
    response = alice.client.post(_url(run, "reject"), body, content_type="application/json")
    assert (response.status_code, response.json()["status"]) == (200, "pending")
    run = carry(run)
    assert run.status == "waiting"
    draft = RunNode.objects.get(run=run, node="draft")
    assert (draft.status, draft.attempts) == ("completed", 2)
    assert draft.output["saw"]["review"]["comment"] == "Shorter, please."
    approvals.approve(actor=alice.actor, run_id=run.id, node="review")
    assert carry(run).status == "succeeded"


@pytest.mark.parametrize("to", ["publish", "review", "nowhere"])
def test_it_is_pushed_back_to_what_came_before_only(alice: Person, to: str) -> None:
    run = _waiting(alice)
    response = alice.client.post(_url(run, "reject"), {"comment": "x", "to": to}, content_type="application/json")
    assert (response.status_code, list(response.json()["details"])) == (422, ["to"])


def test_who_was_fenced_off_by_a_push_back_cannot_finish(alice: Person) -> None:
    run = _waiting(alice)
    assert RunNode.objects.get(run=run, node="draft").token == 1
    approvals.reject(actor=alice.actor, run_id=run.id, node="review", comment="again", to="draft")
    assert RunNode.objects.get(run=run, node="draft").token > 1


@pytest.mark.parametrize("node", ["draft", "publish"])
def test_nobody_is_asked_at_other_nodes(alice: Person, node: str) -> None:
    run = _waiting(alice)
    url = f"/api/v1/runs/{run.id}/nodes/{node}/approve"
    assert alice.client.post(url, {}, content_type="application/json").status_code == 409


def test_there_is_nothing_to_decide_at_a_node_that_is_not_there(alice: Person) -> None:
    run = _waiting(alice)
    for node in ("nowhere", "a[b", "%00"):
        url = f"/api/v1/runs/{run.id}/nodes/{node}/approve"
        assert alice.client.post(url, {}, content_type="application/json").status_code == 404
