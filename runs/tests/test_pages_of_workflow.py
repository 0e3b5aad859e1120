"""The runs of a workflow on its page, version by version."""

from typing import Any

from orchestrator.web.tests.browser import faults, queries, sign_in
from runs.models import Run
from runs.pages import of_workflow
from runs.services import submission
from runs.states import RunStatus
from versioning import refs
from versioning.services import workflows

PAGE = "/dashboard/workflows/flow"
WORKFLOW = {"nodes": {"a": {"type": "transform", "with": {"output": 1}}}}


def make(person: Any) -> None:
    workflows.create_workflow(actor=person.actor, tag="flow", definition=WORKFLOW)


def change(person: Any, number: int) -> None:
    operation = {"op": "add", "path": "/nodes/a/timeout_seconds", "value": number}
    workflows.patch_tag(actor=person.actor, tag="flow", operations=[operation])


def start(person: Any) -> Run:
    return submission.start_run(actor=person.actor, workflow="flow", inputs={})


def shown(person: Any) -> Any:
    return of_workflow.by_version(person.actor, refs.live_tag(person.org.id, "flow"))


def test_runs_are_told_by_version_the_latest_first(alice: Any) -> None:
    make(alice)
    old = start(alice)
    Run.objects.update(status=RunStatus.FAILED)
    change(alice, 5)
    new = [start(alice), start(alice)]
    found = shown(alice)["versions"]
    assert [item.version.pk for item in found] == [new[0].artifact_id, old.artifact_id]
    assert [item.counts for item in found] == [[("queued", 2)], [("failed", 1)]]
    assert [run["id"] for run in found[0].latest] == [new[1].pk, new[0].pk]


def test_the_page_links_to_the_runs(alice: Any) -> None:
    make(alice)
    run = start(alice)
    html = sign_in(alice).get(PAGE).content.decode()
    assert faults(html) == []
    assert f"/dashboard/runs/{run.pk}" in html
    assert "/dashboard/runs/new?workflow=flow" in html


def test_a_viewer_is_offered_no_start(alice: Any, carol: Any) -> None:
    make(alice)
    assert "/dashboard/runs/new" not in sign_in(carol).get(PAGE).content.decode()


def test_no_more_runs_are_read_than_are_told(alice: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(of_workflow, "RUNS_READ", 3)
    monkeypatch.setattr(of_workflow, "VERSIONS_SHOWN", 1)
    make(alice)
    start(alice)
    change(alice, 5)
    for _ in range(2):
        start(alice)
    found = shown(alice)
    assert (found["read"], found["capped"], found["others"]) == (3, True, 1)
    start(alice)
    assert shown(alice)["others"] == 0


def test_another_orgs_runs_are_not_counted(alice: Any, mallory: Any) -> None:
    for person in (alice, mallory):
        make(person)
        start(person)
    assert shown(alice)["read"] == 1


def test_more_runs_cost_no_more_queries(alice: Any) -> None:
    make(alice)
    start(alice)
    client = sign_in(alice)
    client.get(PAGE)
    few = queries(lambda: client.get(PAGE))
    for number in range(1, 5):
        change(alice, number)
        start(alice)
    client.get(PAGE)
    assert queries(lambda: client.get(PAGE)) == few
