"""What agents put into the shell: their section, how they are found, where their events lead."""

from typing import Final

from django.urls import reverse

from agents.models import Agent, RuntimeAgent
from agents.pages.needs import live, lost
from agents.states import RuntimeStatus
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web import navigation, needs, palette, panels
from orchestrator.web.navigation import Section
from orchestrator.web.palette import Hit
from orchestrator.web.panels import Panel

# A name has no index for what is inside it: it is looked for among the newest.
_LOOKED_AT: Final = 5000


def find(actor: Actor, text: str, limit: int) -> list[Hit]:
    """Runtime agents and definitions by an id or by a part of their name, the runtime agents first."""
    wanted = parse_uuid(text)
    runtime, defined = RuntimeAgent.objects.for_org(actor.org_id), Agent.objects.for_org(actor.org_id).current()
    if wanted is None:
        newest = runtime.order_by("-id").values("pk")[:_LOOKED_AT]
        runtime = runtime.filter(pk__in=newest, name__icontains=text)
        defined = defined.filter(name__icontains=text)
    else:
        runtime, defined = runtime.filter(pk=wanted), defined.filter(pk=wanted)
    live = runtime.only("id", "name", "status").order_by("-id")[:limit]
    hits = [Hit(row.name, reverse("dashboard-agent", args=[row.pk]), "bot", row.status) for row in live]
    for row in defined.only("id", "name").order_by("name")[: limit - len(hits)]:
        hits.append(Hit(row.name, reverse("dashboard-definition", args=[row.pk]), "bot", "definition"))
    return hits


navigation.register(Section("Agents", "dashboard-agents", "bot", 40))
palette.register("Agents", find)
panels.register_target("runtime_agent", "dashboard-agent")
panels.register_target("agent", "dashboard-definition")
panels.register(Panel("agents", "side", "agents/partials/live_panel.html", live, order=10))
needs.register("Lost agents", "bot", lost, "dashboard-agents", {"status": RuntimeStatus.LOST})
