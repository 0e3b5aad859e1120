"""Finds what nobody does: messages that were lost, workers that died, times that have come.

Any number of processes sweep at once: each finding is acted on under its run's lock, by whoever comes first.
"""

import logging
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Replace

from orchestrator.core import clock
from orchestrator.core.errors import Conflict
from orchestrator.identity.actors import Actor
from runs.engine import dispatch
from runs.models import Run, RunNode, Slot
from runs.services import cancellation, limit_repairs, progress
from runs.services.statements import ACTIVE, MOVING, OFFERED, RUNNING
from runs.states import FINAL_RUN, NodeStatus

log = logging.getLogger(__name__)

_BATCH: Final = 500


class Lost(NamedTuple):
    """An attempt whose holder is gone."""

    run_id: uuid.UUID
    node: str
    token: int


def sweep(holder: str) -> datetime | None:
    """All of it once; when the next thing becomes due. ``holder`` is the engine that asks. Each finding for itself: one
    that cannot be mended keeps nobody from the next.
    """
    if is_idle():
        return None
    for found in lost(holder):
        _safely(partial(progress.recover, *found))
    for late in _out_of_time():
        _safely(partial(progress.time_out, *late))
    for run_id in _overdue():
        _safely(partial(progress.end_overdue, run_id))
    for run_id, org_id in _orphans():
        _safely(partial(_cancel, run_id, org_id))
    _safely(limit_repairs.mend)
    offer_ready()
    return next_due()


def is_idle() -> bool:
    """Whether there is nothing to look for: a server that is at rest asks no more than this."""
    return not (Run.objects.extra(where=[ACTIVE]).exists() or Slot.objects.exists())  # noqa: S610 - a constant


def offer_ready() -> None:
    """Offer the queued runs, and the runs with nodes that are ready or whose waits are over."""
    now = clock.now()
    for run_id, place, priority in _queued():
        dispatch.remind(run_id, place=place, priority=priority)
    due = RunNode.objects.filter(status__in=(NodeStatus.PENDING, NodeStatus.WAITING), due_at__lte=now)
    ready = due.extra(where=[MOVING]).values_list("run_id", "queue", "run__next_sequence", "run__priority")  # noqa: S610
    # By chance: those that wait for a queue that nobody serves, however many, must not hide the others.
    for run_id, queue, place, priority, count in ready.annotate(count=Count("id")).order_by("?")[:_BATCH]:
        dispatch.remind(run_id, queue, place=place, count=count, priority=priority)


def next_due() -> datetime | None:
    """When the next thing becomes due that is not due yet."""
    now = clock.now()
    nodes = RunNode.objects.filter(due_at__gt=now).extra(where=[MOVING]).order_by("due_at")  # noqa: S610
    runs = Run.objects.filter(due_at__gt=now).extra(where=[ACTIVE]).order_by("due_at")  # noqa: S610
    found = [rows.values_list("due_at", flat=True).first() for rows in (nodes, runs)]
    return min((moment for moment in found if moment is not None), default=None)


def lost(holder: str) -> Iterator[Lost]:
    """Attempts whose lease has run out, or whose holder was a process of this host that is gone. A lease normally
    protects its node until it expires.
    """
    now = clock.now()
    # The live leases of other hosts stay out of the batch: however many there are, they must not hide what is lost.
    expired = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
    here = Q(lease_holder__startswith=f"{socket.gethostname()}:")
    rows = RunNode.objects.filter(expired | here).extra(where=[RUNNING]).order_by("lease_expires_at")  # noqa: S610
    for run_id, node, token, held_by, until in rows.values_list(
        "run_id", "node", "token", "lease_holder", "lease_expires_at"
    )[:_BATCH]:
        if until is None or until < now or _is_dead(held_by, holder):
            yield Lost(run_id, node, token)


def _queued() -> Iterator[tuple[uuid.UUID, int, int]]:
    rows = Run.objects.extra(where=[OFFERED])  # noqa: S610 - a constant
    yield from rows.order_by("-priority", "id").values_list("id", "next_sequence", "priority")[:_BATCH]


def _out_of_time() -> list[tuple[uuid.UUID, str, int]]:
    rows = RunNode.objects.filter(status=NodeStatus.RUNNING, due_at__lte=clock.now()).extra(where=[MOVING])  # noqa: S610
    return list(rows.order_by("due_at").values_list("run_id", "node", "token")[:_BATCH])


def _overdue() -> list[uuid.UUID]:
    rows = Run.objects.filter(due_at__lte=clock.now()).extra(where=[ACTIVE])  # noqa: S610 - a constant
    return list(rows.order_by("due_at").values_list("id", flat=True)[:_BATCH])


def _orphans() -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Runs that a node of another run was waiting for, which does not wait any more, or for that of a later attempt."""
    # SQLite keeps ids without dashes.
    waits_for = Replace(KT("waiting_on__run_id"), Value("-"), output_field=TextField())
    mine = Replace(Cast(OuterRef("pk"), TextField()), Value("-"), output_field=TextField())
    waits = RunNode.objects.filter(run=OuterRef("parent"), node=OuterRef("parent_node"), status=NodeStatus.WAITING)
    waits = waits.alias(waits_for=waits_for).filter(waits_for=mine)
    rows = Run.objects.filter(~Exists(waits), parent__isnull=False, cancel_requested_at=None)
    return list(rows.extra(where=[ACTIVE]).order_by("id").values_list("id", "org_id")[:_BATCH])  # noqa: S610


def _cancel(run_id: uuid.UUID, org_id: uuid.UUID) -> None:
    try:
        cancellation.cancel_run(actor=Actor.system(org_id), run_id=run_id)
    except Conflict:  # it has ended meanwhile
        assert Run.objects.get(pk=run_id).status in FINAL_RUN


def _is_dead(held_by: str, holder: str) -> bool:
    """Whether a holder ``host:pid:nonce`` was a process of this host that does not run any more."""
    host, _, rest = held_by.rpartition(":")[0].rpartition(":")
    if host != socket.gethostname() or not rest.isdigit():
        return False
    if int(rest) == os.getpid():
        return held_by.rpartition(":")[2] != holder.rpartition(":")[2]  # our id, but an earlier process had it
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _safely(step: Callable[[], object]) -> None:
    try:
        step()
    except Exception:
        log.warning("Something that was found could not be mended; it is found again.", exc_info=True)
        connection.close_if_unusable_or_obsolete()
