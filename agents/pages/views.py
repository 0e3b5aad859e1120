"""/dashboard/agents: the live grid, and the page of one runtime agent."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from agents.models import RuntimeAgent
from agents.pages.detail import prompt_rows, read_agent
from agents.pages.forms import PromptForm
from agents.pages.grid import asked, definitions_offered, groups, page as page_of_cards
from agents.states import FINAL, RuntimeStatus
from orchestrator.core.errors import NotFound
from orchestrator.core.ids import parse_uuid
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.paging import page_of


@page("GET")
def grid(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's runtime agents; ``?status=``, ``?agent_id=`` and ``?session_id=`` narrow them."""
    about = _grid(request, actor)
    about |= {"definitions": definitions_offered(actor.org_id), "all_statuses": RuntimeStatus.values}
    return render(request, "agents/grid.html", about)


@page("GET")
def grid_live(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The cards alone, for agents.js."""
    return render(request, "agents/partials/grid_live.html", _grid(request, actor))


@page("GET")
def agent_page(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """One runtime agent: what it does, what it was asked, what it reports."""
    about = read_agent(find(actor, runtime_agent_id), actor)
    return render(request, "agents/detail.html", {**about, "form": PromptForm()})


@page("GET")
def agent_live(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """The parts of the page that change, for agents.js; ``?line=`` is the last line of the log that it shows."""
    about = read_agent(find(actor, runtime_agent_id), actor, request.GET.get("line", ""))
    return render(request, "agents/partials/live.html", about)


@page("GET")
def prompts(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """All that the agent was asked, newest first, in keyset pages."""
    agent = find(actor, runtime_agent_id)
    shown = page_of(prompt_rows(agent), request.GET.get("before", ""))
    about = {"agent": agent, "prompts": shown.rows, "page": shown, "may_write": actor.may("write")}
    return render(request, "agents/prompts.html", about)


def find(actor: Actor, runtime_agent_id: str) -> RuntimeAgent:
    """Raises NotFound, also for another org's agent."""
    wanted = parse_uuid(runtime_agent_id)
    rows = RuntimeAgent.objects.for_org(actor.org_id).select_related("agent", "parent")
    agent: RuntimeAgent | None = rows.filter(pk=wanted).first() if wanted else None
    if agent is None:
        raise NotFound("There is no such runtime agent in this organization.")
    return agent


def _grid(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    # The head before the rows: what comes in between is told by the socket and shown then.
    head = events.head(actor.org_id)
    wanted = asked(RuntimeAgent.objects.for_org(actor.org_id), request.GET)
    about: dict[str, Any] = {"head": head, "asked": wanted, "ends": sorted(FINAL)}
    before = request.GET.get("before", "")
    if wanted.statuses or before:
        about["cards"], about["page"] = page_of_cards(actor.org_id, wanted.rows, before)
        return {**about, "live": not before}
    return {**about, "groups": groups(actor.org_id, wanted.rows), "live": True}
