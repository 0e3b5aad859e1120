"""One act on many runs: those that a selection names, each in a transaction of its own, the oldest first."""

import uuid
from datetime import datetime
from typing import Final, NamedTuple, TypedDict, Unpack

from django.conf import settings
from django.db.models import QuerySet

from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound
from orchestrator.identity.actors import Actor
from runs.jobs.models import Job
from runs.models import Run
from runs.services import cancellation
from runs.states import ACTIVE_RUN

_BATCH: Final = 100


class Selection(TypedDict, total=False):
    """Which runs; what is left out selects all."""

    status: str
    workflow: str
    created_before: datetime
    created_after: datetime
    job: uuid.UUID


class Outcome(NamedTuple):
    """How many runs the selection had when it was asked, and how many of them were dealt with."""

    matched: int
    done: int


def cancel_runs(*, actor: Actor, dry_run: bool, **selection: Unpack[Selection]) -> Outcome:
    """Cancel the active runs of the selection; with ``dry_run``, only count them.

    It stops half-way to the time at which a request is given up: ``done`` is then less than ``matched``, and another
    call goes on. A run that ends by itself meanwhile is not done. Raises PermissionDenied, and NotFound for a job that
    is not there.
    """
    actor.require("write")
    runs = select(actor, **selection).filter(status__in=ACTIVE_RUN)
    matched = runs.count()
    return Outcome(matched, 0 if dry_run else _each_cancelled(actor, runs))


def select(actor: Actor, **selection: Unpack[Selection]) -> QuerySet[Run]:
    """The org's runs that the selection names. Raises NotFound for a job that is not there."""
    columns = {"created_before": "created_at__lt", "created_after": "created_at__gt", "job": "job_fire__job"}
    job_id = selection.get("job")
    if job_id is not None and not Job.objects.for_org(actor.org_id).filter(pk=job_id).exists():
        raise NotFound(f"There is no job {str(job_id)!r}.")
    conditions = {columns.get(name, name): value for name, value in selection.items()}
    return Run.objects.for_org(actor.org_id).filter(**conditions)


def _each_cancelled(actor: Actor, runs: QuerySet[Run]) -> int:
    until, done = clock.monotonic() + settings.REQUEST_TIMEOUT_SECONDS / 2, 0
    last = uuid.UUID(int=0)
    while batch := list(runs.filter(pk__gt=last).order_by("id").values_list("pk", flat=True)[:_BATCH]):
        for last in batch:
            done += _cancelled(actor, last)
            if clock.monotonic() > until:
                return done
    return done


def _cancelled(actor: Actor, run_id: uuid.UUID) -> bool:
    try:
        cancellation.cancel_run(actor=actor, run_id=run_id)
    except (Conflict, NotFound):  # it has ended by itself
        return False
    return True
