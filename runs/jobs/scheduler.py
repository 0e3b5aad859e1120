"""What time brings to jobs: a sweep that any number of processes run at once.

Each decision on a due job is a transaction of its own with the job's row locked: the fire's row, its run, the job's
next time and the events stand or fall together. A job whose row is locked is in good hands and left out.
"""

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from orchestrator.core import clock
from orchestrator.core.errors import OrchestratorError
from orchestrator.identity.actors import Actor
from runs.jobs import cron, firing, services
from runs.jobs.journal import record_job
from runs.jobs.models import Job, JobFire
from runs.jobs.states import FireStatus, JobStatus, Misfire
from runs.models import Run
from runs.states import ACTIVE_RUN

log = logging.getLogger(__name__)

BATCH: Final = 100
_ROUNDS: Final = 10  # the sweep comes again; others wait for their turn behind it
MAX_MISSED: Final = 100


def sweep() -> None:
    """Fire all that is due, and what has waited for the end of another run."""
    for step in (fire_due, fire_waiting):
        for _ in range(_ROUNDS):
            if not step():
                break


def fire_due() -> int:
    """Take one decision on each of the BATCH jobs that have been due the longest; how many it took."""
    now = clock.now()
    due = Job.objects.filter(next_fire_at__lte=now).order_by("next_fire_at", "id").values_list("pk", flat=True)
    return sum(_safely(job_id, lambda job_id: decide(job_id, now)) for job_id in list(due[:BATCH]))


def fire_waiting() -> int:
    """Fire what waits for no run any more; how many it decided."""
    of_job = JobFire.objects.filter(run_id=OuterRef("pk"), job_id=OuterRef(OuterRef("job_id")))
    active = Run.objects.filter(Exists(of_job), org_id=OuterRef("org_id"), status__in=ACTIVE_RUN)
    free = JobFire.objects.waiting().filter(~Exists(active))
    # In the order of the small index: SQLite would walk through all fires for the order of their ids.
    jobs = list(free.order_by("job_id").values_list("job_id", flat=True)[:BATCH])
    return sum(_safely(job_id, release) for job_id in jobs)


@transaction.atomic
def decide(job_id: uuid.UUID, now: datetime) -> bool:
    """Fire or skip the job's next time, and give it the one after; False when it is not due, or in other hands."""
    job = _locked(job_id)
    if job is None or job.next_fire_at is None or job.next_fire_at > now:
        return False
    missed = _due(job, now)
    if job.misfire == Misfire.SKIP:
        late = [moment for moment in missed if moment < now - timedelta(seconds=job.misfire_grace_seconds)]
        if late:
            _skip(job, late)
            return True
    if job.misfire == Misfire.FIRE_ONCE and len(missed) > 1:
        _advance(job, missed[-1])
        _fire(job, missed[-1], _stands_for(len(missed)))
    else:
        _advance(job, missed[0])
        _fire(job, missed[0])
    return True


@transaction.atomic
def release(job_id: uuid.UUID) -> bool:
    """Start the run of the job's waiting fire; False when a run is still active, or somebody else did or does."""
    job = _locked(job_id)
    waiting = job.fires.waiting().first() if job else None
    if job is None or waiting is None or firing.active_runs(job).exists():
        return False
    actor = Actor.system(job.org_id)
    try:
        run = firing.start(job, actor)
    except OrchestratorError as error:
        services.settle(job, waiting, actor, FireStatus.SKIPPED, firing.why(error))
        services.failed(job, actor, firing.why(error))
    else:
        services.settle(job, waiting, actor, FireStatus.FIRED, run_id=run.id)
    return True


def _due(job: Job, now: datetime) -> list[datetime]:
    """The job's times until ``now`` that nothing was decided on, the last MAX_MISSED of them."""
    assert job.next_fire_at is not None
    if not job.cron:
        return [job.next_fire_at]
    found = cron.parse(job.cron, job.timezone).latest(job.next_fire_at, now, MAX_MISSED)
    # Empty when the rules of the zone have changed since: what was promised holds.
    return found or [job.next_fire_at]


def _advance(job: Job, decided: datetime) -> None:
    """Give the job its first time after ``decided``; without one it is completed."""
    following = cron.parse(job.cron, job.timezone).next(decided) if job.cron else None
    services.move(job, JobStatus.SCHEDULED if following else JobStatus.COMPLETED, following)


def _fire(job: Job, fire_time: datetime, note: str = "") -> None:
    actor = Actor.system(job.org_id)
    if job.fires.filter(fire_time=fire_time).exists():  # somebody triggered the job at this very microsecond
        return
    try:
        with transaction.atomic():
            fire = firing.fire(job, actor=actor, fire_time=fire_time, note=note)
    except OrchestratorError as error:
        firing.write(job, actor, fire_time, FireStatus.SKIPPED, firing.why(error))
        services.failed(job, actor, firing.why(error))
    else:
        if fire.status == FireStatus.FIRED and job.failures:
            job.failures = 0
            job.save(update_fields=["failures"])
    _complete(job, actor)


def _skip(job: Job, late: list[datetime]) -> None:
    """One row for each time, one event for all."""
    actor, reason = Actor.system(job.org_id), f"More than {job.misfire_grace_seconds} seconds late."
    _advance(job, late[-1])
    fires = [
        JobFire(
            org_id=job.org_id, job=job, fire_time=moment, status=FireStatus.SKIPPED, reason=reason,
            created_by=str(actor),
        )
        for moment in late
    ]  # fmt: skip
    JobFire.objects.bulk_create(fires, ignore_conflicts=True)
    fire_time = clock.rfc3339(late[-1])
    record_job(actor, "job_skipped", job, fire_time=fire_time, run_id=None, reason=reason, fires=len(late))
    _complete(job, actor)


def _complete(job: Job, actor: Actor) -> None:
    if job.status == JobStatus.COMPLETED:
        record_job(actor, "job_completed", job)


def _stands_for(missed: int) -> str:
    return f"Stands for {missed - 1}{' or more' if missed == MAX_MISSED else ''} missed before it."


def _locked(job_id: uuid.UUID) -> Job | None:
    skip = connection.features.has_select_for_update_skip_locked
    return Job.objects.select_for_update(no_key=True, skip_locked=skip).filter(pk=job_id).first()


def _safely(job_id: uuid.UUID, step: Callable[[uuid.UUID], bool]) -> bool:
    """One job that cannot be decided on keeps nobody from the next."""
    try:
        return step(job_id)
    except Exception:
        log.exception("A job could not be decided on; it comes again.", extra={"job_id": str(job_id)})
        return False
