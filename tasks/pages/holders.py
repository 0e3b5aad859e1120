"""Who holds leases, as people know them."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from agents.models import RuntimeAgent
from orchestrator.core import clock
from orchestrator.core.ids import parse_uuid
from orchestrator.web.people import Names
from tasks.models import TaskLease


@dataclass(frozen=True, slots=True)
class Held:
    """An active lease. ``url`` is the page of its holder, when that is an agent of the org."""

    lease: TaskLease
    holder: str
    url: str
    expired: bool


def held(org_id: uuid.UUID, leases: Iterable[TaskLease], now: datetime | None = None) -> dict[uuid.UUID, Held]:
    """The leases by their tasks, with names for their holders. Three queries at the most."""
    rows, now = list(leases), now or clock.now()
    names = Names(org_id, (row.holder for row in rows))
    agents = _agents(org_id, {row.holder for row in rows})
    found = {}
    for row in rows:
        agent = agents.get(row.holder)
        url = reverse("dashboard-agent", args=[agent[0]]) if agent else ""
        name = agent[1] if agent else names.spell(row.holder)
        found[row.task_id] = Held(row, name, url, row.expires_at <= now)
    return found


def _agents(org_id: uuid.UUID, holders: set[str]) -> dict[str, tuple[uuid.UUID, str]]:
    named = (parse_uuid(holder.removeprefix("agent:")) for holder in holders if holder.startswith("agent:"))
    ids = [agent_id for agent_id in named if agent_id is not None]
    rows = RuntimeAgent.objects.for_org(org_id).filter(pk__in=ids).values_list("pk", "name") if ids else ()
    return {f"agent:{pk}": (pk, name) for pk, name in rows}
