"""Runs and the versions that they are frozen to; which runs used a version, and how they went."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.api import lists
from orchestrator.core import clock
from orchestrator.core.canonical import canonical_json, digest
from runs import snapshot
from runs.models import Run
from runs.tests.steps import PARIS, STRAIGHT, carry
from versioning import materialisation
from versioning.models import Artifact, ArtifactKind, Blob, Tag
from versioning.services import artifacts
from versioning.tests.calls import (
    branch,
    create,
    definition,
    delete,
    done,
    get,
    head,
    patched,
    post,
    refused,
    set_timeout,
    unchanged,
)

NOBODY = "0190aaaa-0000-7000-8000-000000000000"


def run(person: Person, workflow: str = "flow", **fields: Any) -> str:
    """The id of a new run."""
    body = {"workflow": workflow, **fields}
    if workflow == "agent-graph":
        body["inputs"] = {"prompt": PARIS}
    answer = post(person, "runs", body)
    assert answer.status_code == 202, answer.content
    run_id: str = answer.json()["run_id"]
    return run_id


def frozen(person: Person, run_id: str) -> bytes:
    """The run's definition as the rows have it."""
    snapshot.definition_in.cache_clear()
    materialisation.forget()
    content: bytes = done(get(person, f"runs/{run_id}/workflow")).content
    return content


def plain(document: Any) -> bytes:
    return canonical_json(document)


