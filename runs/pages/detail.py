"""All that the page of one run shows, and that live.js asks for again."""

from dataclasses import replace
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from orchestrator.core import clock
from orchestrator.identity.actors import Actor
from orchestrator.web.people import Names
from runs.engine.plan import Graph
from runs.models import Run, RunEvent, RunPatch
from runs.pages import gantt
from runs.pages.found import address
from runs.pages.gantt import Gantt, Span
from runs.pages.graph import NodeView, drawing, node_views, progress
from runs.pages.result import error_of, itinerary_of
from runs.pages.waits import reasons
from runs.services.waiting import waiting_on
from runs.snapshot import graph_in
from runs.states import ACTIVE_RUN, PatchState, RunStatus
from versioning.models import Artifact

EVENTS_A_PAGE: Final = 500
TAIL: Final = 200  # events that the page begins with
_RELATED: Final = 10
_DRAWN: Final = 1000  # events; of a longer log the nodes' own times are drawn


def read_run(run: Run, actor: Actor, after: int | None) -> dict[str, Any]:
    """The context of both templates, with the events behind ``after``, or the last ones. A fixed number of queries.

    ``run`` was read before its nodes and events: they may be ahead of its status, never behind it, and the stream tells
    the rest.
    """
    graph = graph_in(run.snapshot_id)
    nodes = node_views(run, graph)
    log = _log(run, after)
    summaries = (event.summary for event in log["events"])
    names = Names(run.org_id, [run.created_by, *summaries, *(node.error for node in nodes)])
    nodes = [replace(node, error=names.spell(node.error)) for node in nodes]
    passed, total = progress(nodes)
    active = run.status in ACTIVE_RUN
    return {
        **log,
        "run": run,
        "active": active,
        "may_write": actor.may("write"),
        "started_by": names.spell(run.created_by),
        "nodes": nodes,
        "drawing": drawing(run, nodes),
        "gantt": _gantt(run, graph, nodes),
        "waits_for": reasons(run, waiting_on(run)) if active else [],
        "nodes_passed": passed,
        "nodes_total": total,
        "events": [{"row": event, "summary": names.spell(event.summary)} for event in log["events"]],
        "itinerary": itinerary_of(run),
        "error": error_of(run, names),
        "proposed": _proposed(run) if active else 0,
        "may_retry": run.status in (RunStatus.FAILED, RunStatus.CANCELLED),
        "heartbeat_seconds": settings.SSE_HEARTBEAT_SECONDS,
    }


def read_origin(run: Run) -> dict[str, Any]:
    """Where the run comes from, and what was made of it. Three queries: each by an index of its own."""
    digest = Artifact.objects.values_list("definition_digest", flat=True).get(pk=run.artifact_id)
    return {
        "digest": digest.removeprefix("sha256:")[:12],
        "forks": list(_made(Run.objects.filter(forked_from=run))),
        "within": list(_made(Run.objects.filter(parent=run))),
        "workflow_url": address("dashboard-workflow", run.workflow),
    }


def _made(runs: QuerySet[Run]) -> QuerySet[Run]:
    return runs.order_by("-pk").only("id", "status", "workflow", "parent_node", "forked_at")[:_RELATED]


def _log(run: Run, after: int | None) -> dict[str, Any]:
    log = RunEvent.objects.filter(run=run).defer("payload")
    if after is None:
        events = list(log.order_by("-sequence")[:TAIL])[::-1]
        more = False
    else:
        events = list(log.filter(sequence__gt=after).order_by("sequence")[: EVENTS_A_PAGE + 1])
        more, events = len(events) > EVENTS_A_PAGE, events[:EVENTS_A_PAGE]
    last = events[-1].sequence if events else -1 if after is None else after
    return {"events": events, "last": last, "more": more, "earlier": events[0].sequence if events else 0}


def _proposed(run: Run) -> int:
    return RunPatch.objects.filter(run=run, state=PatchState.PROPOSED).count()


def _gantt(run: Run, graph: Graph, nodes: list[NodeView]) -> Gantt | None:
    """Of items only that their node is at work: there may be thousands. One query, or none."""
    if run.next_sequence <= _DRAWN:
        log = RunEvent.objects.filter(run=run).exclude(node__endswith="]").order_by("sequence")
        found = gantt.spans(log.values_list("node", "phase", "timestamp"), run.finished_at)
    else:
        found = [
            Span(node.name, node.started_at, node.finished_at, node.state, node.attempts)
            for node in nodes
            if node.started_at is not None
        ]
    return gantt.draw(graph.order, found, clock.now())
