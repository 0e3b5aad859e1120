"""All that the page of one task shows, and that live.js asks for again."""

from typing import Any, Final

from django.db.models import QuerySet

from orchestrator.events import services as events
from orchestrator.events.models import Event
from orchestrator.identity.actors import Actor
from orchestrator.web.people import Names
from tasks.details import attach
from tasks.models import Task, TaskLease
from tasks.pages.board import moves_of
from tasks.pages.holders import held
from tasks.pages.words import told
from tasks.states import Status

HISTORY_SHOWN: Final = 30
_LINKS_SHOWN: Final = 100
_LEASES_SHOWN: Final = 10


def read_task(task: Task, actor: Actor, before: int | None = None) -> dict[str, Any]:
    """The context of both templates. A fixed number of queries."""
    head = events.head(task.org_id)
    attach([task])
    history, older = _history(task, before)
    leases = list(TaskLease.objects.for_org(task.org_id).filter(task=task).order_by("-id")[:_LEASES_SHOWN])
    active = held(task.org_id, (lease for lease in leases if lease.ended_at is None))
    names = Names(task.org_id, [task.created_by, *(row.actor for row in history), *(row.holder for row in leases)])
    return {
        "task": task,
        "may_write": actor.may("write"),
        "created_by": names.spell(task.created_by),
        "moves": moves_of(task.status),
        "parked": task.status == Status.BLOCKED and task.attempts >= task.max_attempts,
        "held": active.get(task.pk),
        "leases": [{"row": lease, "holder": names.spell(lease.holder)} for lease in leases if lease.ended_at],
        "needs": _links(Task.objects.for_org(task.org_id).filter(dependents__task=task)),
        "needed_by": _links(Task.objects.for_org(task.org_id).filter(dependencies__depends_on=task)),
        "history": [{"row": row, "actor": names.spell(row.actor), "told": told(row)} for row in history],
        "older": older,
        "before": before,
        "head": head,
    }


def _history(task: Task, before: int | None) -> tuple[list[Event], int | None]:
    """The newest events of the task, or those before one, and where the older ones go on."""
    rows = Event.objects.for_org(task.org_id).filter(target=f"task:{task.pk}")
    rows = rows if before is None else rows.filter(seq__lt=before)
    found = list(rows.order_by("-seq")[: HISTORY_SHOWN + 1])
    shown = found[:HISTORY_SHOWN]
    return shown, shown[-1].seq if len(found) > len(shown) else None


def _links(rows: QuerySet[Task]) -> list[Task]:
    return list(rows.only("id", "title", "status").order_by("id")[:_LINKS_SHOWN])
