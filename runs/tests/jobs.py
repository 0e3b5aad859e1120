"""How the tests of jobs make one, move the clock, and look at what was decided."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from django.test import Client

from conftest import Person
from runs.jobs import scheduler, services
from runs.jobs.models import Job, JobFire
from runs.models import Run
from runs.tests.steps import PARIS
from versioning.models import Tag
from versioning.services import tags

JOBS = "/api/v1/jobs"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
BODY = {"name": "nightly", "inputs": {"prompt": PARIS}}


def send(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    data = b"" if body is None else json.dumps(body)
    return client.post(path, data, content_type="application/json", headers=headers)


def make(person: Person, **fields: Any) -> Job:
    """A job of the built-in workflow; every hour, unless something else is said."""
    if "run_at" not in fields:
        fields.setdefault("cron", "@hourly")
    fields.setdefault("inputs", {"prompt": PARIS})
    return services.create_job(actor=person.actor, **{"name": "job", **fields})


def pass_time(clock: time_machine.Traveller, **how: float) -> None:
    """Move the clock, and let one scheduler look."""
    clock.shift(timedelta(**how))
    scheduler.sweep()


def fires(job: Job) -> list[tuple[str, str]]:
    """Time of day and status of each fire, the oldest first."""
    rows = JobFire.objects.filter(job=job).order_by("fire_time")
    return [(f"{row.fire_time:%H:%M}", row.status) for row in rows]


def the_run(job: Job) -> Run:
    """The run of its last fire that had one."""
    found = JobFire.objects.filter(job=job, run__isnull=False).latest("id").run
    assert found is not None
    return found


def end(run: Run, status: str = "succeeded") -> None:
    """As if a worker had carried it to its end."""
    Run.objects.filter(pk=run.pk).update(status=status)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def lose_the_workflow(person: Person) -> None:
    """The built-in workflow is deleted, as its owner may."""
    tags.delete_tag(actor=person.actor, name="agent-graph")
    assert not Tag.objects.for_org(person.org.id).filter(name="agent-graph", artifact__isnull=False).exists()
