"""Doing a run again, changing it while it goes on, and the version that it goes by."""

import json
from typing import Any

import pytest

from orchestrator.web.tests.browser import queries, sign_in
from runs import definitions
from runs.models import Run, RunPatch
from runs.services import patches, submission
from runs.tests.pages import asking, page_at, sent
from runs.tests.steps import carry
from versioning.services import workflows

REPLACED = [{"op": "replace", "path": "/nodes/publish/with", "value": {"output": {"b": 1}}}]
ACTS = ("cancel", "retry", "replay", "rerun")
DEFINITION: dict[str, Any] = {"nodes": {"a": {"type": "transform", "with": {"output": {"n": 1}}}}}


def failed(person: Any) -> Run:
    return carry(submission.start_run(actor=person.actor, inputs={"prompt": "A trip to Atlantis"}))


def at(run: Run, what: str = "") -> str:
    return f"/dashboard/runs/{run.pk}{what}"


def of_workflow(person: Any) -> Run:
    workflows.create_workflow(actor=person.actor, tag="daily", definition=DEFINITION)
    return carry(submission.start_run(actor=person.actor, inputs={}, workflow="daily"))


@pytest.mark.parametrize("what", ["retry", "replay", "rerun"])
def test_a_run_is_done_again_and_names_the_one_before(alice: Any, what: str) -> None:
    origin, client = failed(alice), sign_in(alice)
    html = sent(client, at(origin, f"/{what}"))
    made = Run.objects.get(forked_from=origin)
    assert f'href="{at(origin)}"' in html
    assert f'href="{at(made)}"' in page_at(client, at(origin))
    assert str(made.pk) in page_at(client, f"/dashboard/runs?forked_from={origin.pk}")


def test_what_cannot_be_done_again_says_why(alice: Any) -> None:
    run = of_workflow(alice)
    html = sent(sign_in(alice), at(run, "/retry"))
    assert "The run has succeeded: replay it" in html
    assert Run.objects.count() == 1


def test_only_what_is_possible_is_offered(alice: Any) -> None:
    client, active, ended = sign_in(alice), asking(alice), failed(alice)
    of_active, of_ended = page_at(client, at(active)), page_at(client, at(ended))
    offered = [
        (f"act-{what}" in of_active, f"act-{what}" in of_ended) for what in ("cancel", "patches", "retry", "fork")
    ]
    assert offered == [(True, False), (True, False), (False, True), (True, True)]


@pytest.mark.parametrize("what", ACTS)
def test_viewers_and_strangers_do_nothing(alice: Any, carol: Any, mallory: Any, what: str) -> None:
    run = failed(alice)
    assert sign_in(carol).post(at(run, f"/{what}")).status_code == 403
    assert sign_in(mallory).post(at(run, f"/{what}")).status_code == 404
    assert sign_in(alice).get(at(run, f"/{what}")).status_code == 405
    assert "act-" not in page_at(sign_in(carol), at(run))
    assert Run.objects.count() == 1


# --- fork -------------------------------------------------------------------------------------------------------------


def test_the_form_of_a_fork_is_filled_like_the_run(alice: Any) -> None:
    html = page_at(sign_in(alice), at(failed(alice), "/fork?from=selector"))
    assert '<option value="selector" selected>' in html
    assert "A trip to Atlantis" in html


def test_a_fork_begins_at_a_node_with_other_inputs_and_another_definition(alice: Any) -> None:
    origin = asking(alice)
    asked = {"from_node": "review", "version": "same", "inputs": '{"x": 1}', "patch": json.dumps(REPLACED)}
    html = sent(sign_in(alice), at(origin, "/fork"), asked)
    made = Run.objects.get(forked_from=origin)
    assert "This run begins at review" in html
    assert (made.inputs, made.forked_at) == ({"x": 1}, "review")
    assert made.snapshot_id != origin.snapshot_id


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [("inputs", "{", 422), ("inputs", "[]", 422), ("patch", "{}", 422), ("from_node", "nothing", 422),
     ("patch", '[{"op": "test", "path": "/nodes/draft/type", "value": "x"}]', 409), ("version", "head", 422)],
)  # fmt: skip
def test_a_fork_that_is_refused_says_why_at_its_field(alice: Any, field: str, value: str, status: int) -> None:
    origin = asking(alice)
    asked = {"from_node": "review", "version": "same", "inputs": "{}", "patch": "", field: value}
    html = sent(sign_in(alice), at(origin, "/fork"), asked, status=status)
    assert 'class="errorlist' in html
    assert not Run.objects.filter(forked_from=origin).exists()


