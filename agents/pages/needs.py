"""Agents that need a person, and those at work, for the home page."""

from collections import Counter
from typing import Any, Final

from django.urls import reverse

from agents.models import RuntimeAgent
from agents.states import RuntimeStatus
from orchestrator.identity.actors import Actor
from orchestrator.web.counting import MOST
from orchestrator.web.needs import Need

_LIVE: Final = (
    RuntimeStatus.EXECUTING, RuntimeStatus.PLANNING, RuntimeStatus.REVIEWING, RuntimeStatus.IDLE,
    RuntimeStatus.INITIALIZING,
)  # fmt: skip


def lost(actor: Actor, limit: int) -> list[Need]:
    """Agents that fell silent, the newest first. One query by an index."""
    rows = RuntimeAgent.objects.for_org(actor.org_id).filter(status=RuntimeStatus.LOST)
    found = rows.only("id", "name", "session_id", "last_heartbeat_at").order_by("-id")[:limit]
    return [
        Need(
            reverse("dashboard-agent", args=[row.pk]), row.name, f"silent, in session {row.session_id}",
            row.last_heartbeat_at,
        )
        for row in found
    ]  # fmt: skip


def live(actor: Actor) -> dict[str, Any]:
    """How many runtime agents there are in each live status, of the first so many. One query."""
    rows = RuntimeAgent.objects.for_org(actor.org_id).filter(status__in=_LIVE).values_list("status", flat=True)
    found = Counter(rows[: MOST + 1])
    counts = [(status.value, found[status]) for status in _LIVE if found[status]]
    return {"counts": counts, "more": found.total() > MOST}
