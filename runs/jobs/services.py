"""Every state change of a job that somebody asks for. What time brings is in scheduler.py."""

import itertools
import uuid
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

from django.db import transaction

from agents.services import logs
from orchestrator.core import clock
from orchestrator.core.errors import Conflict, InvalidTransition, NotFound, PreconditionFailed, ValidationFailed
from orchestrator.identity.actors import Actor
from runs import definitions
from runs.jobs import cron, firing
from runs.jobs.journal import record_fire, record_job
from runs.jobs.models import Job, JobFire
from runs.jobs.states import FireStatus, JobStatus, check_job

MAX_FAILURES: Final = 5
_JOB_CANCELLED: Final = "The job was cancelled."


_SCHEDULE: Final = frozenset({"cron", "run_at", "timezone"})
_RUN: Final = frozenset({"workflow", "ref", "inputs"})


class JobFields(TypedDict, total=False):
    """What a caller may say of a job."""

    name: str
    workflow: str
    ref: str
    inputs: dict[str, Any]
    priority: int
    run_at: datetime | None
    cron: str
    timezone: str
    misfire: str
    misfire_grace_seconds: int
    overlap: str


@transaction.atomic
def create_job(*, actor: Actor, **fields: Unpack[JobFields]) -> Job:
    """A job. Without ``cron``, and without a ``run_at`` that is still to come, its run starts in this transaction.

    Raises PermissionDenied, and ValidationFailed for a schedule that cannot be read or never fires, and for a run that
    could not be started now: an unknown workflow or ref, inputs that break its schema.
    """
    actor.require("jobs")
    now = clock.now()
    fields.setdefault("workflow", definitions.BUILT_IN)
    job = Job(org_id=actor.org_id, created_by=str(actor), created_at=now, updated_at=now, **fields)
    job.next_fire_at = first_fire(job, now)
    if job.next_fire_at is None:
        job.status = JobStatus.COMPLETED
        job.save(force_insert=True)
        firing.fire(job, actor=actor, fire_time=now)
        record_job(actor, "job_created", job)
        record_job(actor, "job_completed", job)
    else:
        firing.rehearse(job, actor)
        job.save(force_insert=True)
        record_job(actor, "job_created", job, next_fire_at=clock.rfc3339(job.next_fire_at))
    return job


@transaction.atomic
def update_job(*, actor: Actor, job_id: uuid.UUID, version: int | None, **changes: Unpack[JobFields]) -> Job:
    """Write ``changes`` over the job at ``version`` (None: whichever it has). A new schedule counts from now; ``cron``
    takes the place of ``run_at``, and the other way round.

    Raises PermissionDenied, NotFound, PreconditionFailed, Conflict for a job that is over, ValidationFailed like
    create_job.
    """
    actor.require("jobs")
    job = _locked(actor, job_id)
    if version is not None and job.version != version:
        raise PreconditionFailed
    if job.status not in (JobStatus.SCHEDULED, JobStatus.PAUSED):
        raise Conflict(f"A job that is {job.status} cannot be changed.", details={"status": str(job.status)})
    if "cron" in changes:
        job.run_at = None
    elif "run_at" in changes:
        job.cron = ""
    for field, value in changes.items():
        setattr(job, field, value)
    if _RUN & changes.keys():
        firing.rehearse(job, actor)
    if _SCHEDULE & changes.keys():
        _reschedule(job)
    job.version, job.updated_at = job.version + 1, clock.now()
    job.save()
    record_job(actor, "job_updated", job, fields=sorted(changes))
    return job


@transaction.atomic
def pause_job(*, actor: Actor, job_id: uuid.UUID) -> Job:
    """Hold the schedule. Pausing again changes nothing.

    Raises PermissionDenied, NotFound, and InvalidTransition for a job that is over.
    """
    actor.require("jobs")
    job = _locked(actor, job_id)
    if job.status != JobStatus.PAUSED:
        check_job(job.status, JobStatus.PAUSED)
        pause(job, actor)
    return job


@transaction.atomic
def resume_job(*, actor: Actor, job_id: uuid.UUID) -> Job:
    """Go on with the schedule: a cron job with its next time from now, because times in a pause are not missed; a job
    with ``run_at`` at that time, or as one that is late. Resuming again changes nothing.

    Raises PermissionDenied, NotFound, and InvalidTransition for a job that is over.
    """
    actor.require("jobs")
    job = _locked(actor, job_id)
    if job.status != JobStatus.SCHEDULED:
        check_job(job.status, JobStatus.SCHEDULED)
        job.failures = 0
        move(job, JobStatus.SCHEDULED, job.run_at or first_fire(job, clock.now()))
        record_job(actor, "job_resumed", job)
    return job


