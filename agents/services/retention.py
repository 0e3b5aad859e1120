"""What is old goes: lines, and what is done with. Batch by batch, each a short transaction with its event. Rooms above
this one register what else may go.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from agents.models import AgentLog, Prompt, SystemLog
from agents.states import FINAL, PROMPT_FINAL
from orchestrator.core import clock
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.identity.querysets import OrgQuerySet

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class _Kind:
    """Rows that may go. ``made`` and ``ended`` name the columns that say when; ids grow with ``made``."""

    rows: OrgQuerySet
    made: str
    ended: str


_kinds: dict[str, _Kind] = {}


def register(kind: str, rows: OrgQuerySet, *, made: str = "created_at", ended: str = "") -> None:
    """Let ``prune`` remove ``rows``. ``kind`` is that of the list that changes. They are as old as their column
    ``made`` says; with ``ended`` they must also have ended as long ago.
    """
    _kinds[kind] = _Kind(rows, made, ended)


def kinds() -> tuple[str, ...]:
    """What can be pruned."""
    return tuple(_kinds)


register("agent_logs", AgentLog.objects.all())
register("system_logs", SystemLog.objects.all())
register(
    "prompts", Prompt.objects.filter(status__in=PROMPT_FINAL, runtime_agent__status__in=FINAL), ended="completed_at"
)


def prune(*, kind: str, org_id: uuid.UUID, before: datetime, dry_run: bool = False) -> int:
    """Remove the org's rows of ``kind`` (one of kinds()) that were made before a moment, and that ended before it if
    they are of a kind that ends; how many. Of prompts, only those of agents that have ended. With ``dry_run`` it only
    counts.
    """
    found = _kinds[kind]
    rows: OrgQuerySet = found.rows.for_org(org_id)
    if found.ended:
        rows = rows.filter(**{f"{found.ended}__lt": before})
    batches = _batches(rows, found.made, before)
    return sum(len(ids) if dry_run else _remove(kind, org_id, ids, before) for ids in batches)


def _batches(rows: QuerySet[Any], made: str, before: datetime) -> Iterator[list[uuid.UUID]]:
    """Ids of old rows. They grow with time, so that the walk ends at the first young row and no index by time is
    needed.
    """
    page = list(rows.order_by("id").values_list("id", made)[:BATCH])
    while old := [pk for pk, made_at in page if made_at < before]:
        yield old
        if len(old) < BATCH:
            return
        page = list(rows.filter(id__gt=old[-1]).order_by("id").values_list("id", made)[:BATCH])


@transaction.atomic
def _remove(kind: str, org_id: uuid.UUID, ids: list[uuid.UUID], before: datetime) -> int:
    """How many of them were still there. The event tells readers of lists that the lists have changed."""
    removed, _ = _kinds[kind].rows.model._default_manager.filter(pk__in=ids).delete()
    if removed:
        details = {"removed": removed, "before": clock.rfc3339(before)}
        events.record(
            actor=Actor.system(org_id), event=f"{kind}_pruned", kind=kind, target=f"organization:{org_id}",
            details=details,
        )  # fmt: skip
    return removed
