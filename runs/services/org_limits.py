"""How many runs of an org go on at once: what it was set to, or ORG_MAX_RUNNING."""

import threading
import uuid
from typing import Final

import cachetools
from django.conf import settings
from django.db import transaction

from orchestrator.core import clock
from orchestrator.core.errors import PreconditionFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from runs.engine import dispatch
from runs.models import OrgLimits

_KNOWN_SECONDS: Final = 1.0  # how long a process goes on with what it has read

_known: cachetools.TTLCache[uuid.UUID, int | None] = cachetools.TTLCache(4096, _KNOWN_SECONDS, timer=clock.monotonic)
_lock = threading.Lock()


def limits_of(org_id: uuid.UUID) -> OrgLimits:
    """What the org was set to; as it is at first where nobody has set anything."""
    return OrgLimits.objects.for_org(org_id).first() or OrgLimits(org_id=org_id)


@transaction.atomic
def set_limits(*, actor: Actor, version: int | None, max_running_runs: int | None) -> OrgLimits:
    """Write over the org's limits at ``version`` (None: whichever they have). None leaves it to the server's default, 0
    is no limit. Runs that wait and need not any more go on with the next sweep; those that had begun under no limit do
    not count.

    Raises PermissionDenied, and PreconditionFailed when another writer has won.
    """
    actor.require("admin")
    OrgLimits.objects.get_or_create(org_id=actor.org_id)
    found = OrgLimits.objects.select_for_update().get(pk=actor.org_id)
    if version is not None and found.version != version:
        raise PreconditionFailed
    found.max_running_runs, found.version, found.updated_at = max_running_runs, found.version + 1, clock.now()
    found.save()
    events.record(
        actor=actor, event="limits_changed", kind="limits", target=f"org:{actor.org_id}",
        details={"max_running_runs": max_running_runs},
    )  # fmt: skip
    transaction.on_commit(lambda: _changed(actor.org_id))
    return found


def most_running(org_id: uuid.UUID) -> int | None:
    """How many runs of the org may go on at once, as of a second ago; None: any number. Mostly without a query."""
    with _lock:
        if org_id in _known:
            return _effective(_known[org_id])
    return read_most_running(org_id)


def read_most_running(org_id: uuid.UUID) -> int | None:
    """The same as of now."""
    found = OrgLimits.objects.for_org(org_id).values_list("max_running_runs", flat=True).first()
    with _lock:
        _known[org_id] = found
    return _effective(found)


def forget() -> None:
    """For tests, which set limits without a service."""
    with _lock:
        _known.clear()


def _effective(found: int | None) -> int | None:
    return (settings.ORG_MAX_RUNNING if found is None else found) or None


def _changed(org_id: uuid.UUID) -> None:
    with _lock:
        _known.pop(org_id, None)
    dispatch.wake(clock.now())