@transaction.atomic
def cancel_job(*, actor: Actor, job_id: uuid.UUID) -> Job:
    """End the schedule, and drop a fire that waits. Runs that have started go on. Cancelling again changes nothing.

    Raises PermissionDenied, NotFound, and InvalidTransition for a job that is completed.
    """
    actor.require("jobs")
    job = _locked(actor, job_id)
    if job.status == JobStatus.CANCELLED:
        return job
    check_job(job.status, JobStatus.CANCELLED)
    move(job, JobStatus.CANCELLED)
    for waiting in job.fires.waiting():
        settle(job, waiting, actor, FireStatus.SKIPPED, _JOB_CANCELLED)
    record_job(actor, "job_cancelled", job)
    return job


@transaction.atomic
def trigger_job(*, actor: Actor, job_id: uuid.UUID) -> JobFire:
    """Fire now, besides the schedule, also when the job is paused or completed. The overlap policy holds.

    Raises PermissionDenied, NotFound, InvalidTransition for a cancelled job, Conflict where the policy skips the fire,
    and ValidationFailed when the run cannot be started.
    """
    actor.require("jobs")
    job = _locked(actor, job_id)
    if job.status == JobStatus.CANCELLED:
        raise InvalidTransition("A job that is cancelled fires no more.", details={"from": str(job.status)})
    fire = firing.fire(job, actor=actor, fire_time=firing.own_moment(job, clock.now()))
    if fire.status == FireStatus.SKIPPED:
        raise Conflict(fire.reason)
    return fire


def first_fire(job: Job, now: datetime) -> datetime | None:
    """When the job fires for the first time after ``now``; None for one that should have fired by now.

    Raises ValidationFailed for a schedule that cannot be read, or that has no time in 50 years.
    """
    if not job.cron:
        cron.zone_named(job.timezone)
        return job.run_at if job.run_at and job.run_at > now else None
    found = cron.parse(job.cron, job.timezone).next(now)
    if found is None:
        raise ValidationFailed(details={"cron": ["There is no such time in the next 50 years."]})
    return found


def next_times(job: Job, count: int) -> list[datetime]:
    """When the job fires next, ``count`` times at most; never while it is not scheduled."""
    if job.next_fire_at is None or not job.cron:
        return [job.next_fire_at] if job.next_fire_at else []
    following = cron.parse(job.cron, job.timezone).after(job.next_fire_at)
    return [job.next_fire_at, *itertools.islice(following, count - 1)]


def pause(job: Job, actor: Actor, **details: Any) -> None:
    """Hold the schedule of a locked job."""
    move(job, JobStatus.PAUSED)
    record_job(actor, "job_paused", job, **details)


def failed(job: Job, actor: Actor, reason: str) -> None:
    """A fire of a locked job could start no run: after MAX_FAILURES in a row its schedule is held, and the system log
    says so; as it does at once of a job that had only this one fire.
    """
    job.failures += 1
    job.save(update_fields=["failures"])
    told = f"The job {job.name!r} could not start its run: {reason}"
    if job.status == JobStatus.SCHEDULED and job.failures >= MAX_FAILURES:
        pause(job, actor, failures=job.failures)
        told = f"The job {job.name!r} is paused after {job.failures} fires in a row that could start no run: {reason}"
    elif job.status == JobStatus.SCHEDULED:
        return
    logs.report(org_id=job.org_id, component="scheduler", level="ERROR", message=told, job_id=str(job.id))


def settle(
    job: Job, fire: JobFire, actor: Actor, status: FireStatus, reason: str = "", run_id: uuid.UUID | None = None
) -> None:
    """Decide what becomes of a fire that waited, of a locked job."""
    fire.status, fire.reason, fire.run_id = status, reason[:500], run_id
    fire.save(update_fields=["status", "reason", "run_id"])
    record_fire(actor, job, fire)


def move(job: Job, status: JobStatus, next_fire_at: datetime | None = None) -> None:
    """Write the status of a locked job, and when it fires next."""
    job.status, job.next_fire_at = status, next_fire_at
    job.version, job.updated_at = job.version + 1, clock.now()
    job.save(update_fields=["status", "next_fire_at", "failures", "version", "updated_at"])


def _reschedule(job: Job) -> None:
    """Give the job the next time of a schedule that has changed. Raises ValidationFailed for one that has none."""
    found = first_fire(job, clock.now()) or job.run_at
    if job.status == JobStatus.SCHEDULED:
        job.next_fire_at = found


def _locked(actor: Actor, job_id: uuid.UUID) -> Job:
    """The org's job, ours until the transaction ends. Raises NotFound."""
    job = Job.objects.for_org(actor.org_id).select_for_update(no_key=True).filter(pk=job_id).first()
    if job is None:
        raise NotFound
    return job