# --- frozen ----------------------------------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[Person], Any]] = {
    "patch": lambda person: patched(person, "flow", set_timeout(9)),
    "move": lambda person: done(post(person, "tags/flow/move", {"tag": "other"})),
    "undo": lambda person: done(post(person, "tags/flow/undo", {})),
    "delete": lambda person: delete(person, "workflows/flow"),
    "compact": lambda person: artifacts.compact(Artifact.objects.get(pk=head(person)), person.actor),
    "next life": lambda person: (delete(person, "tags/flow"), create(person, "flow", "x")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_nothing_that_becomes_of_a_tag_changes_what_a_run_runs(alice: Person, what: str) -> None:
    create(alice, "other", "z")
    create(alice)
    patched(alice, "flow", set_timeout(1))
    run_id = run(alice)
    before = frozen(alice, run_id)
    told = get(alice, f"runs/{run_id}").content
    CHANGES[what](alice)
    assert frozen(alice, run_id) == before
    assert get(alice, f"runs/{run_id}").content == told
    nodes = {"a": {"type": "planner", "timeout_seconds": 1}, "b": {"type": "planner", "needs": ["a"]}}
    assert before == plain({"name": "flow", "nodes": nodes})


def test_all_of_it_together(alice: Person) -> None:
    create(alice, "other", "z")
    create(alice)
    patched(alice, "flow", set_timeout(1))
    run_id = run(alice)
    before = frozen(alice, run_id)
    for what in ("patch", "compact", "patch", "undo", "move", "undo", "patch", "next life", "delete"):
        CHANGES[what](alice)
        assert frozen(alice, run_id) == before, what


def test_a_queued_run_carries_out_what_it_was_started_with(alice: Person) -> None:
    run_id = run(alice, "agent-graph")
    patched(alice, "agent-graph", {"op": "add", "path": "/nodes/extra", "value": {"type": "intent"}})
    ended = carry(Run.objects.get(pk=run_id))
    assert ended.status == "succeeded"
    assert [row["node"] for row in get(alice, f"runs/{run_id}/nodes").json()["items"]] == STRAIGHT


def test_a_run_tells_its_version_and_its_content(alice: Person) -> None:
    create(alice)
    version = patched(alice, "flow", set_timeout(1))
    run_id = run(alice)
    told = get(alice, f"runs/{run_id}").json()
    assert (told["workflow"], told["artifact_id"]) == ("flow", version)
    assert told["definition"] == get(alice, "tags/flow").json()["digest"] == digest(frozen(alice, run_id))
    assert get(alice, f"artifacts/{version}").json()["digest"] == told["definition"]


# --- which version ---------------------------------------------------------------------------------------------------


@pytest.fixture
def line(alice: Person) -> list[str]:
    """Three versions of ``flow``, oldest first; move n made the nth."""
    first = create(alice).json()["artifact"]["id"]
    return [first, *(patched(alice, "flow", set_timeout(seconds)) for seconds in (1, 2))]


@pytest.mark.parametrize(
    ("ref", "place"),
    [
        ("~1", 1), ("~", 1), ("~~", 0), ("~0", 2), ("@{1}", 0), ("@{3}~1", 1), ("1", 0), ("2", 1), ("3", 2),
        ("flow", 2), ("flow~2", 0), ("flow@{2}", 1), ("other", 0), ("other~0", 0),
    ],
)  # fmt: skip
def test_a_ref_names_the_version_to_run(alice: Person, line: list[str], ref: str, place: int) -> None:
    branch(alice, "other", "flow@{1}")
    told = get(alice, f"runs/{run(alice, ref=ref)}").json()
    assert (told["artifact_id"], told["workflow"]) == (line[place], "flow")
    seconds = [None, 1, 2][place]
    assert get(alice, f"runs/{told['id']}/workflow").json()["nodes"]["a"].get("timeout_seconds") == seconds


def test_an_id_and_a_digest_are_refs(alice: Person, line: list[str]) -> None:
    address = get(alice, f"artifacts/{line[1]}").json()["digest"]
    for ref in (line[1], address, address[len("sha256:") :][:12]):
        assert get(alice, f"runs/{run(alice, ref=ref)}").json()["artifact_id"] == line[1]


@pytest.mark.parametrize("ref", ["~3", "@{9}", "@{0}", "9", "0", "gone", NOBODY, "a b", "~x", "@{", "é"])
def test_a_ref_that_names_nothing_is_422(alice: Person, line: list[str], ref: str) -> None:
    body = {"workflow": "flow", "ref": ref, "inputs": {}}
    assert list(unchanged(lambda: post(alice, "runs", body), 422, "validation_error")["details"]) == ["ref"]
    assert not Run.objects.exists()


@pytest.mark.parametrize("workflow", ["gone", "flow~1", "flow@{1}", "../flow", "theirs", "a b"])
def test_a_workflow_that_is_not_there_is_422(alice: Person, mallory: Person, line: list[str], workflow: str) -> None:
    create(mallory, "theirs")
    body = {"workflow": workflow, "inputs": {}}
    assert list(unchanged(lambda: post(alice, "runs", body), 422, "validation_error")["details"]) == ["workflow"]


def test_another_orgs_version_is_422(alice: Person, mallory: Person, line: list[str]) -> None:
    theirs = create(mallory, "theirs", "x").json()["artifact"]
    for ref in (theirs["id"], theirs["digest"], "theirs"):
        unchanged(lambda ref=ref: post(alice, "runs", {"workflow": "flow", "ref": ref}), 422, "validation_error")


def test_a_deleted_workflow_does_not_run(alice: Person, line: list[str]) -> None:
    delete(alice, "workflows/flow")
    for body in ({"workflow": "flow"}, {"workflow": "flow", "ref": "1"}, {"workflow": "flow", "ref": line[0]}):
        unchanged(lambda body=body: post(alice, "runs", body), 422, "validation_error")


def test_the_inputs_are_held_against_the_version_that_runs(alice: Person) -> None:
    needs_city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    create(alice)
    patched(alice, "flow", {"op": "add", "path": "/inputs", "value": needs_city})
    unchanged(lambda: post(alice, "runs", {"workflow": "flow", "inputs": {"city": 5}}), 422, "validation_error")
    run(alice, inputs={"city": "Paris"})
    run(alice, ref="~1", inputs={"city": 5})


# --- stored once -----------------------------------------------------------------------------------------------------


def test_a_definition_is_stored_once_over_tags_versions_and_runs(alice: Person, mallory: Person) -> None:
    for tag in ("flow", "twin"):
        create(alice, tag)
    patched(alice, "flow", set_timeout(1))
    patched(alice, "flow", {"op": "remove", "path": "/nodes/a/timeout_seconds"})
    for tag in ("flow", "twin", "flow"):
        run(alice, tag)
    run(alice, ref="1")
    address = digest(plain(definition("a", "b")))
    assert Blob.objects.for_org(alice.org.id).filter(digest=address).count() == 1
    assert Artifact.objects.filter(kind=ArtifactKind.RUN_SNAPSHOT).count() == 1
    assert Run.objects.values("snapshot").distinct().count() == 1
    assert Run.objects.values("artifact").distinct().count() == 3
    create(mallory)
    run(mallory)
    assert Blob.objects.filter(digest=address).count() == 2


# --- the built-in workflow -------------------------------------------------------------------------------------------


def prompt(person: Person) -> Any:
    return post(person, "runs", {"prompt": PARIS})


def test_the_built_in_workflow_comes_with_the_first_run(alice: Person, mallory: Person) -> None:
    refused(get(alice, "workflows/agent-graph"), 404, "not_found")
    run_id = prompt(alice).json()["run_id"]
    whole = get(alice, "workflows/agent-graph").json()
    assert (whole["artifact"]["author"], whole["tag"]["moves"]) == ("system", 1)
    assert get(alice, f"runs/{run_id}").json()["artifact_id"] == whole["artifact"]["id"]
    assert plain(whole["definition"]) == frozen(alice, run_id)
    assert prompt(alice).status_code == 202
    assert Tag.objects.count() == 1
    refused(get(mallory, "workflows/agent-graph"), 404, "not_found")


def test_the_built_in_workflow_may_be_patched_and_the_next_run_takes_that(alice: Person, bob: Person) -> None:
    first = prompt(alice).json()["run_id"]
    before = frozen(alice, first)
    pace = {"op": "add", "path": "/nodes/planner/with", "value": {"activities_per_day": 1}}
    version = patched(bob, "agent-graph", pace)
    second = prompt(alice).json()["run_id"]
    assert get(alice, f"runs/{second}").json()["artifact_id"] == version
    assert get(alice, f"runs/{second}/workflow").json()["nodes"]["planner"]["with"] == {"activities_per_day": 1}
    assert frozen(alice, first) == before
    paces = []
    for run_id in (first, second):
        carry(Run.objects.get(pk=run_id))
        nodes = {row["node"]: row for row in get(alice, f"runs/{run_id}/nodes").json()["items"]}
        paces.append(nodes["planner"]["output"]["pace"])
    assert paces == [2, 1]


def test_a_deleted_built_in_workflow_stays_deleted(alice: Person) -> None:
    first = prompt(alice).json()["run_id"]
    assert delete(alice, "workflows/agent-graph").status_code == 204
    for body in ({"prompt": PARIS}, {"workflow": "agent-graph", "inputs": {"prompt": PARIS}}):
        error = unchanged(lambda body=body: post(alice, "runs", body), 422, "validation_error")
        assert list(error["details"]) == ["workflow"]
    assert carry(Run.objects.get(pk=first)).status == "succeeded"
    done(create(alice, "agent-graph"))
    assert prompt(alice).status_code == 202, "one's own by that name will do"


def test_an_own_workflow_by_the_built_in_name_is_not_replaced(alice: Person) -> None:
    create(alice, "agent-graph")
    run_id = run(alice, "agent-graph")
    assert frozen(alice, run_id) == plain(definition("a", "b"))
    assert get(alice, "tags/agent-graph").json()["moves"] == 1


# --- the runs of a workflow, and of a version ------------------------------------------------------------------------


def ids(answer: Any) -> list[str]:
    return [item["id"] for item in done(answer).json()["items"]]


def end(run_id: str, status: str, seconds: float | None) -> None:
    """As if the run had taken so long; None: it never started."""
    now = clock.now()
    started = None if seconds is None else now - timedelta(seconds=seconds)
    Run.objects.filter(pk=run_id).update(status=status, started_at=started, finished_at=now)


@pytest.fixture
def five(alice: Person, line: list[str]) -> list[str]:
    """Runs, newest first: three of the head of ``flow``, one of its first version, and one of ``other`` at the same."""
    branch(alice, "other", "flow@{1}")
    found = [run(alice, "other"), run(alice, ref="1"), run(alice), run(alice), run(alice)]
    return found[::-1]


def test_the_runs_of_a_workflow_are_those_under_its_tag(alice: Person, five: list[str]) -> None:
    answer = get(alice, "workflows/flow/runs")
    assert ids(answer) == five[:4]
    assert (answer.json()["kind"], answer.json()["next_cursor"]) == ("runs", None)
    assert answer.json()["items"] == get(alice, "runs?workflow=flow").json()["items"]
    assert ids(get(alice, "workflows/other/runs")) == five[4:]


def test_the_runs_of_a_version_are_those_under_any_tag(alice: Person, five: list[str], line: list[str]) -> None:
    assert ids(get(alice, f"artifacts/{line[0]}/runs")) == five[3:]
    assert ids(get(alice, f"artifacts/{line[1]}/runs")) == []
    assert ids(get(alice, f"artifacts/{line[2].upper()}/runs")) == five[:3]


def test_the_runs_of_a_snapshot_are_all_with_that_content(alice: Person, five: list[str]) -> None:
    create(alice, "twin")
    more = run(alice, "twin")
    snapshot_id = Run.objects.get(pk=more).snapshot_id
    assert ids(get(alice, f"artifacts/{snapshot_id}/runs")) == [more, *five[3:]]


def test_a_deleted_workflows_runs_are_still_told(alice: Person, five: list[str]) -> None:
    delete(alice, "workflows/flow")
    assert ids(get(alice, "workflows/flow/runs")) == five[:4]


def test_how_they_went_is_told_of_all_and_not_of_the_page(alice: Person, five: list[str], line: list[str]) -> None:
    of_flow, of_head = "workflows/flow/runs", f"artifacts/{line[2]}/runs"
    nothing = {"finished": 0, "of_last": 1000, "success_rate": None, "median_duration_seconds": None}
    assert get(alice, of_flow).json()["summary"] == nothing
    for run_id, status, seconds in zip(
        five[:4], ("succeeded", "failed", "succeeded", "succeeded"), (1, 2.5, 30, 8), strict=True
    ):
        end(run_id, status, seconds)
    lists.forget()  # the rows were changed behind the list's back
    summary = {"finished": 4, "of_last": 1000, "success_rate": 0.75, "median_duration_seconds": 5.25}
    for query in ("", "?limit=1", "?limit=2"):
        assert get(alice, of_flow + query).json()["summary"] == summary
    second = get(alice, f"{of_flow}?limit=1&cursor={get(alice, f'{of_flow}?limit=1').json()['next_cursor']}")
    assert (ids(second), second.json()["summary"]) == (five[1:2], summary)
    told = get(alice, of_head).json()["summary"]
    assert (told["finished"], told["success_rate"], told["median_duration_seconds"]) == (3, 0.6667, 2.5)
    assert get(alice, f"{of_flow}?status=failed").json()["summary"]["success_rate"] == 0
    assert get(alice, f"{of_flow}?status=queued").json()["summary"] == nothing


def test_one_that_never_started_has_no_duration(alice: Person, five: list[str]) -> None:
    end(five[0], "cancelled", None)
    end(five[1], "succeeded", 4)
    told = get(alice, "workflows/flow/runs").json()["summary"]
    assert (told["finished"], told["median_duration_seconds"]) == (2, 4)


def test_a_run_that_ends_changes_the_list_and_its_summary(alice: Person) -> None:
    run_id = run(alice, "agent-graph")
    before = get(alice, "workflows/agent-graph/runs")
    assert before.json()["summary"]["finished"] == 0
    carry(Run.objects.get(pk=run_id))
    after = get(alice, "workflows/agent-graph/runs", **{"If-None-Match": before["ETag"]}).json()
    assert (after["summary"]["finished"], after["summary"]["success_rate"]) == (1, 1)
    row = Run.objects.get(pk=run_id)
    assert row.started_at is not None
    assert row.finished_at is not None
    lasted = (row.finished_at - row.started_at).total_seconds()
    assert after["summary"]["median_duration_seconds"] == pytest.approx(lasted, abs=1e-5)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("status=queued", [0, 2, 3]), ("status=failed", [1]), ("status=succeeded", []), ("q=paris", []),
        ("created_after=2999-01-01T00:00:00Z", []), ("workflow=other", []), ("limit=2", [0, 1]),
    ],
)  # fmt: skip
def test_filters(alice: Person, five: list[str], query: str, wanted: list[int]) -> None:
    end(five[1], "failed", 1)
    assert ids(get(alice, f"workflows/flow/runs?{query}")) == [five[place] for place in wanted]


