"""/dashboard/tasks: the board, the table, and the page of one task."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.core.errors import NotFound
from orchestrator.core.ids import parse_uuid
from orchestrator.core.numbers import parse_number
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.paging import page_of
from tasks.models import Task
from tasks.pages.board import FIELDS, cards, columns
from tasks.pages.detail import read_task
from tasks.pages.sieve import sieve
from tasks.states import Status


@page("GET")
def tasks(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's tasks as a board or, with ``?view=table``, as a table; both narrowed by the filters in the URL."""
    if request.GET.get("view") == "table":
        return render(request, "tasks/table.html", _table(request, actor))
    return render(request, "tasks/board.html", _board(request, actor))


@page("GET")
def board_live(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The columns alone, for live.js."""
    return render(request, "tasks/partials/board_live.html", _board(request, actor))


@page("GET")
def task_page(request: HttpRequest, actor: Actor, task_id: str) -> HttpResponse:
    """One task. ``?before=`` begins its history with what happened before that event."""
    return render(request, "tasks/detail.html", read_task(find(actor, task_id), actor, _before(request)))


@page("GET")
def task_live(request: HttpRequest, actor: Actor, task_id: str) -> HttpResponse:
    """The parts of the page that change, for live.js."""
    return render(request, "tasks/partials/live.html", read_task(find(actor, task_id), actor, _before(request)))


def find(actor: Actor, task_id: str) -> Task:
    """Raises NotFound, also for another org's task."""
    wanted = parse_uuid(task_id)
    task: Task | None = Task.objects.for_org(actor.org_id).filter(pk=wanted).first() if wanted else None
    if task is None:
        raise NotFound("There is no such task in this organization. It may have been deleted.")
    return task


def _board(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    # The head before the rows: what comes in between is told by the stream and shown then.
    head = events.head(actor.org_id)
    asked = sieve(Task.objects.for_org(actor.org_id), request.GET, by_status=False)
    shown = columns(actor.org_id, asked.rows, asked.statuses or Status.values)
    return {
        "columns": shown,
        "asked": asked,
        "head": head,
        "statuses": Status.values,
        "none": not any(column.cards for column in shown),
    }


def _table(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    asked = sieve(Task.objects.for_org(actor.org_id), request.GET, by_status=True)
    shown = page_of(asked.rows.only(*FIELDS), request.GET.get("before", ""))
    return {"cards": cards(actor.org_id, shown.rows), "page": shown, "asked": asked, "statuses": Status.values}


def _before(request: HttpRequest) -> int | None:
    """The place in the log that ``?before=`` names. Raises NotFound."""
    raw = request.GET.get("before", "")
    place = parse_number(raw, digits=18)
    if raw and place is None:
        raise NotFound("There is no such place in the task's history.")
    return place
