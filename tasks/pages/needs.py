"""Tasks that need a person."""

from django.db.models import F
from django.urls import reverse

from orchestrator.identity.actors import Actor
from orchestrator.web.needs import Need
from tasks.models import Task
from tasks.states import Status


def parked(actor: Actor, limit: int) -> list[Need]:
    """Tasks whose attempts are used up, the newest first. One query by an index."""
    rows = Task.objects.for_org(actor.org_id).filter(status=Status.BLOCKED, attempts__gte=F("max_attempts"))
    fields = ("id", "title", "attempts", "max_attempts", "updated_at")
    return [
        Need(
            reverse("dashboard-task", args=[row.pk]), row.title,
            f"parked after {row.attempts} of {row.max_attempts} attempts", row.updated_at,
        )
        for row in rows.only(*fields).order_by("-id")[:limit]
    ]  # fmt: skip
