"""What the sweep does for limits: ends the runs whose place a newer one takes, and mends what should not happen.

Nothing here is needed for a slot to be freed: the transaction that ends a run does that.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from django.db import connection, transaction

from agents.services import logs
from orchestrator.core import sql
from orchestrator.core.errors import Conflict, NotFound
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from runs.models import Slot
from runs.services import cancellation, limits, org_limits
from runs.states import FINAL_RUN

log = logging.getLogger(__name__)

_BATCH: Final = 500
# Scopes with room, by what their rows say, and runs that are held back for it: who waits for the org with a key's slot
# reserved is not counted as waiting for the key's, and has one of the key's.
_LINES: Final = """
    SELECT s.org_id, s.scope FROM runs_slot s JOIN runs_run r ON r.id = s.run_id
    LEFT JOIN runs_slot o ON o.run_id = s.run_id AND o.scope = 'org' AND o.number IS NULL AND s.scope <> 'org'
    GROUP BY s.org_id, s.scope
    HAVING COUNT(CASE WHEN s.number IS NULL AND o.id IS NULL AND r.waiting_on IS NOT NULL THEN 1 END) > 0
    AND (s.scope = 'org' OR
         COUNT(s.number) + COUNT(o.id) < MAX(CASE WHEN s.number IS NULL THEN s.capacity ELSE 0 END))
    LIMIT 500
"""


def mend() -> None:
    """All of it once. Each finding for itself: one that cannot be mended keeps nobody from the next."""
    for slot in _left_behind():
        _safely(partial(_free, slot))
    for org_id, scope in _lines():
        _safely(partial(_serve, org_id, scope))
    for slot, policy in _displaced():
        _safely(partial(_end, slot, policy))


def displaced(line: Sequence[Slot]) -> list[Slot]:
    """Of the runs of one scope, the oldest first, those whose place the newest takes.

    With cancel_running as many go on as there are slots, the newest. With replace_queued only the newest waits, beside
    those that could begin at once.
    """
    newest = line[-1]
    if newest.policy == limits.CANCEL_RUNNING:
        return list(line[: -newest.capacity])
    if newest.policy == limits.REPLACE_QUEUED:
        waiting = [slot for slot in line if slot.number is None]
        room = max(newest.capacity - (len(line) - len(waiting)), 0)
        return waiting[room:-1]
    return []


def _displaced() -> list[tuple[Slot, str]]:
    waiting = Slot.objects.filter(number=None, policy__in=(limits.CANCEL_RUNNING, limits.REPLACE_QUEUED))
    found: list[tuple[Slot, str]] = []
    for org_id, scope in waiting.order_by().values_list("org_id", "scope").distinct()[:_BATCH]:
        rows = Slot.objects.for_org(org_id).filter(scope=scope).select_related("run").order_by("run_id")
        if line := list(rows):
            policy = line[-1].policy
            found += [(slot, policy) for slot in displaced(line) if slot.run.cancel_requested_at is None]
    return found


def _end(slot: Slot, policy: str) -> None:
    run, only_queued = slot.run, policy == limits.REPLACE_QUEUED
    try:
        with transaction.atomic():
            cancellation.cancel_run(actor=Actor.system(slot.org_id), run_id=run.id, only_queued=only_queued)
            told = f"A run of {run.workflow} gives its place to a newer one ({policy})."
            logs.report(org_id=run.org_id, component="limits", level="INFO", message=told, run_id=str(run.id))
    except (Conflict, NotFound):
        log.info("The run has ended or begun before it could give its place to a newer one.")


def _lines() -> list[tuple[uuid.UUID, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_LINES)
        found = [(sql.uuid_of(org_id), scope) for org_id, scope in cursor.fetchall()]
    return [(org_id, scope) for org_id, scope in found if scope != limits.ORG or _org_has_room(org_id)]


def _org_has_room(org_id: uuid.UUID) -> bool:
    most = org_limits.read_most_running(org_id)
    held = Slot.objects.for_org(org_id).filter(scope=limits.ORG, number__isnull=False)
    return most is None or held.count() < most


@transaction.atomic
def _serve(org_id: uuid.UUID, scope: str) -> None:
    events.lock_head(org_id)
    limits.hand_over(org_id, scope)


def _left_behind() -> list[Slot]:
    rows = Slot.objects.filter(number__isnull=False, run__status__in=FINAL_RUN)
    return list(rows.select_related("run")[:_BATCH])


@transaction.atomic
def _free(slot: Slot) -> None:
    events.lock_head(slot.org_id)
    if Slot.objects.filter(pk=slot.pk).delete()[0]:
        limits.hand_over(slot.org_id, slot.scope)
        told = f"A run that had ended still held a slot of {slot.scope}; it is free now."
        logs.report(
            org_id=slot.org_id, component="limits", level="ERROR", message=told, run_id=str(slot.run_id),
            scope=slot.scope,
        )  # fmt: skip


def _safely(step: Callable[[], None]) -> None:
    try:
        step()
    except Exception:
        log.warning("A limit could not be mended; it is looked at again.", exc_info=True)
        connection.close_if_unusable_or_obsolete()
