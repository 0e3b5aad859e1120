"""What the database itself refuses of jobs, whoever writes: the rows here go past the services."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from conftest import Person
from runs.jobs.models import Job, JobFire
from runs.tests.jobs import NOON, make, the_run


def fire(job: Job, **fields: Any) -> None:
    row = {"org": job.org, "job": job, "fire_time": NOON, "status": "skipped", "created_by": "test"}
    with transaction.atomic():
        JobFire.objects.create(**{**row, **fields})
        connection.check_constraints()


def test_a_time_of_a_job_is_decided_once(alice: Person) -> None:
    job, other = make(alice), make(alice)
    fire(job)
    fire(other)
    with pytest.raises(IntegrityError):
        fire(job)


def test_one_fire_of_a_job_waits(alice: Person) -> None:
    job = make(alice)
    fire(job, status="waiting")
    with pytest.raises(IntegrityError):
        fire(job, status="waiting", fire_time=NOON + timedelta(hours=1))


def test_only_what_fired_has_a_run_and_a_run_one_fire(alice: Person) -> None:
    job = make(alice, run_at=None)
    for status in ("skipped", "waiting", "fired"):
        with pytest.raises(IntegrityError):
            fire(job, status=status, run=the_run(job))


def test_a_fire_is_of_its_jobs_org(alice: Person, mallory: Person) -> None:
    job = make(alice)
    with pytest.raises(IntegrityError):
        fire(job, org=mallory.org)


@pytest.mark.parametrize(
    "columns",
    [
        {"next_fire_at": None},
        {"status": "paused"},
        {"status": "completed"},
        {"run_at": NOON},
        {"priority": 101},
    ],
)
def test_a_jobs_columns_agree(alice: Person, columns: dict[str, Any]) -> None:
    job = make(alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**columns)


def test_an_org_goes_with_its_jobs(alice: Person) -> None:
    make(alice, run_at=None)
    alice.org.delete()
    assert not Job.objects.exists()
    assert not JobFire.objects.exists()
