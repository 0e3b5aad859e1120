"""Large outputs are kept once and named in the node's row; expressions and the API find the whole of them."""

from typing import Any

import pytest

from conftest import Person
from runs.models import RunNode, RunOutput
from runs.nodes.base import NodeContext, NodeFailure, NodeResult
from runs.services import executions, forks, outputs
from runs.tests.steps import carry, claim, node_type, start_graph, step

LARGE = "x" * (outputs.MOST_INLINE + 1)


@pytest.fixture(autouse=True)
def types() -> Any:
    def large(ctx: NodeContext) -> NodeResult:
        return NodeResult({"text": LARGE, "end": "here"}, "made")

    def echo(ctx: NodeContext) -> NodeResult:
        return NodeResult(dict(ctx.config), "said")

    with node_type("large", large), node_type("echo", echo):
        yield


def test_the_row_has_a_reference_and_expressions_have_the_whole(alice: Person) -> None:
    nodes = {
        "make": {"type": "large"},
        "look": {"type": "echo", "needs": ["make"], "with": {"end": "${nodes.make.end}"}},
    }
    run = start_graph(alice, nodes, output="length(nodes.make.text)")
    attempt = step(claim(run))
    assert attempt is not None
    executions.forget()  # as another process would find it
    step(attempt)
    run.refresh_from_db()
    assert (run.status, run.output) == ("succeeded", len(LARGE))
    row = RunNode.objects.get(run=run, node="make")
    assert set(row.output) == {"$output", "bytes"}
    assert RunNode.objects.get(run=run, node="look").output == {"end": "here"}


def test_another_process_finds_it_again(alice: Person) -> None:
    nodes = {
        "make": {"type": "large"},
        "look": {"type": "echo", "needs": ["make"], "with": {"end": "${nodes.make.end}"}, "queue": "other"},
    }
    run = start_graph(alice, nodes)
    step(claim(run))
    executions.forget()
    outputs._load.cache_clear()
    step(claim(run, queue="other"))
    assert RunNode.objects.get(run=run, node="look").output == {"end": "here"}


def test_the_api_gives_the_whole_of_it(alice: Person, mallory: Person) -> None:
    run = carry(start_graph(alice, {"make": {"type": "large"}}))
    url = f"/api/v1/runs/{run.id}/nodes/make/output"
    answer = alice.client.get(url)
    assert answer.json()["output"]["text"] == LARGE
    assert alice.client.get(url, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert mallory.client.get(url).status_code == 404


def test_items_of_a_map_are_kept_one_by_one(alice: Person) -> None:
    nodes = {"many": {"type": "large", "map": {"over": "[`1`, `2`]"}}}
    run = carry(start_graph(alice, nodes, output="length(nodes.many.items[1].text)"))
    assert (run.status, run.output) == ("succeeded", len(LARGE))
    assert RunOutput.objects.filter(run=run).count() == 1, "the same content is kept once"


def test_more_than_can_be_kept_is_a_failure(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST", outputs.MOST_INLINE)
    run = carry(start_graph(alice, {"make": {"type": "large"}}))
    assert (run.status, run.error["code"]) == ("failed", "output_too_large")


def test_what_is_reused_in_another_run_is_there_too(alice: Person) -> None:
    def fail_once(ctx: NodeContext) -> NodeResult:
        if ctx.variables["run"]["id"] == str(run.id):
            raise NodeFailure("broken", "It broke.")
        return NodeResult({"end": ctx.outputs["make"]["end"]}, "done")

    nodes = {"make": {"type": "large"}, "look": {"type": "fail_once", "needs": ["make"]}}
    run = start_graph(alice, nodes, output="[nodes.look.end, length(nodes.make.text)]")
    with node_type("fail_once", fail_once):
        carry(run)
        again = forks.retry_run(actor=alice.actor, run_id=run.id)
        run.delete()
        executions.forget()
        outputs._load.cache_clear()
        carry(again)
    assert (again.status, again.output) == ("succeeded", ["here", len(LARGE)])


@pytest.mark.parametrize("said", [{"$output": "sha256:none"}, {"items": [{"$output": "sha256:none"}, 1]}])
def test_an_output_that_looks_like_a_reference_is_what_it_says(alice: Person, said: Any) -> None:
    run = carry(start_graph(alice, {"e": {"type": "echo", "with": said}}, output="nodes.e"))
    assert (run.status, run.output) == ("succeeded", said)
    assert alice.client.get(f"/api/v1/runs/{run.id}/nodes/e/output").json()["output"] == said
    over = {"over": "inputs.list"}
    run = carry(start_graph(alice, {"e": {"type": "echo", "map": over, "with": said}}, inputs={"list": [1]},
                            output="nodes.e.items"))  # fmt: skip
    assert (run.status, run.output) == ("succeeded", [said])


def test_large_items_of_a_large_list_are_found_whole(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST_INLINE", 100)
    nodes = {"many": {"type": "large", "map": {"over": "[`1`, `2`, `3`]"}}}
    run = carry(start_graph(alice, nodes, output="length(nodes.many.items[1].text)"))
    assert (run.status, run.output) == ("succeeded", len(LARGE))
    assert "$output" in RunNode.objects.get(run=run, node="many").output


@pytest.mark.parametrize("on_failure", ["fail", "continue"])
def test_items_that_are_too_large_together_end_the_map_at_once(
    alice: Person, monkeypatch: pytest.MonkeyPatch, on_failure: str
) -> None:
    """Before more of them are made than a worker can hold."""
    monkeypatch.setattr(outputs, "MOST", 3 * len(LARGE))
    nodes = {"many": {"type": "large", "map": {"over": "inputs.list", "concurrency": 1}, "on_failure": on_failure}}
    run = carry(start_graph(alice, nodes, inputs={"list": list(range(20))}, output="errors.many.code"))
    assert "output_too_large" in (run.output, (run.error or {}).get("code"))
    assert RunNode.objects.filter(run=run, node__startswith="many[").count() == 3
