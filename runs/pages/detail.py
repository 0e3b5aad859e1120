"""All that the page of one run shows, and that live.js asks for again."""

from typing import Any, Final

from django.conf import settings

from orchestrator.identity.actors import Actor
from orchestrator.web.people import Names
from runs.models import Run, RunEvent
from runs.pages.graph import columns, progress
from runs.pages.result import error_of, itinerary_of
from runs.pages.waits import sentences
from runs.services.waiting import waiting_on
from runs.snapshot import graph_in
from runs.states import ACTIVE_RUN

EVENTS_A_PAGE: Final = 500


def read_run(run: Run, actor: Actor, after: int) -> dict[str, Any]:
    """The context of both templates, with the events behind ``after``. Three queries and the names'.

    ``run`` was read before its nodes and events: they may be ahead of its status, never behind it, and the stream tells
    the rest.
    """
    graph = columns(run, graph_in(run.snapshot_id))
    log = RunEvent.objects.filter(run=run, sequence__gt=after).order_by("sequence").defer("payload")
    events = list(log[: EVENTS_A_PAGE + 1])
    more, events = len(events) > EVENTS_A_PAGE, events[:EVENTS_A_PAGE]
    names = Names(run.org_id, [run.created_by, *(event.summary for event in events)])
    passed, total = progress(graph)
    return {
        "run": run,
        "active": run.status in ACTIVE_RUN,
        "may_write": actor.may("write"),
        "started_by": names.spell(run.created_by),
        "graph": graph,
        "waits_for": sentences(waiting_on(run)) if run.status in ACTIVE_RUN else [],
        "nodes_passed": passed,
        "nodes_total": total,
        "events": [{"row": event, "summary": names.spell(event.summary)} for event in events],
        "last": events[-1].sequence if events else after,
        "more": more,
        "itinerary": itinerary_of(run),
        "error": error_of(run),
        "heartbeat_seconds": settings.SSE_HEARTBEAT_SECONDS,
    }
