"""Cancelling all runs of a selection, or counting them first."""

from datetime import timedelta
from typing import Any

import pytest

from conftest import Person
from orchestrator.core import clock
from orchestrator.events.models import Event
from runs.jobs import services
from runs.models import Run
from runs.services import bulk, cancellation
from runs.tests.jobs import end, make, send, the_run
from runs.tests.steps import start

PATHS = ("/api/v1/runs/bulk/cancel", "/runs/bulk/cancel")


def cancel(person: Person, path: str = PATHS[0], **selection: Any) -> Any:
    answer = send(person.client, path, {"dry_run": False, **selection})
    assert answer.status_code == 200, answer.content
    return answer.json()


def cancelled() -> set[Any]:
    return set(Run.objects.filter(status="cancelled").values_list("pk", flat=True))


@pytest.mark.parametrize("path", PATHS)
def test_all_active_runs_of_the_org(alice: Person, mallory: Person, path: str) -> None:
    runs = [start(alice) for _ in range(3)]
    end(start(alice))
    start(mallory)
    assert cancel(alice, path, dry_run=True) == {"matched": 3, "done": 0}
    assert cancelled() == set()
    assert cancel(alice, path) == {"matched": 3, "done": 3}
    assert cancelled() == {run.pk for run in runs}
    assert Event.objects.filter(event="run_cancelled", actor=str(alice.actor)).count() == 3
    assert cancel(alice, path) == {"matched": 0, "done": 0}


def test_a_selection(alice: Person) -> None:
    queued, running, old, of_other = (start(alice) for _ in range(4))
    end(running, "running")
    Run.objects.filter(pk=old.pk).update(created_at=clock.now() - timedelta(days=2), status="waiting")
    Run.objects.filter(pk=of_other.pk).update(workflow="other", status="running")
    yesterday = clock.rfc3339(clock.now() - timedelta(days=1))
    selections: list[tuple[dict[str, Any], set[Any]]] = [
        ({"status": "queued"}, {queued.pk}),
        ({"status": "queued", "workflow": "other"}, set()),
        ({"workflow": "other"}, {of_other.pk}),
        ({"created_before": yesterday}, {old.pk}),
        ({"created_after": yesterday}, {running.pk}),
    ]
    for selection, expected in selections:
        before = cancelled()
        matched = cancel(alice, dry_run=True, **selection)["matched"]
        assert cancel(alice, **selection) == {"matched": matched, "done": matched}, selection
        assert cancelled() - before == expected


def test_the_runs_of_a_job(alice: Person, mallory: Person) -> None:
    job, other = make(alice), make(alice)
    for fired in (job, job, other):
        services.trigger_job(actor=alice.actor, job_id=fired.id)
    start(alice)
    assert cancel(alice, job=str(job.id)) == {"matched": 2, "done": 2}
    assert the_run(other).status == "queued"
    answer = send(mallory.client, PATHS[0], {"job": str(job.id), "dry_run": True})
    assert (answer.status_code, answer.json()["type"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "dry_run"),
        ({"dry_run": "no"}, "dry_run"),
        ({"dry_run": True, "status": "succeeded"}, "status"),
        ({"dry_run": True, "created_before": "yesterday"}, "created_before"),
        ({"dry_run": True, "job": "x"}, "job"),
        ({"dry_run": True, "everything": True}, "everything"),
    ],
)
def test_bad_bodies(alice: Person, body: Any, named: str) -> None:
    run = start(alice)
    answer = send(alice.client, PATHS[0], body)
    assert (answer.status_code, list(answer.json()["details"])) == (422, [named])
    run.refresh_from_db()
    assert run.status == "queued"


def test_more_than_a_batch_and_some_that_end_meanwhile(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_BATCH", 2)
    runs = [start(alice) for _ in range(5)]
    original = cancellation.cancel_run

    def slow(**arguments: Any) -> Run:
        end(runs[3])
        return original(**arguments)

    monkeypatch.setattr(cancellation, "cancel_run", slow)
    assert cancel(alice) == {"matched": 5, "done": 4}


def test_it_stops_before_the_request_is_given_up(alice: Person, settings: Any) -> None:
    for _ in range(3):
        start(alice)
    settings.REQUEST_TIMEOUT_SECONDS = 0
    assert cancel(alice) == {"matched": 3, "done": 1}
    settings.REQUEST_TIMEOUT_SECONDS = 6
    assert cancel(alice) == {"matched": 2, "done": 2}
