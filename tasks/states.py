"""The life of a task: its statuses and which may follow which (CONTRACT §3, Tasks); and how leases end."""

from typing import Final

from django.db.models import TextChoices

from orchestrator.core import transitions


class LeaseOutcome(TextChoices):
    """How a lease ended; empty while it is active."""

    ACTIVE = "", "active"
    COMPLETED = "completed"
    RELEASED = "released"
    FAILED = "failed"
    RECLAIMED = "reclaimed"
    SUPERSEDED = "superseded"


class Status(TextChoices):
    TODO = "todo"
    IN_PROGRESS = "in_progress"
    REVIEW = "review"
    APPROVED = "approved"
    MERGING = "merging"
    BLOCKED = "blocked"
    DONE = "done"
    CANCELLED = "cancelled"


TRANSITIONS: Final[transitions.Table] = {
    Status.TODO: frozenset({Status.IN_PROGRESS, Status.BLOCKED, Status.CANCELLED}),
    Status.IN_PROGRESS: frozenset({Status.REVIEW, Status.BLOCKED, Status.TODO, Status.CANCELLED}),
    Status.REVIEW: frozenset({Status.APPROVED, Status.IN_PROGRESS, Status.BLOCKED, Status.CANCELLED}),
    Status.APPROVED: frozenset({Status.MERGING, Status.BLOCKED, Status.CANCELLED}),
    Status.MERGING: frozenset({Status.DONE, Status.APPROVED, Status.BLOCKED}),
    Status.BLOCKED: frozenset({Status.TODO, Status.IN_PROGRESS, Status.CANCELLED}),
    Status.DONE: frozenset(),
    Status.CANCELLED: frozenset(),
}


def check_transition(old: str, new: str) -> None:
    """Raises InvalidTransition, which says what is possible, when a task that is ``old`` cannot become ``new``."""
    transitions.check("task", TRANSITIONS, old, new)
