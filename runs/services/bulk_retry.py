"""Retrying many runs at once."""

import uuid
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from orchestrator.identity.actors import Actor
from runs.models import Run
from runs.services.forks import retry_run
from runs.services.limits import LimitReached
from runs.states import RunStatus

MOST: Final = 1000  # of one call
RETRIABLE: Final = (RunStatus.FAILED, RunStatus.CANCELLED)


def retry_runs(
    *,
    actor: Actor,
    status: str | None = None,
    workflow: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    dry_run: bool = False,
) -> dict[str, int]:
    """Retry the failed and cancelled runs that the filter matches, the oldest first, up to MOST of them; how many there
    are, ``matched``, and how many were ``done``. With ``dry_run`` none is.

    A run that was done again already is left out, so that nothing is retried twice by calling twice; so is one that is
    the work of another run's node. One that its workflow's limit refuses now is not done. Raises PermissionDenied.
    """
    actor.require("write")
    asked = {
        "status": status, "workflow": workflow, "created_at__gt": created_after, "created_at__lt": created_before,
    }  # fmt: skip
    rows = _retriable(actor).filter(**{name: value for name, value in asked.items() if value is not None})
    matched = rows.count()
    ids = [] if dry_run else list(rows.order_by("id").values_list("id", flat=True)[:MOST])
    return {"matched": matched, "done": sum(_retried(actor, run_id) for run_id in ids)}


def _retried(actor: Actor, run_id: uuid.UUID) -> bool:
    try:
        retry_run(actor=actor, run_id=run_id)
    except LimitReached:  # the others need not wait for its turn
        return False
    return True


def _retriable(actor: Actor) -> QuerySet[Run, Any]:
    return Run.objects.for_org(actor.org_id).filter(status__in=RETRIABLE, forks=None, parent=None)
