"""What people do to runtime agents: ask, stop, mark as lost, and take back a prompt."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from agents.models import Prompt, RuntimeAgent
from agents.pages.detail import read_agent
from agents.pages.forms import PromptForm
from agents.pages.views import find
from agents.services import instances, prompts
from orchestrator.core.errors import Conflict, NotFound
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page


@page("POST", scope="write")
def ask(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """A prompt for the agent; a form with faults comes back with the page."""
    agent, form = find(actor, runtime_agent_id), PromptForm(request.POST)
    if form.is_valid():
        try:
            prompts.create_prompt(actor=actor, runtime_agent_id=agent.pk, **form.cleaned_data)
            messages.success(request, "The agent is asked. Its answer appears under Prompts.")
            return _to(agent)
        except Conflict as error:
            form.add_error(None, error.message)
    return render(request, "agents/detail.html", {**read_agent(agent, actor), "form": form}, status=422)


@page("POST", scope="write")
def stop(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """End the agent: what it had in hand goes back."""
    agent = find(actor, runtime_agent_id)
    try:
        stopped = instances.stop_instance(actor=actor, instance_id=agent.pk)
        messages.success(request, f"{agent.name} is {stopped.status}. What it had in hand goes back.")
    except Conflict as error:
        messages.error(request, error.message)
    return _to(agent)


@page("POST", scope="admin")
def lost(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """Say that the agent is gone, before its time runs out."""
    agent = find(actor, runtime_agent_id)
    try:
        instances.mark_lost(actor=actor, instance_id=agent.pk)
        messages.success(request, f"{agent.name} counts as lost. A heartbeat of it brings it back.")
    except Conflict as error:
        messages.error(request, error.message)
    return _to(agent)


@page("POST", scope="write")
def cancel_prompt(request: HttpRequest, actor: Actor, runtime_agent_id: str, prompt_id: str) -> HttpResponse:
    """Nobody waits for the answer any more; a lease of it is over."""
    agent, wanted = find(actor, runtime_agent_id), parse_uuid(prompt_id)
    rows = Prompt.objects.for_org(actor.org_id).filter(runtime_agent=agent)
    if wanted is None or not rows.filter(pk=wanted).exists():
        raise NotFound("There is no such prompt of this agent.")
    try:
        prompts.cancel_prompt(actor=actor, prompt_id=wanted)
        messages.success(request, "The prompt is cancelled.")
    except Conflict as error:
        messages.error(request, f"The prompt is not cancelled. {error.message}")
    return _to(agent)


def _to(agent: RuntimeAgent) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-agent", args=[agent.pk]))
