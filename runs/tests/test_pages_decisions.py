"""The page of a node, and the decisions that people take there."""

from typing import Any

import pytest

from orchestrator.web.tests.browser import queries, sign_in
from runs.models import Run, RunNode
from runs.nodes.base import NodeResult
from runs.pages.approvals import pending
from runs.services import outputs
from runs.tests.pages import asking, page_at, sent
from runs.tests.steps import carry, node_type, start_graph


def at(run: Run, node: str = "review", what: str = "") -> str:
    return f"/dashboard/runs/{run.pk}/nodes/{node}{what}"


def node(run: Run, name: str = "review") -> RunNode:
    return RunNode.objects.get(run=run, node=name)


def test_the_form_is_made_of_the_answers_schema(alice: Any) -> None:
    html = page_at(sign_in(alice), at(asking(alice)))
    assert "Read it first." in html
    assert 'name="answer-title"' in html
    assert 'type="number" name="answer-stars"' in html
    assert "Push back to draft" in html


def test_a_yes_goes_on_with_the_answer(alice: Any, bob: Any) -> None:
    run = asking(alice)
    html = sent(sign_in(bob), at(run, what="/approve"), {"answer-title": "Fine", "answer-stars": "4", "comment": "go"})
    assert "Approved: review." in html
    output = node(run).output
    assert (output["answer"], output["comment"]) == ({"title": "Fine", "stars": 4}, "go")
    assert carry(run).output == {"a": {"title": "Fine", "stars": 4}}


def test_what_breaks_the_schema_is_told_at_the_field_and_what_was_typed_stays(alice: Any) -> None:
    run = asking(alice)
    html = sent(sign_in(alice), at(run, what="/approve"), {"answer-title": "No", "comment": "hm"}, status=422)
    assert 'id="id_answer-title_error"' in html
    assert 'value="No"' in html
    assert ">\nhm</textarea>" in html
    assert node(run).status == "waiting"


def test_without_a_schema_any_object_or_nothing_is_an_answer(alice: Any) -> None:
    first, second = asking(alice, schema=None), asking(alice, schema=None)
    sent(sign_in(alice), at(first, what="/approve"), {"answer": '{"any": 1}'})
    sent(sign_in(alice), at(second, what="/approve"))
    assert (node(first).output["answer"], node(second).output["answer"]) == ({"any": 1}, None)


def test_a_no_needs_a_reason_and_fails_the_node(alice: Any) -> None:
    run, client = asking(alice), sign_in(alice)
    assert 'id="id_comment_error"' in sent(client, at(run, what="/reject"), {"comment": ""}, status=422)
    assert "Rejected: review." in sent(client, at(run, what="/reject"), {"comment": "Too long"})
    run.refresh_from_db()
    assert (run.status, node(run).error["code"]) == ("failed", "rejected")


def test_the_work_can_be_pushed_back(alice: Any) -> None:
    run, client = asking(alice), sign_in(alice)
    assert "Pushed back to draft." in sent(client, at(run, what="/reject"), {"comment": "Again", "to": "draft"})
    assert node(run, "draft").status == "pending"
    assert sent(client, at(carry(run), what="/reject"), {"comment": "x", "to": "publish"}, status=422)


def test_who_comes_second_is_told(alice: Any, bob: Any) -> None:
    run = asking(alice, schema=None)
    sent(sign_in(alice), at(run, what="/approve"))
    assert "Nobody is asked to decide on review any more." in sent(
        sign_in(bob), at(run, what="/reject"), {"comment": "x"}
    )


def test_who_is_not_asked_has_no_form_and_is_refused(alice: Any, bob: Any) -> None:
    run, client = asking(alice, schema=None, approvers={"roles": ["owner"]}), sign_in(bob)
    html = page_at(client, at(run))
    assert "You are not among those who are asked." in html
    assert "Approve</button>" not in html
    assert "You are not among those who are asked to decide." in sent(client, at(run, what="/approve"))
    assert node(run).status == "waiting"


def test_viewers_decide_nothing(alice: Any, carol: Any) -> None:
    run, client = asking(alice), sign_in(carol)
    html = page_at(client, at(run))
    assert "Approve</button>" not in html
    assert "Fork from here" not in html
    assert client.post(at(run, what="/approve")).status_code == 403
    assert client.post(at(run, what="/reject"), {"comment": "x"}).status_code == 403


@pytest.mark.parametrize("what", ["", "/output"])
def test_another_orgs_node_is_not_there(alice: Any, mallory: Any, what: str) -> None:
    assert sign_in(mallory).get(at(asking(alice), what=what)).status_code == 404


