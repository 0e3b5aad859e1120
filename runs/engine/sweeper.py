"""Finds the runs that nobody holds: their message was lost, or their worker died or gave them back."""

import os
import socket
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from django.db.models import Q

from orchestrator.core import clock
from runs.models import Run
from runs.services.statements import ACTIVE
from runs.states import RunStatus

_BATCH: Final = 500


class Ownerless(NamedTuple):
    run_id: uuid.UUID
    dead_holder: str | None  # whose lease may be taken before it runs out


def ownerless(holder: str) -> Iterator[Ownerless]:
    """The oldest such runs. One query over the index of active runs.

    A lease normally protects its run until it expires; one whose holder was a process of this host that is gone does
    not, nor one of ``holder`` itself that it has dropped (the engine skips those that it has in hand).
    """
    now = clock.now()
    # The live leases of other hosts stay out of the batch: however many there are, they must not hide what is lost.
    lost = (
        Q(lease_expires_at=None) | Q(lease_expires_at__lt=now) | Q(lease_holder__startswith=f"{socket.gethostname()}:")
    )
    active = Q(status=RunStatus.QUEUED) | Q(lost | Q(lease_holder=holder), status=RunStatus.RUNNING)
    runs = Run.objects.filter(active).extra(where=[ACTIVE])  # noqa: S610 - a constant
    rows = runs.order_by("id").values_list("id", "status", "lease_holder", "lease_expires_at")
    for run_id, status, held_by, expires_at in rows[:_BATCH]:
        if status == RunStatus.QUEUED or _expired(expires_at, now):
            yield Ownerless(run_id, None)
        elif held_by == holder or _is_dead(held_by, holder):
            yield Ownerless(run_id, held_by)


def _expired(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is None or expires_at < now


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
