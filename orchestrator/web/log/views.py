"""/dashboard/events: the log with filters, live; and what matches as a file."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import orjson
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from orchestrator.events import services as events
from orchestrator.events.api.serializers import event_json
from orchestrator.events.models import Event
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.log.search import PAGE_SIZE, Search, matching, number, slice_before, slice_of
from orchestrator.web.panels import about_target
from orchestrator.web.people import Names

MOST_IN_A_FILE: Final = 10_000
_BATCH: Final = 100  # rows that a file holds in memory
_LONGEST_SHOWN: Final = 20_000  # characters of details; the rest is in the API


@page("GET")
def event_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The log, newest first: ``?event=``, ``?target=``, ``?actor=`` narrow it; ``?before=``, ``?after=`` are places."""
    # Before the rows: what comes in between is told by the stream and asked for then.
    head = events.head(actor.org_id)
    search = Search.of(actor, request.GET)
    shown = slice_of(search, request.GET)
    about = {
        "search": search,
        "slice": shown,
        "items": _items(actor, shown.rows),
        "names": sorted({row.event for row in shown.rows}),
        "live": "before" not in request.GET and "after" not in request.GET,
        "head": head,
        "most": MOST_IN_A_FILE,
    }
    return render(request, "web/events/list.html", about)


@page("GET")
def event_rows(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What has come behind ``?after=``, newest first, for events.js; a page of the newest at the most."""
    search = Search.of(actor, request.GET)
    after = number(request.GET.get("after", "0"))
    head = events.head(actor.org_id)
    found, _ = matching(search, search.log().filter(seq__gt=after))
    rows = list(found.order_by("-seq")[: PAGE_SIZE + 1])
    skipped = len(rows) > PAGE_SIZE
    about = {"items": _items(actor, rows[:PAGE_SIZE]), "head": max(head, after), "skipped": skipped}
    return render(request, "web/events/live.html", about)


@page("GET")  # type: ignore[arg-type]  # a stream, as the file of a run's log is
def event_file(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """What matches, newest first, one JSON object a line, sent while it is read. It has an end: the whole log is the
    API's to give.
    """
    search = Search.of(actor, request.GET)
    before = number(request.GET["before"]) if "before" in request.GET else None
    response = StreamingHttpResponse(_written(search, before), content_type="application/x-ndjson")
    response["Content-Disposition"] = 'attachment; filename="events.ndjson"'
    return response


async def _written(search: Search, before: int | None) -> AsyncIterator[bytes]:
    left = MOST_IN_A_FILE
    while left:
        part = await sync_to_async(slice_before)(search, before, min(left, _BATCH))
        yield b"".join(orjson.dumps(event_json(row)) + b"\n" for row in part.rows)
        if part.older is None:
            return
        left, before = left - len(part.rows), part.older


def _items(actor: Actor, rows: Iterable[Event]) -> list[dict[str, Any]]:
    rows = list(rows)
    names = Names(actor.org_id, (row.actor for row in rows))
    return [
        {"row": row, "who": names.spell(row.actor), "details": _shown(row.details), **about_target(row.target)}
        for row in rows
    ]


def _shown(details: Any) -> str:
    text = orjson.dumps(details, option=orjson.OPT_INDENT_2).decode() if details else ""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}\n…"
