"""Reading runs: lists, details, nodes, logs and the frozen workflow."""

import hashlib
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.api import lists
from orchestrator.core import clock
from orchestrator.core.canonical import canonical_json
from runs.models import Run, RunEvent
from runs.services import cancellation
from runs.tests.steps import STRAIGHT, carry, carry_on, claim, lose, start, step


def get(person: Person, path: str, **headers: str) -> Any:
    return person.client.get(path, headers=headers)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["items"]]


@pytest.fixture
def four(alice: Person) -> list[Run]:
    """A queued, a running, a succeeded and a cancelled one, oldest first."""
    runs = [start(alice), start(alice, "Rome for 2 days"), start(alice), start(alice, "Berlin with 100% museums")]
    claim(runs[1])
    carry(runs[2])
    cancellation.cancel_run(actor=alice.actor, run_id=runs[3].id)
    return runs


# --- lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/runs", "/api/v1/runs", "/api/v1/collab/state/runs"])
def test_the_newest_comes_first(alice: Person, four: list[Run], path: str) -> None:
    answer = get(alice, path)
    assert ids(answer) == [str(run.id) for run in reversed(four)]
    assert (answer.json()["kind"], answer.json()["next_cursor"]) == ("runs", None)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("status=queued", [0]), ("status=running", [1]), ("status=succeeded", [2]), ("status=cancelled", [3]),
        ("status=failed", []),
        ("workflow=agent-graph", [3, 2, 1, 0]), ("workflow=other", []), ("q=rome", [1]), ("q=PARIS", [2, 0]),
        ("q=100%25", [3]),
        ("q=%25", [3]), ("q=_", []), ("status=queued&q=rome", []), ("q=", [3, 2, 1, 0]),
        ("created_after=2999-01-01T00:00:00Z", []),
        ("created_after=2000-01-01T00:00:00Z&limit=1", [3]),
    ],
)  # fmt: skip
def test_filters(alice: Person, four: list[Run], query: str, wanted: list[int]) -> None:
    assert ids(get(alice, f"/runs?{query}")) == [str(four[number].id) for number in wanted]


def test_created_after_leaves_out_the_moment_itself(alice: Person, four: list[Run]) -> None:
    moment = clock.rfc3339(Run.objects.get(pk=four[1].pk).created_at)
    assert ids(get(alice, f"/runs?created_after={moment}")) == [str(four[3].id), str(four[2].id)]


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "stauts=queued",
        "created_after=yesterday",
        "created_after=0001-01-01T00:00:00%2B23:59",
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=%21",
        "q=%00",
    ],
)
def test_bad_filters_are_refused(alice: Person, query: str) -> None:
    answer = get(alice, f"/runs?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")
    assert answer.json()["details"]


def test_pages_follow_each_other_also_when_runs_come_in_between(alice: Person, four: list[Run]) -> None:
    seen: list[str] = []
    path = "/runs?limit=1"
    for _ in range(10):
        answer = get(alice, path)
        seen += ids(answer)
        start(alice)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
        path = f"/runs?limit=1&cursor={cursor}"
    assert seen == [str(run.id) for run in reversed(four)]


def test_a_filter_holds_over_pages(alice: Person) -> None:
    wanted = [start(alice, "Rome") if number % 2 else start(alice) for number in range(6)][1::2]
    first = get(alice, "/runs?q=rome&limit=2")
    second = get(alice, f"/runs?q=rome&limit=2&cursor={first.json()['next_cursor']}")
    assert ids(first) + ids(second) == [str(run.id) for run in reversed(wanted)]
    assert second.json()["next_cursor"] is None


