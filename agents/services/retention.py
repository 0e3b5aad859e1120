"""What is old goes: lines, and prompts that are done with. Batch by batch, each a short transaction with its event."""

import uuid
from collections.abc import Iterator
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
# The kinds are those of the lists that change.
_ROWS: Final[dict[str, OrgQuerySet]] = {
    "agent_logs": AgentLog.objects.all(),
    "system_logs": SystemLog.objects.all(),
    "prompts": Prompt.objects.filter(status__in=PROMPT_FINAL, runtime_agent__status__in=FINAL),
}
KINDS: Final = tuple(_ROWS)


def prune(*, kind: str, org_id: uuid.UUID, before: datetime, dry_run: bool = False) -> int:
    """Remove the org's rows of ``kind`` (one of KINDS) that were made before a moment; how many. Of prompts, only those
    that have ended before it, of agents that have ended. With ``dry_run`` it only counts.
    """
    rows: OrgQuerySet = _ROWS[kind].for_org(org_id)
    if kind == "prompts":
        rows = rows.filter(completed_at__lt=before)
    return sum(len(ids) if dry_run else _remove(kind, org_id, ids, before) for ids in _batches(rows, before))


def _batches(rows: QuerySet[Any], before: datetime) -> Iterator[list[uuid.UUID]]:
    """Ids of old rows. They grow with time, so that the walk ends at the first young row and no index by time is
    needed.
    """
    page = list(rows.order_by("id").values_list("id", "created_at")[:BATCH])
    while old := [pk for pk, created_at in page if created_at < before]:
        yield old
        if len(old) < BATCH:
            return
        page = list(rows.filter(id__gt=old[-1]).order_by("id").values_list("id", "created_at")[:BATCH])


@transaction.atomic
def _remove(kind: str, org_id: uuid.UUID, ids: list[uuid.UUID], before: datetime) -> int:
    """How many of them were still there. The event tells readers of lists that the lists have changed."""
    removed, _ = _ROWS[kind].model._default_manager.filter(pk__in=ids).delete()
    if removed:
        details = {"removed": removed, "before": clock.rfc3339(before)}
        events.record(
            actor=Actor.system(org_id), event=f"{kind}_pruned", kind=kind, target=f"organization:{org_id}",
            details=details,
        )  # fmt: skip
    return removed
