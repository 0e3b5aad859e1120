"""/dashboard/runs: list, start, watch, cancel."""

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from orchestrator.core.errors import Conflict, NotFound, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.paging import page_of
from orchestrator.web.people import Names
from runs.forms import StartRunForm
from runs.models import Run
from runs.pages.detail import read_run
from runs.pages.rows import LIST_FIELDS
from runs.services import cancellation, submission
from runs.states import RunStatus

_CANCELLED: Final = "The run is cancelled. Nothing of it starts any more."
_CANCELLING: Final = "Nothing of the run starts any more. It ends as soon as what is being executed has stopped."


@page("GET")
def run_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's runs, newest first; ``?status=`` narrows them, ``?before=`` is the keyset of the older pages."""
    status = request.GET.get("status", "")
    rows = Run.objects.for_org(actor.org_id).only(*LIST_FIELDS)
    if status:
        if status not in RunStatus.values:
            raise ValidationFailed(f"A run is never {status!r}: it is {', '.join(RunStatus.values)}.")
        rows = rows.filter(status=status)
    shown = page_of(rows, request.GET.get("before", ""))
    names = Names(actor.org_id, (run.created_by for run in shown.rows))
    runs = [{"run": run, "started_by": names.spell(run.created_by)} for run in shown.rows]
    about = {"runs": runs, "page": shown, "status": status, "statuses": RunStatus.values}
    return render(request, "runs/list.html", about)


@page("GET", "POST", scope="write")
def new_run(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The form that starts a run, filled like ``?from=`` when that names one."""
    if request.method != "POST":
        like = _run(actor, request.GET["from"]) if "from" in request.GET else None
        return render(request, "runs/new.html", {"form": StartRunForm.like(like)})
    form = StartRunForm(request.POST)
    if form.is_valid():
        try:
            run = submission.start_run(actor=actor, inputs=form.inputs())
            return _to(run)
        except ValidationFailed as error:
            form.add_faults(error.details)
    return render(request, "runs/new.html", {"form": form}, status=422)


@page("GET")
def run_page(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """One run. ``?after=`` begins its timeline behind that event, for logs longer than a page."""
    return render(request, "runs/detail.html", read_run(_run(actor, run_id), actor, _after(request)))


@page("GET")
def run_live(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """The parts of the page that change, and the events behind ``?after=``, for live.js."""
    return render(request, "runs/partials/live.html", read_run(_run(actor, run_id), actor, _after(request)))


@page("POST", scope="write")
def cancel(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """End the run now, or say why that is not possible."""
    wanted = _run(actor, run_id)
    try:
        run = cancellation.cancel_run(actor=actor, run_id=wanted.pk)
        ended = run.status == RunStatus.CANCELLED
        messages.success(request, _CANCELLED if ended else _CANCELLING)
    except Conflict as error:
        messages.error(request, error.message)
    return _to(wanted)


def _run(actor: Actor, run_id: str) -> Run:
    """Raises NotFound, also for another org's run."""
    wanted = parse_uuid(run_id)
    run: Run | None = Run.objects.for_org(actor.org_id).filter(pk=wanted).first() if wanted else None
    if run is None:
        raise NotFound("There is no such run in this organization.")
    return run


def _after(request: HttpRequest) -> int:
    """The sequence in ``?after=``, or -1, which is before the first. Raises NotFound."""
    raw = request.GET.get("after", "-1")
    if raw == "-1":
        return -1
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10):
        raise NotFound("There is no such place in the run's log.")
    return int(raw)


def _to(run: Run) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-run", args=[run.pk]))
