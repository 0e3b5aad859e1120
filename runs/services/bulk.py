"""One act on many runs: those that a selection names, each in a transaction of its own, the oldest first."""

import math
import uuid
from collections.abc import Callable
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
from runs.services.forks import retry_run
from runs.services.limits import LimitReached
from runs.states import ACTIVE_RUN, RunStatus

MOST_RETRIED: Final = 1000  # of one call
RETRIABLE: Final = (RunStatus.FAILED, RunStatus.CANCELLED)
_BATCH: Final = 100
_COLUMNS: Final = {
    "created_before": "created_at__lt", "created_after": "created_at__gt", "job": "job_fire__job",
    "text": "inputs__prompt__icontains", "created_by": "created_by__startswith", "priority": "priority__gte",
}  # fmt: skip
Act = Callable[[Actor, uuid.UUID], bool]


class Selection(TypedDict, total=False):
    """Which runs; what is left out selects all."""

    status: str
    workflow: str
    created_before: datetime
    created_after: datetime
    job: uuid.UUID
    text: str  # within the prompt
    created_by: str  # an actor, or the kind of one
    priority: int  # at least
    forked_from: uuid.UUID
    parent: uuid.UUID


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
    return Outcome(matched, 0 if dry_run else _each(actor, runs, _cancelled))


def retry_runs(*, actor: Actor, dry_run: bool = False, **selection: Unpack[Selection]) -> Outcome:
    """Retry the failed and cancelled runs of the selection, up to MOST_RETRIED of them; with ``dry_run``, only count
    them. It stops in time as cancel_runs does.

    A run that was done again already is left out, so that nothing is retried twice by calling twice; so is one that is
    the work of another run's node. One that its workflow's limit refuses now is not done. Raises like cancel_runs.
    """
    actor.require("write")
    runs = select(actor, **selection).filter(status__in=RETRIABLE, forks=None, parent=None)
    matched = runs.count()
    return Outcome(matched, 0 if dry_run else _each(actor, runs, _retried, most=MOST_RETRIED))


def select(actor: Actor, **selection: Unpack[Selection]) -> QuerySet[Run]:
    """The org's runs that the selection names. Raises NotFound for a job that is not there."""
    job_id = selection.get("job")
    if job_id is not None and not Job.objects.for_org(actor.org_id).filter(pk=job_id).exists():
        raise NotFound(f"There is no job {str(job_id)!r}.")
    conditions = {_COLUMNS.get(name, name): value for name, value in selection.items()}
    return Run.objects.for_org(actor.org_id).filter(**conditions)


def _each(actor: Actor, runs: QuerySet[Run], act: Act, most: float = math.inf) -> int:
    """How many of the runs were dealt with, as long as there is time, and of the first ``most``."""
    until, tried, done = clock.monotonic() + settings.REQUEST_TIMEOUT_SECONDS / 2, 0, 0
    last = uuid.UUID(int=0)
    while batch := list(runs.filter(pk__gt=last).order_by("id").values_list("pk", flat=True)[:_BATCH]):
        for last in batch:
            done, tried = done + act(actor, last), tried + 1
            if tried >= most or clock.monotonic() > until:
                return done
    return done


def _cancelled(actor: Actor, run_id: uuid.UUID) -> bool:
    try:
        cancellation.cancel_run(actor=actor, run_id=run_id)
    except (Conflict, NotFound):  # it has ended by itself
        return False
    return True


def _retried(actor: Actor, run_id: uuid.UUID) -> bool:
    try:
        retry_run(actor=actor, run_id=run_id)
    except LimitReached:  # the others need not wait for its turn
        return False
    return True
