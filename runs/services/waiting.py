"""Why a queued run does not move, worked out when somebody asks for it."""

from typing import Any

from django.db.models import Q

from runs.models import Run, Slot
from runs.services import limits
from runs.services.statements import OFFERED
from runs.states import RunStatus


def waiting_on(run: Run) -> list[dict[str, Any]] | None:
    """What the run waits for: with its place in the line as long as it has not begun, as it is on the row afterwards.

    A place in the line for the workers is among the runs of all orgs, which share them.
    """
    if run.status != RunStatus.QUEUED:
        found: list[dict[str, Any]] | None = run.waiting_on
        return found
    if run.waiting_on is None:
        before = Q(priority__gt=run.priority) | Q(priority=run.priority, id__lt=run.id)
        ahead = Run.objects.filter(before).extra(where=[OFFERED]).count()  # noqa: S610 - a constant
        return [{"kind": "queue", "position": ahead + 1, "ahead": ahead}]
    slot = Slot.objects.filter(run=run, scope=run.waiting_on[0]["scope"], number=None).first()
    if slot is None:  # its turn comes in this moment
        return run.waiting_on
    ahead = limits.ahead_of(slot)
    return [{**limits.reason(slot), "position": ahead + 1, "ahead": ahead}]
