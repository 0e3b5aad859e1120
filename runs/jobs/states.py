"""States of jobs and of their fires, and what a job may ask for where fires were missed or runs overlap."""

from typing import Final

from django.db.models import TextChoices

from orchestrator.core import transitions


class JobStatus(TextChoices):
    SCHEDULED = "scheduled"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class FireStatus(TextChoices):
    FIRED = "fired"
    SKIPPED = "skipped"
    WAITING = "waiting"


class Misfire(TextChoices):
    """What becomes of times at which no scheduler was there."""

    FIRE_ONCE = "fire_once"
    SKIP = "skip"
    FIRE_ALL = "fire_all"


class Overlap(TextChoices):
    """What becomes of a fire while a run of the job is active."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_RUNNING = "cancel_running"


JOB_TRANSITIONS: Final[transitions.Table] = {
    JobStatus.SCHEDULED: frozenset({JobStatus.PAUSED, JobStatus.COMPLETED, JobStatus.CANCELLED}),
    JobStatus.PAUSED: frozenset({JobStatus.SCHEDULED, JobStatus.CANCELLED}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}


def check_job(old: str, new: str) -> None:
    """Raises InvalidTransition, which says what is possible, when a job cannot go from ``old`` to ``new``."""
    transitions.check("job", JOB_TRANSITIONS, old, new)
