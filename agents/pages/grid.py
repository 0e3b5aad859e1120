"""The grid of runtime agents: who lives, and who has ended lately."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models.functions import Left
from django.http import QueryDict

from agents.api.filters import RuntimeAgentFilter
from agents.models import Agent, Prompt, RuntimeAgent
from agents.pages.holdings import Holding, holdings
from agents.querysets import RuntimeAgentQuerySet
from agents.states import FINAL, LIVE, PromptStatus, RuntimeStatus
from orchestrator.core.errors import ValidationFailed
from orchestrator.web.paging import Page, page_of

LIVE_SHOWN: Final = 200
ENDED_SHOWN: Final = 12
PAGE_SHOWN: Final = 48
_DEFINITIONS_OFFERED: Final = 200
_BEGINNING: Final = 140
_PROMPTS_LOOKED_AT: Final = 1000
_FIELDS: Final = (
    "id", "org_id", "agent_id", "agent__name", "session_id", "name", "status", "input_tokens", "output_tokens",
    "cost_usd", "last_heartbeat_at", "created_at", "completed_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """A runtime agent as the grid shows it. ``asked`` is the beginning of what it answers now, or waits to."""

    agent: RuntimeAgent
    asked: str
    waiting: int
    held: list[Holding]
    live: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Cards under one title; ``more`` when not all are shown."""

    name: str
    title: str
    cards: list[Card]
    more: bool
    empty: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters in the URL, and the rows that are left. ``query`` holds them for links."""

    rows: RuntimeAgentQuerySet
    statuses: list[str]
    agent_id: str
    session_id: str
    query: str


def asked(rows: RuntimeAgentQuerySet, query: QueryDict) -> Asked:
    """What the visitor asked for; fields that were left empty ask for nothing. Raises ValidationFailed."""
    given = QueryDict(mutable=True)
    for name in ("status", "agent_id", "session_id"):
        if values := [value for value in query.getlist(name) if value.strip()]:
            given.setlist(name, values)
    if any("\x00" in value for _, values in given.lists() for value in values):
        raise ValidationFailed("A filter contains a NUL character.")
    found = RuntimeAgentFilter(given, queryset=rows)
    if not found.is_valid():
        raise ValidationFailed(" ".join(f"{name}: {faults[0]}" for name, faults in found.errors.items()))
    return Asked(
        found.qs, given.getlist("status"), given.get("agent_id") or "", given.get("session_id") or "",
        given.urlencode(),
    )  # fmt: skip


def groups(org_id: uuid.UUID, rows: RuntimeAgentQuerySet) -> list[Group]:
    """Those that live or are lost, and the newest of those that have ended. Four queries."""
    living = _newest(rows.filter(status__in=[*LIVE, RuntimeStatus.LOST]), LIVE_SHOWN + 1)
    ended = _newest(rows.filter(status__in=FINAL), ENDED_SHOWN + 1)
    shown = {card.agent.pk: card for card in cards(org_id, [*living[:LIVE_SHOWN], *ended[:ENDED_SHOWN]])}
    return [
        Group(name, title, [shown[row.pk] for row in found[:size]], more=len(found) > size, empty=empty)
        for name, title, found, size, empty in (
            ("live", "Live", living, LIVE_SHOWN, "No agent is live now."),
            ("ended", "Ended lately", ended, ENDED_SHOWN, "None has ended yet."),
        )
    ]


def page(org_id: uuid.UUID, rows: RuntimeAgentQuerySet, before: str) -> tuple[list[Card], Page]:
    """Agents of chosen statuses, page by page."""
    shown = page_of(rows.select_related("agent").only(*_FIELDS), before, PAGE_SHOWN)
    return cards(org_id, shown.rows), shown


def cards(org_id: uuid.UUID, agents: Sequence[RuntimeAgent]) -> list[Card]:
    """Each agent with its work. Two queries for any number."""
    working = [agent.pk for agent in agents if agent.status not in FINAL]
    prompts, held = _prompts(org_id, working), holdings(org_id, working)
    found = []
    for agent in agents:
        open_prompts = prompts.get(agent.pk, [])
        current = next((row for row in open_prompts if row["status"] == PromptStatus.STREAMING), None)
        first = current or (open_prompts[0] if open_prompts else None)
        text = (first["prompt_name"] or first["beginning"]) if first else ""
        found.append(
            Card(agent, text, max(len(open_prompts) - 1, 0), held.get(agent.pk, []), agent.status not in FINAL)
        )
    return found


def definitions_offered(org_id: uuid.UUID) -> list[tuple[uuid.UUID, str]]:
    """The definitions to filter by, by name."""
    rows = Agent.objects.for_org(org_id).current().order_by("name")
    return list(rows.values_list("pk", "name")[:_DEFINITIONS_OFFERED])


def _newest(rows: RuntimeAgentQuerySet, size: int) -> list[RuntimeAgent]:
    return list(rows.select_related("agent").only(*_FIELDS).order_by("-id")[:size])


def _prompts(org_id: uuid.UUID, agent_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[dict[str, Any]]]:
    """The prompts that are not answered, oldest first, by agent."""
    rows = Prompt.objects.for_org(org_id).filter(
        status__in=(PromptStatus.PENDING, PromptStatus.STREAMING), runtime_agent_id__in=agent_ids
    )
    shown = rows.annotate(beginning=Left("prompt_text", _BEGINNING)).order_by("id")
    found: dict[uuid.UUID, list[dict[str, Any]]] = {}
    for row in shown.values("runtime_agent_id", "status", "prompt_name", "beginning")[:_PROMPTS_LOOKED_AT]:
        found.setdefault(row["runtime_agent_id"], []).append({**row})
    return found