def test_an_unchanged_list_is_304_and_costs_no_rows(alice: Person, four: list[Run]) -> None:
    first = get(alice, "/runs?status=queued")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        again = get(alice, "/runs?status=queued", **{"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert again["Vary"] == first["Vary"]
    assert again["Cache-Control"] == first["Cache-Control"]
    assert not [query for query in queries if "runs_run" in query["sql"]]


def test_every_change_of_a_run_changes_the_list(alice: Person, mallory: Person) -> None:
    tags = [get(alice, "/runs")["ETag"]]

    def changed() -> None:
        tag = get(alice, "/runs", **{"If-None-Match": tags[-1]})["ETag"]
        assert tag not in tags
        tags.append(tag)

    run = start(alice)
    changed()
    following = step(claim(run))
    changed()
    following = step(following)
    assert get(alice, "/runs", **{"If-None-Match": tags[-1]}).status_code == 304, "a node is no change of the run"
    carry_on(following)
    changed()
    cancellation.cancel_run(actor=alice.actor, run_id=start(alice).id)
    changed()
    lost = claim(start(alice), "dead")
    changed()
    lose(lost)
    changed()
    start(mallory)
    assert get(alice, "/runs", **{"If-None-Match": tags[-1]}).status_code == 304, "another org is no business of ours"


def _queries(person: Person, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert get(person, path).status_code == 200
    return len(queries)


@pytest.mark.parametrize(
    "path", ["/runs?limit=1000", "/runs/{run}/events?limit=1000", "/runs/{run}/nodes", "/runs/{run}"]
)
def test_reading_costs_the_same_queries_however_much_there_is(alice: Person, path: str) -> None:
    run = start(alice)
    attempt = claim(run)
    get(alice, path.format(run=run.id))  # what is cached for good
    lists.forget()
    few = _queries(alice, path.format(run=run.id))
    Run.objects.bulk_create(
        Run(org=alice.org, workflow="w", artifact_id=run.artifact_id, snapshot_id=run.snapshot_id, created_by="system")
        for _ in range(200)
    )
    carry_on(attempt)
    RunEvent.objects.bulk_create(
        RunEvent(run=run, org=alice.org, timestamp=clock.now(), sequence=number, node="x", phase="started")
        for number in range(100, 300)
    )
    lists.forget()
    assert _queries(alice, path.format(run=run.id)) == few


# --- one run -------------------------------------------------------------------------------------------------------


def test_a_run_is_told_whole(alice: Person) -> None:
    run = carry(start(alice, max_days=4))
    answer = get(alice, f"/runs/{run.id}")
    body = answer.json()
    assert body == {
        "id": str(run.id), "workflow": "agent-graph", "definition_version": 1, "parent_run": None,
        "parent_node": "", "forked_from": None, "forked_at": "", "artifact_id": str(run.artifact_id),
        "definition": run.snapshot.definition_digest,
        "inputs": {"prompt": "Plan a trip to Paris", "max_days": 4}, "priority": 0, "status": "succeeded",
        "waiting_on": None, "cancel_requested_at": None, "output": run.output, "error": None,
        "created_by": str(alice.actor), "created_at": clock.rfc3339(run.created_at),
        "started_at": clock.rfc3339(run.started_at),
        "finished_at": clock.rfc3339(run.finished_at), "recoveries": 0, "version": 3,
    }  # fmt: skip
    assert answer["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert answer.content == canonical_json(body)
    assert get(alice, f"/runs/{run.id}", **{"If-None-Match": answer["ETag"]}).status_code == 304


def test_every_change_gives_a_run_another_version_and_tag(alice: Person) -> None:
    run = start(alice)
    seen = []
    attempt = None
    for change in ("created", "started", "ended"):
        if change == "started":
            attempt = claim(run)
        else:
            carry_on(attempt)
        answer = get(alice, f"/runs/{run.id}")
        seen.append((answer.json()["version"], answer["ETag"]))
    assert [version for version, _ in seen] == [1, 2, 3]
    assert len({tag for _, tag in seen}) == 3


def test_a_failed_run_tells_why(alice: Person) -> None:
    run = carry(start(alice, "Atlantis"))
    body = get(alice, f"/runs/{run.id}").json()
    assert (body["status"], body["output"], body["error"]["node"]) == ("failed", None, "intent")


SUFFIXES = ["", "/nodes", "/workflow", "/events"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("base", ["/runs", "/api/v1/runs"])
def test_another_orgs_run_is_not_there(alice: Person, mallory: Person, base: str, suffix: str) -> None:
    run = carry(start(alice))
    assert get(alice, f"{base}/{run.id}{suffix}").status_code == 200
    stranger, nobody = get(mallory, f"{base}/{run.id}{suffix}"), get(alice, f"{base}/nonsense{suffix}")
    for answer in (stranger, nobody):
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found")


def test_another_orgs_runs_are_in_no_list(alice: Person, mallory: Person, four: list[Run]) -> None:
    assert ids(get(mallory, "/runs")) == []
    assert ids(get(mallory, "/runs?q=rome")) == []


@pytest.mark.parametrize("suffix", ["", *SUFFIXES[1:3]])
def test_unknown_parameters_are_refused(alice: Person, suffix: str) -> None:
    answer = get(alice, f"/runs/{start(alice).id}{suffix}?verbose=1")
    assert (answer.status_code, list(answer.json()["details"])) == (422, ["verbose"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", "/runs"),
        ("delete", "/runs"),
        ("delete", "/runs/{run}"),
        ("patch", "/runs/{run}"),
        ("get", "/runs/{run}/cancel"),
        ("post", "/runs/{run}/events"),
    ],
)
def test_other_methods_are_not_allowed(alice: Person, method: str, path: str) -> None:
    answer = getattr(alice.client, method)(path.format(run=start(alice).id))
    assert (answer.status_code, answer.json()["type"]) == (405, "method_not_allowed")
    assert answer["Allow"]


# --- its nodes -----------------------------------------------------------------------------------------------------


def _nodes(person: Person, run: Run) -> dict[str, Any]:
    answer = get(person, f"/runs/{run.id}/nodes")
    assert (answer.json()["kind"], answer.json()["next_cursor"]) == ("nodes", None)
    return {item["node"]: item for item in answer.json()["items"]}


def test_nodes_are_listed_in_the_order_of_the_graph_in_every_state(alice: Person) -> None:
    run = start(alice)
    nodes = _nodes(alice, run)
    assert list(nodes) == STRAIGHT
    assert {node["status"] for node in nodes.values()} == {"pending"}
    assert nodes["synth"] == {
        "node": "synth", "type": "synth", "needs": ["verifier", "repair"], "status": "pending", "attempts": 0,
        "queue": "", "waiting_on": None, "recoveries": 0, "output": None,
        "error": None, "started_at": None, "finished_at": None,
    }  # fmt: skip
    planner = step(claim(run))
    nodes = _nodes(alice, run)
    assert [nodes[name]["status"] for name in STRAIGHT[:3]] == ["completed", "running", "pending"]
    assert nodes["intent"]["output"]["city"]
    assert nodes["intent"]["started_at"] <= nodes["intent"]["finished_at"] <= nodes["planner"]["started_at"]
    assert nodes["planner"]["finished_at"] is None
    cancellation.cancel_run(actor=alice.actor, run_id=run.id)
    assert [_nodes(alice, run)[name]["status"] for name in STRAIGHT[:3]] == ["completed", "running", "pending"]
    step(planner)
    assert [_nodes(alice, run)[name]["status"] for name in STRAIGHT[:3]] == ["completed", "completed", "cancelled"]


def test_a_node_that_is_not_needed_is_skipped_and_a_failed_one_tells_why(alice: Person) -> None:
    skipped = _nodes(alice, carry(start(alice)))["repair"]
    assert (skipped["status"], skipped["attempts"], skipped["started_at"]) == ("skipped", 0, None)
    failed = _nodes(alice, carry(start(alice, "Atlantis")))
    assert failed["intent"]["status"] == "failed"
    assert failed["intent"]["error"]["message"]
    assert failed["planner"]["status"] == "cancelled"


def test_nodes_have_an_etag(alice: Person) -> None:
    run = start(alice)
    first = get(alice, f"/runs/{run.id}/nodes")
    assert get(alice, f"/runs/{run.id}/nodes", **{"If-None-Match": first["ETag"]}).status_code == 304
    claim(run)
    assert get(alice, f"/runs/{run.id}/nodes", **{"If-None-Match": first["ETag"]}).status_code == 200


# --- its log -------------------------------------------------------------------------------------------------------


def test_the_log_is_told_in_order(alice: Person) -> None:
    run = carry(start(alice))
    items = get(alice, f"/runs/{run.id}/events").json()["items"]
    assert [item["sequence"] for item in items] == list(range(len(items)))
    row = RunEvent.objects.get(run=run, sequence=1)
    assert items[1] == {
        "id": str(row.id), "run_id": str(run.id), "org_id": str(alice.org.id),
        "timestamp": clock.rfc3339(row.timestamp),
        "sequence": 1, "node": "intent", "phase": "completed", "summary": row.summary, "payload": row.payload,
    }  # fmt: skip


@pytest.mark.parametrize("after", [-1, 0, 7, 14, 15, 2**31 - 1])
def test_after_skips_all_up_to_it(alice: Person, after: int) -> None:
    run = carry(start(alice))
    items = get(alice, f"/runs/{run.id}/events?after={after}").json()["items"]
    last = Run.objects.get(pk=run.pk).next_sequence
    assert [item["sequence"] for item in items] == list(range(after + 1, last))


@pytest.mark.parametrize(
    "query", ["after=x", "after=-2", "after=1.5", "after=99999999999", "after=NaN", "since=1", "limit=0", "cursor=%"]
)
def test_a_bad_question_of_the_log_is_refused(alice: Person, query: str) -> None:
    answer = get(alice, f"/runs/{start(alice).id}/events?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")


def test_the_log_comes_in_pages(alice: Person) -> None:
    run = carry(start(alice))
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        body = get(alice, f"/runs/{run.id}/events?limit=4" + (f"&cursor={cursor}" if cursor else "")).json()
        seen += [item["sequence"] for item in body["items"]]
        cursor = body["next_cursor"]
    assert seen == list(range(run.next_sequence))


def test_the_log_of_a_run_is_304_until_it_grows(alice: Person) -> None:
    run, other = start(alice), start(alice)
    execution = claim(run)
    first = get(alice, f"/runs/{run.id}/events")
    claim(other)
    with CaptureQueriesContext(connection) as queries:
        again = get(alice, f"/runs/{run.id}/events", **{"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert not [query for query in queries if "runs_runevent" in query["sql"]]
    step(execution)
    grown = get(alice, f"/runs/{run.id}/events", **{"If-None-Match": first["ETag"]})
    assert len(grown.json()["items"]) == 3
    assert ids(get(alice, f"/runs/{other.id}/events")) != ids(grown)


# --- its workflow --------------------------------------------------------------------------------------------------


def test_the_workflow_is_the_one_that_it_was_frozen_with(alice: Person) -> None:
    run = start(alice)
    answer = get(alice, f"/runs/{run.id}/workflow")
    assert json.loads(answer.content)["nodes"]["repair"]["needs"] == ["verifier"]
    address = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    assert address == get(alice, f"/runs/{run.id}").json()["definition"]
    assert get(alice, f"/runs/{run.id}/workflow", **{"If-None-Match": answer["ETag"]}).status_code == 304
