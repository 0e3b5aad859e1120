"""/dashboard/runs/{id}/log: all of a run's log, in pages, searched, and as a file."""

from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
from asgiref.sync import sync_to_async
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponse, HttpResponseBase
from django.shortcuts import render

from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.people import Names
from runs.api.serializers import run_event_json
from runs.models import Run, RunEvent
from runs.pages.detail import EVENTS_A_PAGE
from runs.pages.found import number_in, run_of
from runs.snapshot import graph_in
from runs.states import Phase

SEARCHED: Final = 20_000  # events that one page looks at
_BATCH: Final = 1000
_TYPES: Final = {"ndjson": "application/x-ndjson", "json": "application/json"}


@page("GET")
def run_log(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """Events behind ``?after=``; ``find`` (text), ``phase`` and ``node`` narrow them."""
    run = run_of(actor, run_id)
    after = number_in(request, "after")
    find, phase, node = (request.GET.get(name, "").strip() for name in ("find", "phase", "node"))
    if phase and phase not in Phase.values:
        raise ValidationFailed(f"There is no phase {phase[:50]!r}: choose one of {', '.join(Phase.values)}.")
    sought = {"summary__icontains": find, "phase": phase, "node": node}
    asked = {name: value.replace("\x00", "") for name, value in sought.items() if value}
    events, following = _events(run, after, asked)
    names = Names(run.org_id, (event.summary for event in events))
    about: dict[str, Any] = {
        "run": run, "after": after, "find": find, "phase": phase, "node": node, "phases": Phase.values,
        "nodes": graph_in(run.snapshot_id).order, "following": following, "asked": bool(asked),
        "events": [{"row": event, "summary": names.spell(event.summary)} for event in events],
    }  # fmt: skip
    return render(request, "runs/log.html", about)


def _events(run: Run, after: int, asked: dict[str, str]) -> tuple[list[RunEvent], int | None]:
    """A page of events, and behind which to go on: the last shown or, when hits are rare, the last looked at."""
    edge = min(after + SEARCHED, run.next_sequence - 1)
    log = RunEvent.objects.filter(run=run, sequence__gt=after, sequence__lte=edge, **asked)
    events = list(log.order_by("sequence").defer("payload")[: EVENTS_A_PAGE + 1])
    if len(events) > EVENTS_A_PAGE:
        return events[:EVENTS_A_PAGE], events[EVENTS_A_PAGE - 1].sequence
    return events, edge if edge < run.next_sequence - 1 else None


@page("GET")  # type: ignore[arg-type]  # the one page that is a stream
def run_log_file(request: HttpRequest, actor: Actor, run_id: str, form: str) -> HttpResponseBase:
    """The whole log as ``ndjson`` or ``json``, sent while it is read: it may be longer than memory likes."""
    run = run_of(actor, run_id)
    if form not in _TYPES:
        raise NotFound("A log is there as ndjson and as json.")
    answer = StreamingHttpResponse(_written(run, form), content_type=_TYPES[form])
    answer["Content-Disposition"] = f'attachment; filename="run-{run.pk}.{form}"'
    return answer


async def _written(run: Run, form: str) -> AsyncIterator[bytes]:
    """The events as they were when it was asked for: the end does not run away from the reader."""
    between, after = b"\n" if form == "ndjson" else b",\n", -1
    yield b"" if form == "ndjson" else b"[\n"
    while rows := await sync_to_async(_batch)(run, after):
        lines = b"" if after < 0 else between
        yield lines + between.join(orjson.dumps(run_event_json(row)) for row in rows)
        after = rows[-1].sequence
    yield b"\n" if form == "ndjson" else b"\n]\n"


def _batch(run: Run, after: int) -> list[RunEvent]:
    log = RunEvent.objects.filter(run=run, sequence__gt=after, sequence__lt=run.next_sequence)
    return list(log.order_by("sequence")[:_BATCH])
