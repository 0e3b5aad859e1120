"""What tasks put into the shell: their section, how they are found, where their events lead."""

import uuid
from collections.abc import Collection

from django.urls import reverse

from agents.pages import holdings
from agents.pages.holdings import Holding
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web import navigation, needs, palette, panels
from orchestrator.web.navigation import Section
from orchestrator.web.palette import Hit
from tasks.models import Task, TaskLease
from tasks.pages.needs import parked
from tasks.pages.words import status_words
from tasks.services.leases import holder_of


def find(actor: Actor, text: str, limit: int) -> list[Hit]:
    """By an id, or by the text among the newest tasks: the whole list has no index for what is inside a title."""
    rows = Task.objects.for_org(actor.org_id).only("id", "title", "status")
    wanted = parse_uuid(text)
    if wanted is None:
        newest = Task.objects.for_org(actor.org_id).order_by("-id").values("pk")[:_LOOKED_AT]
        found = rows.filter(pk__in=newest, title__icontains=text).order_by("-id")[:limit]
    else:
        found = rows.filter(pk=wanted)
    return [
        Hit(task.title, reverse("dashboard-task", args=[task.pk]), "list-checks", status_words(task.status))
        for task in found
    ]


def held_by_agents(org_id: uuid.UUID, agent_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Holding]]:
    """The tasks that agents have in hand, by agent."""
    holders = {holder_of(agent_id): agent_id for agent_id in agent_ids}
    leases = TaskLease.objects.for_org(org_id).active().filter(holder__in=holders).select_related("task")
    found: dict[uuid.UUID, list[Holding]] = {}
    for lease in leases.only("holder", "expires_at", "task__title").order_by("id"):
        url = reverse("dashboard-task", args=[lease.task_id])
        found.setdefault(holders[lease.holder], []).append(Holding(lease.task.title, url, lease.expires_at))
    return found


_LOOKED_AT = 5000

navigation.register(Section("Tasks", "dashboard-tasks", "list-checks", 30))
palette.register("Tasks", find)
panels.register_target("task", "dashboard-task")
needs.register("Parked tasks", "hourglass", parked)
holdings.register(held_by_agents)
