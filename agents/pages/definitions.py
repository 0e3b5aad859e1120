"""/dashboard/agents/definitions: reusable agents, to read, write and archive."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from agents.models import Agent, RuntimeAgent
from agents.pages.forms import AgentForm, written
from agents.services.definitions import archive_agent, create_agent, update_agent
from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.core.numbers import parse_number
from orchestrator.events.models import Event
from orchestrator.identity.actors import Actor
from orchestrator.web import conflicts
from orchestrator.web.access import page
from orchestrator.web.conflicts import Opened
from orchestrator.web.paging import page_of
from orchestrator.web.people import Names

_INSTANCES_SHOWN: Final = 20
_LONGEST_TEXT: Final = 200


@page("GET")
def definitions(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's definitions, newest first; ``?q=`` narrows them, ``?archived=true`` shows those out of use."""
    text, archived = request.GET.get("q", ""), request.GET.get("archived") == "true"
    if len(text) > _LONGEST_TEXT or "\x00" in text:
        raise ValidationFailed(f"Search for at most {_LONGEST_TEXT} characters.")
    rows = Agent.objects.for_org(actor.org_id).defer("system_prompt", "config")
    rows = rows.archived() if archived else rows.current()
    shown = page_of(rows.mentioning(text) if text else rows, request.GET.get("before", ""))
    about = {"definitions": shown.rows, "page": shown, "q": text, "archived": archived}
    return render(request, "agents/definitions.html", about)


@page("GET", "POST", scope="write")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The form of a new definition."""
    if request.method != "POST":
        return render(request, "agents/definition_new.html", {"form": AgentForm(initial={"config": "{}"})})
    form = AgentForm(request.POST)
    if form.is_valid():
        try:
            agent = create_agent(actor=actor, **form.fields_of_agent())
            messages.success(request, f"{agent.name} is defined. Start instances of it through the API.")
            return _to(agent)
        except Conflict as error:
            form.add_error("name", error.message)
    return render(request, "agents/definition_new.html", {"form": form}, status=422)


@page("GET")
def definition_page(request: HttpRequest, actor: Actor, agent_id: str) -> HttpResponse:
    """One definition and its latest instances."""
    agent = _find(actor, agent_id)
    instances = RuntimeAgent.objects.for_org(actor.org_id).filter(agent=agent).order_by("-id")
    fields = ("id", "name", "status", "session_id", "created_at")
    about = {
        "definition": agent,
        "created_by": Names(actor.org_id, [agent.created_by]).spell(agent.created_by),
        "instances": list(instances.only(*fields)[:_INSTANCES_SHOWN]),
        "may_write": actor.may("write") and agent.archived_at is None,
    }
    return render(request, "agents/definition.html", about)


@page("GET", "POST", scope="write")
def edit(request: HttpRequest, actor: Actor, agent_id: str) -> HttpResponse:
    """The form of a definition; when somebody was faster, both sides of what differs."""
    agent = _find(actor, agent_id)
    if agent.archived_at is not None:
        messages.error(request, "This definition is archived: it changes no more.")
        return _to(agent)
    now = written(agent)
    if request.method != "POST":
        return _form_page(request, agent, AgentForm(initial=now), Opened(agent.version, now))
    seen = conflicts.opened(request.POST)
    form = AgentForm(conflicts.picked(request.POST, now))
    if not form.is_valid():
        return _form_page(request, agent, form, seen, status=422)
    try:
        if changes := form.changes(agent):
            update_agent(actor=actor, agent_id=agent.pk, version=seen.version, **changes)
        messages.success(request, "The definition is saved.")
        return _to(agent)
    except PreconditionFailed:
        return _conflict_page(request, actor, agent_id, form, seen)
    except Conflict as error:
        form.add_error("name", error.message)
        return _form_page(request, agent, form, seen, status=422)


@page("POST", scope="write")
def archive(request: HttpRequest, actor: Actor, agent_id: str) -> HttpResponse:
    """Take the definition out of use, if it is still at ``?version=`` and no instance of it lives."""
    agent = _find(actor, agent_id)
    version = parse_number(request.GET.get("version", ""))
    if version is None:
        raise ValidationFailed("The form does not say which version it is about. Load the page again.")
    try:
        archive_agent(actor=actor, agent_id=agent.pk, version=version)
        messages.success(request, f"{agent.name} is archived. Its history stays, and its name is free.")
    except Conflict as error:
        messages.error(request, error.message)
    except PreconditionFailed:
        messages.error(request, "The definition is not archived: somebody has just changed it. Look at it again.")
    except NotFound:
        messages.error(request, "The definition is archived already.")
    return _to(agent)


def told(event: Event) -> str:
    """What the event's actor did to a definition: “changed its name”."""
    fields = event.details.get("fields", ())
    shown = ", ".join(str(name).replace("_", " ") for name in fields)
    return f"changed its {shown}" if event.event == "agent_redefined" and shown else event.event.replace("_", " ")


def _find(actor: Actor, agent_id: str) -> Agent:
    """Raises NotFound, also for another org's definition."""
    wanted = parse_uuid(agent_id)
    agent: Agent | None = Agent.objects.for_org(actor.org_id).filter(pk=wanted).first() if wanted else None
    if agent is None:
        raise NotFound("There is no such definition in this organization.")
    return agent


def _form_page(request: HttpRequest, agent: Agent, form: AgentForm, seen: Opened, status: int = 200) -> HttpResponse:
    about: dict[str, Any] = {"form": form, "definition": agent, "opened": seen}
    return render(request, "agents/definition_edit.html", about, status=status)


def _conflict_page(request: HttpRequest, actor: Actor, agent_id: str, form: AgentForm, seen: Opened) -> HttpResponse:
    agent = _find(actor, agent_id)  # as it is now, which is not what was read before
    now = written(agent)
    about = {
        "noun": "the definition",
        "action": reverse("dashboard-definition-edit", args=[agent.pk]),
        "back": reverse("dashboard-definition", args=[agent.pk]),
        "now": Opened(agent.version, now),
        "yours": [(name, form.data.get(name, "")) for name in now],
        "differences": conflicts.differences(form, seen.base, now),
        "meanwhile": conflicts.meanwhile(actor, f"agent:{agent.pk}", seen.version, told),
    }
    return render(request, "web/conflict.html", about, status=409)


def _to(agent: Agent) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-definition", args=[agent.pk]))
