"""Retry, replay, re-run, fork and patches over HTTP."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.test import RequestFactory

from conftest import Person
from orchestrator.core import clock
from runs.admin.patches import RunPatchAdmin
from runs.models import Run, RunPatch
from runs.nodes.base import NodeContext, NodeResult
from runs.services import bulk, forks
from runs.tests.steps import carry, claim, node_type, start, start_graph
from tests.contract.shape import assert_error
from versioning.models import Artifact
from versioning.services import upkeep

CHAIN = {"a": {"type": "echo"}, "b": {"type": "echo", "needs": ["a"]}}
ADDED = [{"op": "add", "path": "/nodes/c", "value": {"type": "echo", "needs": ["b"]}}]


@pytest.fixture(autouse=True)
def _echo() -> Any:
    with node_type("echo", lambda ctx: NodeResult({"node": _name(ctx)}, "done")):
        yield


def _name(ctx: NodeContext) -> str:
    return ctx.node


def post(person: Person, path: str, body: Any = None, **headers: str) -> Any:
    sent = b"" if body is None else json.dumps(body)
    return person.client.post(path, sent, content_type="application/json", headers=headers)


# --- again -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["/runs", "/api/v1/runs"])
@pytest.mark.parametrize(
    ("call", "body"),
    [("retry", None), ("replay", None), ("rerun", {}), ("rerun", None), ("fork", {"from_node": "intent"})],
)
def test_a_run_is_done_again(alice: Person, base: str, call: str, body: Any) -> None:
    old = carry(start(alice, "Atlantis"))
    assert old.status == "failed"
    answer = post(alice, f"{base}/{old.id}/{call}", body)
    assert answer.status_code == 202, answer.content
    told = answer.json()
    assert (told["status"], answer["Location"]) == ("accepted", f"/api/v1/runs/{told['run_id']}")
    run = alice.client.get(answer["Location"]).json()
    assert (run["forked_from"], run["forked_at"]) == (str(old.id), "intent" if call == "fork" else "")
    assert (run["inputs"], run["artifact_id"]) == (old.inputs, str(old.artifact_id))
    listed = alice.client.get(f"/api/v1/runs?forked_from={old.id}").json()["items"]
    assert [row["id"] for row in listed] == [told["run_id"]]


def test_a_key_makes_one_run(alice: Person) -> None:
    old = carry(start(alice, "Atlantis"))
    first, second = (post(alice, f"/api/v1/runs/{old.id}/retry", None, **{"Idempotency-Key": "once"}) for _ in range(2))
    assert first.content == second.content
    assert second["Idempotent-Replayed"] == "true"
    assert Run.objects.count() == 2


def test_what_cannot_be_done_again_is_said(alice: Person) -> None:
    run = start(alice)
    assert_error(post(alice, f"/api/v1/runs/{run.id}/retry"), 409, "conflict")
    path = f"/api/v1/runs/{run.id}/fork"
    assert_error(post(alice, path, {}), 422, "validation_error", field="from_node")
    assert_error(post(alice, path, {"from_node": "nobody"}), 422, "validation_error", field="from_node")
    faulty = [{"op": "remove", "path": "/nodes/nobody"}]
    answer = post(alice, path, {"from_node": "intent", "patch": faulty})
    assert_error(answer, 422, "validation_error", field="/operations/0")
    answer = post(alice, path, {"from_node": "intent", "inputs": {"prompt": 1}})
    assert_error(answer, 422, "validation_error", field="prompt")


def test_the_nodes_that_differ_are_named(alice: Person) -> None:
    old = carry(start_graph(alice, CHAIN))
    patch = [{"op": "add", "path": "/nodes/a/with", "value": {"x": 1}}]
    answer = post(alice, f"/api/v1/runs/{old.id}/fork", {"from_node": "b", "patch": patch})
    assert_error(answer, 409, "conflict")
    assert answer.json()["details"] == {"nodes": ["a"]}


# --- many at once ----------------------------------------------------------------------------------------------------


def _ended(person: Person, status: str, **fields: Any) -> Run:
    run = start_graph(person, CHAIN)
    Run.objects.filter(pk=run.pk).update(status=status, **fields)
    return run


def test_many_are_retried_once(alice: Person, mallory: Person) -> None:
    failed, cancelled = _ended(alice, "failed"), _ended(alice, "cancelled")
    _ended(alice, "succeeded")
    start_graph(alice, CHAIN)
    _ended(alice, "failed", parent=failed, parent_node="a")
    _ended(mallory, "failed")
    before = Run.objects.count()
    counted = post(alice, "/api/v1/runs/bulk/retry", {"dry_run": True})
    assert (counted.status_code, counted.json()) == (200, {"matched": 2, "done": 0})
    assert Run.objects.count() == before
    assert post(alice, "/api/v1/runs/bulk/retry", {"dry_run": False}).json() == {"matched": 2, "done": 2}
    made = Run.objects.exclude(forked_from=None).order_by("id")
    assert [run.forked_from_id for run in made] == [failed.id, cancelled.id]
    assert post(alice, "/api/v1/runs/bulk/retry", {"dry_run": False}).json() == {"matched": 0, "done": 0}


def test_the_filter_says_which(alice: Person) -> None:
    run = _ended(alice, "failed")
    other = _ended(alice, "cancelled", workflow="other")
    matches = [
        ({}, 2), ({"status": "failed"}, 1), ({"status": "cancelled"}, 1), ({"workflow": "other"}, 1),
        ({"workflow": "none"}, 0), ({"created_after": clock.rfc3339(run.created_at)}, 1),
        ({"created_before": clock.rfc3339(other.created_at)}, 1),
    ]  # fmt: skip
    for asked, count in matches:
        answer = post(alice, "/api/v1/runs/bulk/retry", {**asked, "dry_run": True})
        assert answer.json() == {"matched": count, "done": 0}, asked


@pytest.mark.parametrize(
    "body", [{}, {"dry_run": "no"}, {"dry_run": True, "status": "succeeded"}, {"dry_run": True, "created_after": "x"}]
)
def test_a_bulk_retry_says_whether_it_is_meant(alice: Person, body: dict[str, Any]) -> None:
    assert_error(post(alice, "/api/v1/runs/bulk/retry", body), 422, "validation_error")


def test_a_call_has_its_bounds(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_RETRIED", 1)
    first, second = _ended(alice, "failed"), _ended(alice, "failed")
    for matched, run in ((2, first), (1, second)):
        answer = post(alice, "/api/v1/runs/bulk/retry", {"dry_run": False})
        assert answer.json() == {"matched": matched, "done": 1}
        assert Run.objects.filter(forked_from=run).count() == 1


# --- patches ---------------------------------------------------------------------------------------------------------


def test_a_patch_is_made_listed_and_reverted(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    path = f"/api/v1/runs/{run.id}/patches"
    empty = alice.client.get(path)
    answer = post(alice, path, {"operations": ADDED, "message": "one more"})
    assert (answer.status_code, answer["Location"]) == (201, f"{path}/1")
    made = answer.json()
    assert (made["number"], made["state"], made["definition_version"]) == (1, "accepted", 2)
    assert (made["operations"], made["message"], made["created_by"]) == (ADDED, "one more", str(alice.actor))
    assert alice.client.get(f"{path}/1").json() == made
    assert alice.client.get(f"{path}/1")["ETag"] == answer["ETag"]
    listed = alice.client.get(path)
    assert (listed.json()["kind"], listed.json()["items"]) == ("run_patches", [made])
    assert listed["ETag"] != empty["ETag"]
    assert alice.client.get(path, headers={"If-None-Match": listed["ETag"]}).status_code == 304
    assert alice.client.get(f"/api/v1/runs/{run.id}").json()["definition_version"] == 2
    nodes = [node["node"] for node in alice.client.get(f"/api/v1/runs/{run.id}/nodes").json()["items"]]
    assert nodes == ["a", "b", "c"]
    done = post(alice, f"{path}/1/revert", {"comment": "Not needed."})
    assert (done.status_code, done.json()["state"], done.json()["comment"]) == (200, "reverted", "Not needed.")
    assert [row["state"] for row in alice.client.get(path).json()["items"]] == ["reverted"]
    nodes = [node["node"] for node in alice.client.get(f"/api/v1/runs/{run.id}/nodes").json()["items"]]
    assert nodes == ["a", "b"]
    told = alice.client.get(f"/api/v1/runs/{run.id}/events").json()["items"]
    assert [(row["phase"], row["payload"]["state"]) for row in told] == [
        ("patched", "accepted"),
        ("patched", "reverted"),
    ]
    assert told[1]["summary"].endswith("Not needed.")


@pytest.mark.parametrize(("decision", "state"), [("accept", "accepted"), ("reject", "rejected")])
def test_a_proposal_is_decided_once(alice: Person, bob: Person, decision: str, state: str) -> None:
    run = start_graph(alice, CHAIN)
    path = f"/api/v1/runs/{run.id}/patches"
    assert post(bob, path, {"operations": ADDED, "propose": True}).json()["state"] == "proposed"
    answer = post(alice, f"{path}/1/{decision}")
    assert (answer.status_code, answer.json()["state"], answer.json()["decided_by"]) == (200, state, str(alice.actor))
    for again in ("accept", "reject"):
        assert_error(post(alice, f"{path}/1/{again}"), 409, "conflict")


def test_what_is_wrong_with_a_patch_is_told(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    claim(run)
    path = f"/api/v1/runs/{run.id}/patches"
    answer = post(alice, path, {"operations": [{"op": "add", "path": "/nodes/a/with", "value": {}}]})
    assert_error(answer, 409, "conflict")
    assert answer.json()["details"] == {"nodes": ["a"]}
    answer = post(alice, path, {"operations": [{"op": "add", "path": "/nodes/b/needs/-", "value": "x"}]})
    assert_error(answer, 422, "validation_error", field="/nodes/b/needs/1")
    assert_error(post(alice, path, {"operations": []}), 422, "validation_error", field="operations")
    assert_error(post(alice, path, {"operations": [1]}), 422, "validation_error", field="operations")
    for number in ("1", "0", "-1", "x", "9" * 30, "%C2%B2", "%D9%A1"):
        assert_error(alice.client.get(f"{path}/{number}"), 404, "not_found")


def test_operators_read_patches_and_change_none(alice: Person, rf: RequestFactory) -> None:
    page, request = RunPatchAdmin(RunPatch, site), rf.get("/")
    request.user = alice.user
    assert not page.check()
    may = (page.has_add_permission(request), page.has_change_permission(request), page.has_delete_permission(request))
    assert may == (False, False, False)


def test_the_versions_of_a_patched_run_are_never_collected(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    post(alice, f"/api/v1/runs/{run.id}/patches", {"operations": ADDED})
    post(alice, f"/api/v1/runs/{run.id}/patches/1/revert")
    patch = RunPatch.objects.get()
    upkeep.collect_garbage(older_than=timedelta(days=-1), dry_run=False)
    assert Artifact.objects.filter(pk__in=[patch.base_id, patch.result_id]).count() == 2


def test_a_runs_origin_may_be_forgotten_with_its_org(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    forks.replay_run(actor=alice.actor, run_id=run.id)
    post(alice, f"/api/v1/runs/{run.id}/patches", {"operations": ADDED})
    alice.org.delete()
    assert not RunPatch.objects.exists()