@pytest.mark.parametrize("name", ["nothing", "review[0]", "%22", "x" * 300])
def test_no_such_node(alice: Any, name: str) -> None:
    assert sign_in(alice).get(at(asking(alice), name)).status_code == 404


# --- what a node came to ----------------------------------------------------------------------------------------------


def test_the_output_is_shown_and_can_be_had_as_a_file(alice: Any) -> None:
    run, client = asking(alice), sign_in(alice)
    assert "&quot;text&quot;: &quot;Draft&quot;" in page_at(client, at(run, "draft"))
    answer = client.get(at(run, "draft", "/output"))
    assert (answer.json(), "attachment" in answer["Content-Disposition"]) == ({"text": "Draft"}, True)
    assert client.get(at(run, "publish", "/output")).status_code == 404


def test_a_large_output_is_a_file_only(alice: Any) -> None:
    text = "x" * (outputs.MOST_INLINE + 1)
    with node_type("big", lambda ctx: NodeResult({"text": text}, "done")):
        run = carry(start_graph(alice, {"a": {"type": "big"}}))
    client = sign_in(alice)
    assert "too much to be shown here" in page_at(client, at(run, "a"))
    assert client.get(at(run, "a", "/output")).json() == {"text": text}


def test_items_of_a_mapped_node_come_in_pages(alice: Any) -> None:
    nodes = {"each": {"type": "transform", "map": {"over": "inputs.list"}, "with": {"output": {"n": 1}}}}
    run = carry(carry(start_graph(alice, nodes, inputs={"list": list(range(103))})))  # a worker gives way in between
    client = sign_in(alice)
    first = page_at(client, at(run, "each"))
    assert "each[99]" in first
    assert "each[100]" not in first
    assert "?from=99" in first
    assert "each[102]" in page_at(client, at(run, "each") + "?from=99")
    assert "item 5" in page_at(client, at(run, "each[5]"))


def test_an_error_is_told(alice: Any) -> None:
    run, client = asking(alice), sign_in(alice)
    sent(client, at(run, what="/reject"), {"comment": "Too long"})
    told = f"Rejected by {alice.user.name or alice.user.email}: Too long"
    assert told in page_at(client, at(run))
    assert told in page_at(client, f"/dashboard/runs/{run.pk}")


def test_the_page_of_a_node_costs_the_same_for_a_long_story(alice: Any) -> None:
    run, client = asking(alice), sign_in(alice)
    few = queries(lambda: client.get(at(run)))
    for _ in range(3):
        sent(client, at(run, what="/reject"), {"comment": "Again", "to": "draft"})
        carry(run)
    assert queries(lambda: client.get(at(run))) <= few + 1  # somebody's name


# --- what waits for me ------------------------------------------------------------------------------------------------


def test_pending_names_what_waits_for_the_actors_own_decision(alice: Any, bob: Any, carol: Any, mallory: Any) -> None:
    run, of_owners = asking(alice, expires_seconds=60), asking(alice, approvers={"roles": ["owner"]})
    of_bob = asking(alice, approvers={"users": ["BOB@example.com"]})
    assert [found["run_id"] for found in pending(alice.actor, 10)] == [run.pk, of_owners.pk]
    assert [found["run_id"] for found in pending(bob.actor, 10)] == [run.pk, of_bob.pk]
    assert pending(carol.actor, 10) == pending(mallory.actor, 10) == []
    found = pending(bob.actor, 1)
    assert [(one["node"], one["title"], one["workflow"]) for one in found] == [("review", "Publish?", "of-a-test")]
    assert found[0]["expires_at"] is not None


def test_the_list_of_approvals(alice: Any, carol: Any) -> None:
    assert "Nothing waits for you" in page_at(sign_in(alice), "/dashboard/approvals")
    run = asking(alice)
    assert at(run, what="#decide") in page_at(sign_in(alice), "/dashboard/approvals")
    assert "Viewers are not asked" in page_at(sign_in(carol), "/dashboard/approvals")
    client = sign_in(alice)
    few = queries(lambda: client.get("/dashboard/approvals"))
    asking(alice)
    assert queries(lambda: client.get("/dashboard/approvals")) == few


def test_the_runs_page_leads_to_the_decision(alice: Any, carol: Any) -> None:
    run = asking(alice)
    assert f'href="{at(run)}#decide"' in page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")
    assert 'id="decide-review"' not in page_at(sign_in(carol), f"/dashboard/runs/{run.pk}")
