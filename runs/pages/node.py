"""/dashboard/runs/{id}/nodes/{node}: one node of a run, what it came to, and the decision that it waits for."""

from dataclasses import replace
from typing import Any, Final

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from orchestrator.core.errors import Conflict, NotFound, OrchestratorError, PermissionDenied, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.people import Names
from runs.engine.plan import Graph
from runs.forms import CommentForm, RejectForm
from runs.models import Run, RunEvent, RunNode
from runs.pages.found import number_in, run_of, to_run, told
from runs.pages.graph import view_of
from runs.pages.schema_form import SchemaForm
from runs.pages.waits import reasons
from runs.services import approvals, outputs
from runs.services.items import index_of, is_item, node_of
from runs.snapshot import graph_in
from runs.states import ACTIVE_RUN, NodeStatus

_ITEMS: Final = 100
_EVENTS: Final = 100
_SHOWN_BYTES: Final = 100_000  # of an output; all of it is a download


@page("GET")
def node_page(request: HttpRequest, actor: Actor, run_id: str, node: str) -> HttpResponse:
    """One node, or one item of a mapped node. ``?from=`` begins the items behind that number."""
    run = run_of(actor, run_id)
    row = _row(run, node)
    items = _items(run, node, number_in(request, "from"))
    return render(request, "runs/node.html", {**read_node(run, node, row), **decision_of(run, row, actor), **items})


