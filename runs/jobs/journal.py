"""Jobs in the org's log. Each line is recorded last in its transaction: it takes the lock of the log's head."""

from typing import Any

from orchestrator.core import clock
from orchestrator.events.services import record
from orchestrator.identity.actors import Actor
from runs.jobs.models import Job, JobFire


def record_job(actor: Actor, event: str, job: Job, **details: Any) -> None:
    """The job's state change."""
    details = {"name": job.name, "workflow": job.workflow, "status": str(job.status), **details}
    record(actor=actor, event=event, kind="jobs", target=f"job:{job.id}", details=details)


def record_fire(actor: Actor, job: Job, fire: JobFire, **details: Any) -> None:
    """``job_fired``, ``job_skipped`` or ``job_waiting``: what was decided for one time."""
    run_id = str(fire.run_id) if fire.run_id else None
    told = {"fire_time": clock.rfc3339(fire.fire_time), "run_id": run_id, "reason": fire.reason, **details}
    record_job(actor, f"job_{fire.status}", job, **told)
