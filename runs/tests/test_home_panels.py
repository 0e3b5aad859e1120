"""What runs and jobs show on the home page."""

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core import clock
from orchestrator.web.tests.browser import faults, sign_in
from runs.jobs.services import MAX_FAILURES
from runs.models import Run
from runs.nodes.base import Waiting
from runs.pages import home
from runs.services import submission
from runs.states import RunStatus
from runs.tests.jobs import make
from runs.tests.steps import carry, node_type, start_graph


def start(person: Any, **fields: Any) -> Run:
    run = submission.start_run(actor=person.actor, inputs={"prompt": "Two days in Rome"})
    Run.objects.filter(pk=run.pk).update(**fields)
    return run


def failed(person: Any, **ago: float) -> Run:
    at = clock.now() - timedelta(**ago)
    return start(person, status=RunStatus.FAILED, finished_at=at, error={"message": "No such city."})


def test_runs_that_failed_within_a_day_need_somebody(alice: Any) -> None:
    run = failed(alice, hours=2)
    failed(alice, hours=25)
    (need,) = home.failures(alice.actor, 5)
    assert need.url == f"/dashboard/runs/{run.pk}"
    assert (need.label, need.detail) == ("Two days in Rome", "No such city.")
    page = sign_in(alice).get("/dashboard").content.decode()
    assert "data-ago>" in page.split("Two days in Rome")[1].split("</li>")[0]
    assert faults(page) == []


def test_who_rejected_a_run_is_named(alice: Any) -> None:
    run = failed(alice, hours=1)
    Run.objects.filter(pk=run.pk).update(error={"message": f"Rejected by {alice.actor}: Too dear"})
    (need,) = home.failures(alice.actor, 5)
    assert need.detail == f"Rejected by {alice.user.name or alice.user.email}: Too dear"


def test_decisions_need_somebody_the_oldest_first(alice: Any) -> None:
    with node_type("ask", lambda ctx: Waiting({"kind": "approval", **ctx.config}, "Waits.")):
        asked = [
            carry(start_graph(alice, {"review": {"type": "ask", "with": {"title": title}}}))
            for title in ("Publish?", "Pay?", "Send?")
        ]
    found = home.decisions(alice.actor, 2)
    assert [(need.label, need.url) for need in found] == [
        ("Publish?", f"/dashboard/runs/{asked[0].pk}/nodes/review"),
        ("Pay?", f"/dashboard/runs/{asked[1].pk}/nodes/review"),
    ]
    assert "Publish?" in sign_in(alice).get("/dashboard").content.decode()


def test_jobs_that_cannot_start_need_somebody(alice: Any) -> None:
    stuck, quiet = make(alice), make(alice)
    type(stuck).objects.filter(pk=stuck.pk).update(status="paused", next_fire_at=None, failures=MAX_FAILURES)
    type(quiet).objects.filter(pk=quiet.pk).update(status="paused", next_fire_at=None)
    assert [need.url for need in home.stuck_jobs(alice.actor, 5)] == [f"/dashboard/jobs/{stuck.pk}"]


@pytest.mark.parametrize("find", [home.failures, home.decisions, home.stuck_jobs])
def test_others_needs_are_not_shown(alice: Any, mallory: Any, find: Any) -> None:
    failed(alice, hours=1)
    assert find(mallory.actor, 5) == []


def test_tiles_count_what_is_active_now_and_what_ended_today(alice: Any) -> None:
    start(alice)
    start(alice, status=RunStatus.SUCCEEDED)
    tiles = {status: count for status, count, _ in home.activity(alice.actor)["tiles"]}
    assert (tiles["queued"], tiles["succeeded"], tiles["running"]) == ("1", "1", "0")


def test_charts_have_a_summary_and_a_table(alice: Any) -> None:
    start(alice, status=RunStatus.SUCCEEDED, started_at=clock.now(), finished_at=clock.now() + timedelta(seconds=3))
    page = sign_in(alice).get("/dashboard").content.decode()
    assert "<strong>100 %</strong>" in page
    assert "<strong>3.0 s</strong>" in page
    assert page.count('<th scope="row">') == 24
    assert 'aria-labelledby="outcomes-title outcomes-summary"' in page
    assert faults(page) == []
