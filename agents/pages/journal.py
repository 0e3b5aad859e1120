"""The logs as pages: of one agent, to follow, search and download; and of the platform."""

from collections.abc import Iterator
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from agents.models import SystemLog
from agents.pages.lines import FILTERED, SEARCHED, Wanted, above, agent_lines, floor, narrowed, newer, searched, wanted
from agents.pages.views import find
from agents.querysets import LogQuerySet
from agents.states import FINAL, LEVELS
from orchestrator.core import clock
from orchestrator.core.errors import ValidationFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page

PAGE_LINES: Final = 200
DOWNLOADED_LINES: Final = 10_000
DOWNLOADED_BYTES: Final = 16 * 1024 * 1024
_LONGEST_COMPONENT: Final = 40


@page("GET")
def log_page(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """What the agent reported, newest at the end; ``?level=`` and ``?q=`` narrow it, ``?before=`` goes back."""
    agent, asked, before = find(actor, runtime_agent_id), wanted(request.GET), request.GET.get("before", "")
    head = events.head(actor.org_id)
    lines = searched(agent_lines(agent), asked, before, PAGE_LINES)
    about = {
        "agent": agent,
        "asked": asked,
        "lines": lines.rows,
        "shown": lines,
        "levels": LEVELS,
        "head": head,
        "before": before,
        "live": agent.status not in FINAL and not before,
    }
    return render(request, "agents/log.html", about)


@page("GET")
def log_live(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """The lines after ``?line=``, or the newest ones, by the same filters, for agents.js."""
    agent, asked, after = find(actor, runtime_agent_id), wanted(request.GET), request.GET.get("line", "")
    head = events.head(actor.org_id)
    rows = agent_lines(agent)
    lines = newer(narrowed(rows, asked), after, PAGE_LINES) if after else searched(rows, asked, "", PAGE_LINES)
    about = {"lines": lines.rows, "more": lines.more, "head": head, "live": agent.status not in FINAL}
    return render(request, "agents/partials/log_live.html", about)


@page("GET")
def download(request: HttpRequest, actor: Actor, runtime_agent_id: str) -> HttpResponse:
    """The newest lines that go by the filters, as text, in the order of their writing."""
    agent, asked = find(actor, runtime_agent_id), wanted(request.GET)
    found = list(_written(agent_lines(agent), asked))
    response = HttpResponse(b"".join(reversed(found)), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="agent-{agent.pk}.log"'
    return response


@page("GET")
def system_log(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What the platform did with the org's work, newest first; ``?level=``, ``?component=`` and ``?q=`` narrow it."""
    asked, component = wanted(request.GET), request.GET.get("component", "")
    if len(component) > _LONGEST_COMPONENT or "\x00" in component:
        raise ValidationFailed(f"A component's name has at most {_LONGEST_COMPONENT} characters.")
    rows: LogQuerySet = SystemLog.objects.for_org(actor.org_id)
    if component:
        rows = rows.filter(component=component)
    before = request.GET.get("before", "")
    shown = searched(rows, asked, before, PAGE_LINES // 4)
    about: dict[str, Any] = {"asked": asked, "component": component, "levels": LEVELS, "before": before}
    return render(request, "agents/system_log.html", {**about, "lines": shown.rows[::-1], "shown": shown})


def _written(rows: LogQuerySet, asked: Wanted) -> Iterator[bytes]:
    """Lines from the newest back, until there are enough: the whole of it is held in memory."""
    found = narrowed(above(rows, floor(rows, SEARCHED if asked.q else FILTERED)), asked)
    size = 0
    for row in found.order_by("-id").defer("details")[:DOWNLOADED_LINES].iterator(1000):
        line = f"{clock.rfc3339(row.created_at)} {LEVELS[row.level]:<8} {row.message}\n".encode()
        size += len(line)
        if size > DOWNLOADED_BYTES:
            return
        yield line
