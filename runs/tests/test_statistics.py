"""How the runs of the last day went, by the hour."""

import secrets
import uuid
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core import clock
from orchestrator.core.ids import first_id
from orchestrator.web.tests.browser import queries
from runs.models import Run
from runs.pages import statistics
from runs.pages.statistics import HOURS, last_day
from runs.services import submission
from runs.states import RunStatus


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    statistics.forget()


@pytest.fixture
def first(alice: Any, noon: Any) -> Run:
    """A queued run at noon."""
    return submission.start_run(actor=alice.actor, inputs={"prompt": "Two days in Rome"})


def add(like: Run, hours_ago: float, took: float | None, status: str = RunStatus.SUCCEEDED) -> None:
    """A run that was made then, and took so many seconds."""
    made = clock.now() - timedelta(hours=hours_ago)
    Run.objects.create(
        id=uuid.UUID(int=first_id(made).int | secrets.randbits(72)), org_id=like.org_id,
        workflow=like.workflow, artifact_id=like.artifact_id, snapshot_id=like.snapshot_id,
        created_by="system", status=status, created_at=made, started_at=made,
        finished_at=made + timedelta(seconds=took) if took is not None else None,
    )  # fmt: skip


def test_runs_are_counted_in_the_hour_that_made_them(first: Run, noon: Any) -> None:
    add(first, 0.5, 1)
    add(first, 1.5, 1, RunStatus.FAILED)
    whole, hours = last_day(first.org_id)
    assert len(hours) == HOURS
    assert [(hour.at.hour, hour.total) for hour in hours if hour.total] == [(10, 1), (11, 1), (12, 1)]
    assert (whole.succeeded, whole.failed, whole.active, whole.success) == (1, 1, 1, 50)


def test_what_is_older_than_the_day_is_left_out(first: Run, noon: Any) -> None:
    add(first, 23.5, 1)
    add(first, 22.9, 1)
    assert last_day(first.org_id)[0].succeeded == 1


def test_half_are_done_within_the_median(first: Run, noon: Any) -> None:
    for took in range(1, 21):
        add(first, 0.5, took)
    whole, hours = last_day(first.org_id)
    assert (hours[-2].median, hours[-2].p95) == (10, 19)
    assert (whole.median, whole.p95) == (10, 19)


@pytest.mark.parametrize(
    ("took", "found"), [(0.123, 0.12), (1.26, 1.3), (12.4, 12), (444, 440), (5_555, 5_600), (0, 0)]
)
def test_durations_have_two_digits(first: Run, noon: Any, took: float, found: float) -> None:
    add(first, 0.5, took)
    assert last_day(first.org_id)[0].median == pytest.approx(found)


def test_nothing_has_no_rate_and_no_median(alice: Any) -> None:
    whole, _ = last_day(alice.org.pk)
    assert (whole.total, whole.success, whole.median, whole.p95) == (0, None, None, None)


def test_another_orgs_runs_do_not_count(first: Run, mallory: Any) -> None:
    assert last_day(mallory.org.pk)[0].total == 0


def test_it_is_one_query(first: Run) -> None:
    assert queries(lambda: last_day(first.org_id)) == 1


def test_a_busy_day_is_asked_for_now_and_then(first: Run, noon: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(statistics, "_MANY", 0)
    last_day(first.org_id)
    assert queries(lambda: last_day(first.org_id)) == 0


def test_a_quiet_day_is_always_as_of_now(first: Run, noon: Any) -> None:
    last_day(first.org_id)
    add(first, 0.5, 1)
    assert last_day(first.org_id)[0].succeeded == 1
