"""One fire of a job: its run, its row and its events, in the caller's transaction, which has locked the job.

Locks are taken in the order job, runs, nodes, head of the log: the runs that a fire cancels, and what of them waits,
are locked before it starts its own, because that already writes to the log.
"""

import contextlib
import dataclasses
import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from orchestrator.core.errors import OrchestratorError, ValidationFailed
from orchestrator.identity.actors import Actor
from runs.jobs.journal import record_fire
from runs.jobs.models import MAX_REASON, Job, JobFire
from runs.jobs.states import FireStatus, Overlap
from runs.models import Run
from runs.services import cancellation, limits, statements, submission
from runs.states import ACTIVE_RUN

_TICK: Final = timedelta(microseconds=1)
STILL_ACTIVE: Final = "A run of this job is still active."
ONE_WAITS: Final = "A run of this job is still active, and another fire waits for its end."


def fire(job: Job, *, actor: Actor, fire_time: datetime, note: str = "") -> JobFire:
    """Start a run, or let it wait or skip it where a run is active, as the job's overlap policy says; on the record.

    Raises ValidationFailed when the run cannot be started: the workflow is gone, or its inputs do not fit any more.
    """
    active = [] if job.overlap == Overlap.ALLOW else _lock(active_runs(job))
    if active and job.overlap == Overlap.SKIP:
        return write(job, actor, fire_time, FireStatus.SKIPPED, STILL_ACTIVE)
    if active and job.overlap == Overlap.QUEUE:
        if job.fires.waiting().exists():
            return write(job, actor, fire_time, FireStatus.SKIPPED, ONE_WAITS)
        return write(job, actor, fire_time, FireStatus.WAITING, STILL_ACTIVE)
    run = start(job, actor)
    for run_id in active:
        cancellation.cancel_run(actor=runner(actor), run_id=run_id)
    return write(job, actor, fire_time, FireStatus.FIRED, note, run=run)


def start(job: Job, actor: Actor) -> Run:
    """A run of the job. Raises ValidationFailed."""
    # The one place that says what a job hands on to its runs.
    return submission.start_run(
        actor=runner(actor), workflow=job.workflow, ref=job.ref or None, inputs=job.inputs,
        priority=job.priority or None,
    )  # fmt: skip


def rehearse(job: Job, actor: Actor) -> None:
    """Start a run and take it back: nothing is left of it. That one too many goes on just now is no fault of a job
    whose runs are for later. Raises ValidationFailed as ``start``.
    """
    with contextlib.suppress(limits.LimitReached), transaction.atomic():
        start(job, actor)
        transaction.set_rollback(True)


def runner(actor: Actor) -> Actor:
    """The same actor, who may run what a job of theirs asks for: the scope ``jobs`` is enough for that."""
    return dataclasses.replace(actor, scopes=actor.scopes | {"write"})


def write(
    job: Job, actor: Actor, fire_time: datetime, status: FireStatus, reason: str, run: Run | None = None
) -> JobFire:
    """The row of one decision, and its event."""
    made = JobFire.objects.create(
        org_id=job.org_id, job=job, fire_time=fire_time, status=status, reason=reason[:MAX_REASON], run=run,
        created_by=str(actor),
    )  # fmt: skip
    record_fire(actor, job, made)
    return made


def own_moment(job: Job, now: datetime) -> datetime:
    """``now``, or just after it while another fire of the job has that time."""
    while job.fires.filter(fire_time=now).exists():
        now += _TICK
    return now


def active_runs(job: Job) -> QuerySet[Run]:
    """The runs of the job that have not ended. Asked of the runs: few are active, a job may have many."""
    mine = JobFire.objects.filter(run_id=OuterRef("pk"), job_id=job.pk)
    return Run.objects.for_org(job.org_id).filter(Exists(mine), status__in=ACTIVE_RUN)


def why(error: OrchestratorError) -> str:
    """The sentences of an error, for the reason of a skipped fire."""
    if isinstance(error, ValidationFailed) and isinstance(error.details, dict):
        with contextlib.suppress(TypeError):
            return " ".join(f"{field}: {' '.join(found)}" for field, found in error.details.items())
    return error.message


def _lock(runs: QuerySet[Run]) -> list[uuid.UUID]:
    locked: Any = runs.select_for_update(no_key=True).order_by("id").values_list("pk", flat=True)
    found = list(locked)
    if found:
        statements.lock_waits(found)
    return found