def test_who_may_not_fork(alice: Any, carol: Any, mallory: Any) -> None:
    run = failed(alice)
    assert sign_in(carol).get(at(run, "/fork")).status_code == 403
    assert sign_in(mallory).get(at(run, "/fork")).status_code == 404


# --- patches ----------------------------------------------------------------------------------------------------------


def test_a_patch_is_applied_and_can_be_taken_back(alice: Any) -> None:
    run, client = asking(alice), sign_in(alice)
    html = sent(client, at(run, "/patches"), {"operations": json.dumps(REPLACED), "message": "Shorter"})
    assert "Patch 1 is in force." in html
    assert "Shorter" in html
    assert "changed 1 time" in page_at(client, at(run))
    assert "Patch 1 is taken back." in sent(client, at(run, "/patches/1/revert"), {"comment": "No"})
    assert RunPatch.objects.get().state == "reverted"


@pytest.mark.parametrize(("decision", "state"), [("accept", "accepted"), ("reject", "rejected")])
def test_a_proposed_patch_waits_for_a_decision(alice: Any, bob: Any, decision: str, state: str) -> None:
    run, client = asking(alice), sign_in(bob)
    sent(sign_in(alice), at(run, "/patches"), {"operations": json.dumps(REPLACED), "propose": "on"})
    assert "(1 proposed)" in page_at(client, at(run))
    sent(client, at(run, f"/patches/1/{decision}"), {"comment": "Seen"})
    patch = RunPatch.objects.get()
    assert (patch.state, patch.comment, patch.decided_by) == (state, "Seen", str(bob.actor))


@pytest.mark.parametrize(
    ("operations", "status"),
    [("{", 422), ("", 422), ('[{"op": "remove", "path": "/nodes/nothing"}]', 422),
     ('[{"op": "add", "path": "/nodes/draft/needs", "value": []}, {"op": "remove", "path": "/nodes/draft"}]', 422)],
)  # fmt: skip
def test_a_patch_that_is_refused_says_why_and_keeps_what_was_typed(alice: Any, operations: str, status: int) -> None:
    run = asking(alice)
    answer = sign_in(alice).post(at(run, "/patches"), {"operations": operations, "message": "Typed"})
    html = answer.content.decode()
    assert answer.status_code == status
    assert "id_operations_error" in html
    assert 'value="Typed"' in html
    assert not RunPatch.objects.exists()


def test_a_decision_that_comes_too_late_is_told(alice: Any) -> None:
    run = asking(alice)
    patches.submit_patch(actor=alice.actor, run_id=run.pk, operations=REPLACED)
    assert "The patch is accepted, not proposed." in sent(sign_in(alice), at(run, "/patches/1/accept"))
    assert sign_in(alice).post(at(run, "/patches/2/accept")).status_code == 404
    assert sign_in(alice).post(at(run, "/patches/1/forget")).status_code == 404


def test_who_may_not_patch(alice: Any, carol: Any, mallory: Any) -> None:
    run = asking(alice)
    assert "Check and apply" not in page_at(sign_in(carol), at(run, "/patches"))
    assert sign_in(carol).post(at(run, "/patches"), {"operations": "[]"}).status_code == 403
    assert sign_in(carol).post(at(run, "/patches/1/accept")).status_code == 403
    assert sign_in(mallory).get(at(run, "/patches")).status_code == 404


def test_an_ended_run_cannot_be_patched_and_the_page_says_so(alice: Any) -> None:
    assert "nothing of it can be changed any more" in page_at(sign_in(alice), at(failed(alice), "/patches"))


def test_the_page_of_patches_costs_the_same_for_many(alice: Any) -> None:
    run, client = asking(alice), sign_in(alice)
    for _ in range(3):
        patches.submit_patch(actor=alice.actor, run_id=run.pk, operations=REPLACED, propose=True)
    few = queries(lambda: client.get(at(run, "/patches")))
    for _ in range(10):
        patches.submit_patch(actor=alice.actor, run_id=run.pk, operations=REPLACED, propose=True)
    assert queries(lambda: client.get(at(run, "/patches"))) == few


