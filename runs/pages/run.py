"""/dashboard/runs/{id}: one run, its version, and its live parts."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from runs.models import Run, RunPatch
from runs.pages.detail import read_origin, read_run
from runs.pages.found import address, number_in, run_of
from runs.snapshot import definition_of
from versioning import materialisation, refs
from versioning.documents import diff
from versioning.models import Artifact


@page("GET")
def run_page(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """One run, with the last events of its log."""
    run = run_of(actor, run_id)
    return render(request, "runs/detail.html", read_run(run, actor, None) | read_origin(run))


@page("GET")
def run_live(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """The parts of the page that change, and the events behind ``?after=``, for live.js."""
    run = run_of(actor, run_id)
    return render(request, "runs/partials/live.html", read_run(run, actor, number_in(request, "after")))


@page("GET")
def run_workflow(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """The version that the run goes by, and what has changed in its workflow since."""
    run = run_of(actor, run_id)
    mine, asked = definition_of(run), Artifact.objects.only("id", "definition_digest").get(pk=run.artifact_id)
    about: dict[str, Any] = {"run": run, "definition": mine, "artifact": asked, "head": None}
    about["patched"] = RunPatch.objects.filter(run=run).exclude(definition_version=None).count()
    about["workflow_url"] = address("dashboard-workflow", run.workflow)
    return render(request, "runs/workflow.html", about | _since(actor, run, mine))


def _since(actor: Actor, run: Run, mine: dict[str, Any]) -> dict[str, Any]:
    """The head of the tag now, and the changes from the run's definition to that."""
    tag = refs.find_tag(actor.org_id, run.workflow)
    if tag is None or tag.artifact is None:
        return {}
    head = materialisation.definition_of(tag.artifact)
    changes = diff.changes(mine, head)
    return {"head": tag.artifact, "changes": changes, "same": diff.is_empty(changes), "lines": _lines(changes)}


def _lines(changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The changes as lines: what, of which kind, and the fields in it that differ."""
    nodes = changes["nodes"]
    found = [{"mark": "+", "state": "added", "name": name, "fields": ()} for name in nodes["added"]]
    found += [{"mark": "-", "state": "removed", "name": name, "fields": ()} for name in nodes["removed"]]
    found += [
        {"mark": "±", "state": "changed", "name": name, "fields": change["fields"].items()}
        for name, change in nodes["changed"].items()
    ]
    if changes["fields"]:
        found.append({"mark": "±", "state": "changed", "name": "", "fields": changes["fields"].items()})
    return found