@pytest.mark.parametrize("query", ["status=done", "stauts=queued", "created_after=x", "limit=0", "cursor=%21", "at=1"])
def test_bad_filters_are_refused(alice: Person, five: list[str], line: list[str], query: str) -> None:
    for path in ("workflows/flow/runs", f"artifacts/{line[2]}/runs"):
        error = refused(get(alice, f"{path}?{query}"), 422, "validation_error")
        assert list(error["details"]) == [query.partition("=")[0]]


def test_pages_follow_each_other(alice: Person, five: list[str]) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = get(alice, "workflows/flow/runs?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        seen += ids(answer)
        cursor = answer.json()["next_cursor"]
        run(alice)
    assert seen == five[:4]


def test_an_unchanged_list_is_304_and_reads_no_runs(alice: Person, five: list[str], line: list[str]) -> None:
    for path in ("workflows/flow/runs", f"artifacts/{line[2]}/runs"):
        first = get(alice, path)
        with CaptureQueriesContext(connection) as queries:
            again = get(alice, path, **{"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert not [query for query in queries if "runs_run" in query["sql"]]
        run(alice)
        assert get(alice, path, **{"If-None-Match": first["ETag"]}).status_code == 200


def test_lists_of_different_places_do_not_answer_for_each_other(
    alice: Person, five: list[str], line: list[str]
) -> None:
    paths = ["runs", "workflows/flow/runs", "workflows/other/runs", *(f"artifacts/{version}/runs" for version in line)]
    for _ in range(2):
        assert [len(ids(get(alice, path))) for path in paths] == [5, 4, 1, 2, 0, 3]


def test_two_hundred_runs_cost_as_many_queries_as_two(alice: Person, line: list[str]) -> None:
    first = Run.objects.get(pk=run(alice))
    for path in ("workflows/flow/runs?limit=1000", f"artifacts/{line[2]}/runs?limit=1000"):
        counts = []
        for more in (1, 198):
            Run.objects.bulk_create(
                Run(org=alice.org, workflow="flow", artifact_id=first.artifact_id, snapshot_id=first.snapshot_id,
                    created_by="system") for _ in range(more)
            )  # fmt: skip
            lists.forget()
            with CaptureQueriesContext(connection) as queries:
                get(alice, path)
            counts.append(len(queries))
        assert counts[0] == counts[1]


def test_another_orgs_workflow_or_version_has_no_runs_for_us(
    alice: Person, mallory: Person, five: list[str], line: list[str]
) -> None:
    snapshot_id = Run.objects.get(pk=five[0]).snapshot_id
    for path in ("workflows/flow/runs", f"artifacts/{line[2]}/runs", f"artifacts/{snapshot_id}/runs"):
        assert len(ids(get(alice, path))) >= 3
        refused(get(mallory, path), 404, "not_found")
    for path in ("workflows/gone/runs", f"artifacts/{uuid.uuid4()}/runs", "artifacts/x/runs"):
        refused(get(alice, path), 404, "not_found")