@page("GET")
def node_output(request: HttpRequest, actor: Actor, run_id: str, node: str) -> HttpResponse:
    """The whole output as a file, also one that is kept apart because it is large."""
    run = run_of(actor, run_id)
    row = _row(run, node)
    if row is None or row.output is None:
        raise NotFound("This node has no output.")
    mapped = "map" in graph_in(run.snapshot_id).nodes.get(node, ())
    content = orjson.dumps(outputs.whole(run.pk, row.output, mapped=mapped), option=orjson.OPT_INDENT_2)
    name = f"{node}-of-{run.pk}.json".replace("[", "-").replace("]", "")
    return HttpResponse(
        content, content_type="application/json", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def read_node(run: Run, node: str, row: RunNode | None) -> dict[str, Any]:
    """What the page shows of the node. Three queries. Raises NotFound for a node that is not of the run's graph."""
    graph, of = graph_in(run.snapshot_id), node_of(node)
    if of not in graph.nodes or (row is None and is_item(node)):
        raise NotFound("There is no such node in this run.")
    view = view_of(of, graph, row, "pending" if run.status in ACTIVE_RUN else "unreached")
    log = RunEvent.objects.filter(run=run, node=node).order_by("-sequence").defer("payload")
    events = list(log[: _EVENTS + 1])
    names = Names(run.org_id, [view.error, *(event.summary for event in events)])
    waits = [{**row.waiting_on, "node": node}] if row and row.waiting_on and run.status in ACTIVE_RUN else []
    output = row.output if row else None
    return {
        "run": run, "node": node, "of": of, "item": index_of(node), "definition": graph.nodes[of],
        "view": replace(view, error=names.spell(view.error)),
        "output": output, "large": output is not None and ("$output" in output or outputs.size(output) > _SHOWN_BYTES),
        "bytes": outputs.size(output), "error": row.error if row else None,
        "waits_for": [reason for reason in reasons(run, waits) if waits[0].get("kind") != "approval"],
        "events": [{"row": event, "summary": names.spell(event.summary)} for event in events[:_EVENTS][::-1]],
        "earlier": len(events) > _EVENTS, "mapped": "map" in graph.nodes[of] and not is_item(node),
    }  # fmt: skip


def _items(run: Run, node: str, after: int) -> dict[str, Any]:
    """The items of a mapped node in their order, a page of them; one query."""
    graph = graph_in(run.snapshot_id)
    if "map" not in graph.nodes.get(node, ()):
        return {"items": [], "items_after": None}
    numbers = range(after + 1, after + 2 + _ITEMS)
    rows = RunNode.objects.filter(run=run, node__in=[f"{node}[{number}]" for number in numbers])
    found = sorted(rows.defer("output", "waiting_on"), key=lambda row: index_of(row.node) or 0)
    more = len(found) > _ITEMS
    return {"items": found[:_ITEMS], "items_after": after + _ITEMS if more else None}


def _row(run: Run, node: str) -> RunNode | None:
    row: RunNode | None = RunNode.objects.filter(run=run, node=node).first() if len(node) < 200 else None
    return row


# --- the decision ----------------------------------------------------------------------------------------------------


def decision_of(run: Run, row: RunNode | None, actor: Actor) -> dict[str, Any]:
    """What the page of a node shows when somebody is asked: the question and, for who may decide, the forms."""
    on = (row.waiting_on or {}) if row is not None and row.status == NodeStatus.WAITING else {}
    if row is None or on.get("kind") != "approval":
        return {"question": None}
    approvers = on.get("approvers") or {}
    email = approvals.email_of(actor) if approvers.get("users") else ""
    return {
        "question": on,
        "approvers": [*approvers.get("roles", ()), *approvers.get("users", ())],
        "may_decide": approvals.is_asked(actor, approvers, email),
        "answer_form": SchemaForm(on.get("schema"), whole="answer"),
        "comment_form": CommentForm(auto_id="id_approve_%s"),
        "reject_form": RejectForm(_earlier(graph_in(run.snapshot_id), row.node)),
    }


def _earlier(graph: Graph, node: str) -> list[str]:
    """The nodes that a decision can be pushed back to: those that it comes after; none for an item."""
    if is_item(node):
        return []
    behind, left = set[str](), list(graph.needs(node))
    for name in left:  # grows as it goes
        if name not in behind:
            behind.add(name)
            left.extend(graph.needs(name))
    return [name for name in graph.order if name in behind]


@page("POST", scope="write")
def approve(request: HttpRequest, actor: Actor, run_id: str, node: str) -> HttpResponse:
    """Yes, with the answer that the node asks for."""
    run = run_of(actor, run_id)
    shown = decision_of(run, _row(run, node), actor)
    if shown["question"] is None:
        return _too_late(request, run, node)
    form = shown["answer_form"] = SchemaForm(shown["question"].get("schema"), request.POST, whole="answer")
    comment = shown["comment_form"] = CommentForm(request.POST, auto_id="id_approve_%s")
    if form.is_valid() and comment.is_valid():
        said = {"answer": form.value(), "comment": comment.cleaned_data["comment"]}
        try:
            approvals.approve(actor=actor, run_id=run.pk, node=node, **said)
        except ValidationFailed as error:
            form.add_faults(error.details, told(error))
        except (Conflict, PermissionDenied) as error:
            return _refused(request, run, node, error)
        else:
            messages.success(request, f"Approved: {node}. The run goes on.")
            return to_run(run)
    return _once_more(request, run, node, shown)


@page("POST", scope="write")
def reject(request: HttpRequest, actor: Actor, run_id: str, node: str) -> HttpResponse:
    """No; or, with ``to``, back to an earlier node."""
    run = run_of(actor, run_id)
    shown = decision_of(run, _row(run, node), actor)
    if shown["question"] is None:
        return _too_late(request, run, node)
    form = shown["reject_form"] = RejectForm(_earlier(graph_in(run.snapshot_id), node), request.POST)
    if not form.is_valid():
        return _once_more(request, run, node, shown)
    comment, to = form.cleaned_data["comment"], form.cleaned_data["to"] or None
    try:
        approvals.reject(actor=actor, run_id=run.pk, node=node, comment=comment, to=to)
    except (Conflict, PermissionDenied, ValidationFailed) as error:
        return _refused(request, run, node, error)
    messages.success(request, f"Pushed back to {to}." if to else f"Rejected: {node}.")
    return to_run(run)


def _once_more(request: HttpRequest, run: Run, node: str, shown: dict[str, Any]) -> HttpResponse:
    """The page of the node with what was typed, and what is wrong with it."""
    about = {**read_node(run, node, _row(run, node)), **_items(run, node, -1), **shown}
    return render(request, "runs/node.html", about, status=422)


def _too_late(request: HttpRequest, run: Run, node: str) -> HttpResponse:
    messages.warning(request, f"Nobody is asked to decide on {node} any more.")
    return to_run(run)


def _refused(request: HttpRequest, run: Run, node: str, error: OrchestratorError) -> HttpResponse:
    messages.error(request, told(error))
    return HttpResponseRedirect(reverse("dashboard-run-node", args=[run.pk, node]))
