"""What runs put on the home page: how many there are, the form that starts one, and the latest."""

from typing import Any, Final

from django.db.models import Count

from orchestrator.identity.actors import Actor
from orchestrator.web import panels
from orchestrator.web.panels import Panel
from runs.forms import StartRunForm
from runs.models import Run
from runs.pages.rows import LIST_FIELDS
from runs.states import RunStatus

_LATEST: Final = 8


def counts(actor: Actor) -> dict[str, Any]:
    """The number of runs in each state, in the order of a run's life."""
    found = Run.objects.for_org(actor.org_id).order_by().values_list("status").annotate(Count("id"))
    by_status = dict(found)
    return {"counts": [(status.value, by_status.get(status.value, 0)) for status in RunStatus]}


def latest(actor: Actor) -> dict[str, Any]:
    rows = Run.objects.for_org(actor.org_id).order_by("-pk").only(*LIST_FIELDS)
    return {"runs": list(rows[:_LATEST])}


def start_form(actor: Actor) -> dict[str, Any]:
    return {"form": StartRunForm()}


panels.register(Panel("run-counts", "top", "runs/partials/counts.html", counts))
panels.register(Panel("start-run", "main", "runs/partials/start_panel.html", start_form, live=False, scope="write"))
panels.register(Panel("latest-runs", "main", "runs/partials/latest.html", latest))
panels.register_target("run", "dashboard-run")