# --- the version ------------------------------------------------------------------------------------------------------


def test_the_version_page_says_what_has_changed_since(alice: Any, mallory: Any) -> None:
    run, client = of_workflow(alice), sign_in(alice)
    assert "Nothing: daily is today what this run goes by." in page_at(client, at(run, "/workflow"))
    operations = [
        {"op": "add", "path": "/nodes/b", "value": {"type": "transform", "needs": ["a"], "with": {"output": {}}}},
        {"op": "replace", "path": "/nodes/a/with/output/n", "value": 2},
        {"op": "add", "path": "/description", "value": "Better"},
    ]
    workflows.patch_tag(actor=alice.actor, tag="daily", operations=operations)
    html = page_at(client, at(run, "/workflow"))
    assert "Node <strong>b</strong> added" in html
    assert "Node <strong>a</strong> changed" in html
    assert "The workflow itself changed" in html
    assert sign_in(mallory).get(at(run, "/workflow")).status_code == 404


def test_the_version_of_a_workflow_that_is_gone_is_still_there(alice: Any) -> None:
    assert "is not there any more" in page_at(sign_in(alice), at(asking(alice), "/workflow"))


# --- starting one of any workflow -------------------------------------------------------------------------------------


SCHEMA = {
    "type": "object",
    "properties": {"topic": {"type": "string"}, "times": {"type": "integer", "maximum": 3}},
    "required": ["topic"],
}


def test_the_form_of_a_workflow_is_made_of_its_inputs(alice: Any, mallory: Any) -> None:
    definition = {**DEFINITION, "inputs": SCHEMA}
    workflows.create_workflow(actor=alice.actor, tag="news/daily", definition=definition)
    client, path = sign_in(alice), "/dashboard/runs/new?workflow=news/daily"
    assert 'name="inputs-topic"' in page_at(client, path)
    sent(client, path, {"inputs-topic": "tea", "inputs-times": "2", "priority": "5"})
    run = Run.objects.get()
    assert (run.workflow, run.inputs, run.priority) == ("news/daily", {"topic": "tea", "times": 2}, 5)
    assert 'value="tea"' in page_at(client, f"/dashboard/runs/new?from={run.pk}")
    assert sign_in(mallory).get(path).status_code == 404


@pytest.mark.parametrize("data", [{"inputs-topic": ""}, {"inputs-topic": "t", "inputs-times": "9"},
                                  {"inputs-topic": "t", "priority": "101"}])  # fmt: skip
def test_inputs_that_do_not_suit_the_workflow_start_nothing(alice: Any, data: dict[str, str]) -> None:
    workflows.create_workflow(actor=alice.actor, tag="daily", definition={**DEFINITION, "inputs": SCHEMA})
    assert "errorlist" in sent(sign_in(alice), "/dashboard/runs/new?workflow=daily", data, status=422)
    assert not Run.objects.exists()


def test_what_only_the_service_finds_is_told_at_the_field(alice: Any) -> None:
    strict = {**SCHEMA, "properties": {"topic": {"type": "string", "pattern": "^[a-z]+$"}}}
    workflows.create_workflow(actor=alice.actor, tag="daily", definition={**DEFINITION, "inputs": strict})
    html = sent(sign_in(alice), "/dashboard/runs/new?workflow=daily", {"inputs-topic": "TEA"}, status=422)
    assert 'id="id_inputs-topic_error"' in html


def test_without_a_schema_the_inputs_are_json(alice: Any) -> None:
    workflows.create_workflow(actor=alice.actor, tag="daily", definition=DEFINITION)
    sent(sign_in(alice), "/dashboard/runs/new?workflow=daily", {"inputs": '{"any": [1]}'})
    assert Run.objects.get().inputs == {"any": [1]}


def test_the_built_in_form_is_the_first(alice: Any) -> None:
    definitions.ensure_built_in(alice.org.id)
    assert "What should be planned?" in page_at(sign_in(alice), "/dashboard/runs/new")
