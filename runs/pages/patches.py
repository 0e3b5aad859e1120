"""/dashboard/runs/{id}/patches: changing what a live run has not started."""

from collections.abc import Callable, Mapping
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from orchestrator.core.errors import Conflict, NotFound, PayloadTooLarge, ValidationFailed
from orchestrator.core.numbers import parse_number
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.people import Names
from runs.forms import PatchForm
from runs.models import Run, RunPatch
from runs.pages.found import attempt, number_in, run_of, told
from runs.services import patches
from runs.snapshot import definition_of
from runs.states import ACTIVE_RUN, PatchState

_LISTED: Final = 50
_DECISIONS: Final[Mapping[str, tuple[Callable[..., RunPatch], str]]] = {
    "accept": (patches.accept_patch, "accepted: the run goes on by it"),
    "reject": (patches.reject_patch, "rejected"),
    "revert": (patches.revert_patch, "taken back"),
}


@page("GET", "POST")
def run_patches(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """The patches to the run, the last first, and the form of a new one."""
    run = run_of(actor, run_id)
    if request.method != "POST":
        return _page(request, actor, run, PatchForm())
    actor.require("write")
    form = PatchForm(request.POST)
    if not form.is_valid():
        return _page(request, actor, run, form, status=422)
    try:
        patch = patches.submit_patch(actor=actor, run_id=run.pk, **form.cleaned_data)
    except (Conflict, PayloadTooLarge, ValidationFailed) as error:
        form.add_error("operations", told(error))
        return _page(request, actor, run, form, status=error.status)
    proposed = patch.state == PatchState.PROPOSED
    messages.success(request, f"Patch {patch.number} is {'proposed' if proposed else 'in force'}.")
    return _to_patches(run)


@page("POST", scope="write")
def decide(request: HttpRequest, actor: Actor, run_id: str, number: str, decision: str) -> HttpResponse:
    """Accept or reject what is proposed; take back what was accepted last."""
    run = run_of(actor, run_id)
    wanted = parse_number(number)
    if decision not in _DECISIONS or wanted is None:
        raise NotFound
    act, said = _DECISIONS[decision]
    comment = request.POST.get("comment", "").replace("\x00", "")[:1000]

    def done() -> str:
        patch = act(actor=actor, run_id=run.pk, number=wanted, comment=comment)
        return f"Patch {patch.number} is {said}."

    attempt(request, done)
    return _to_patches(run)


def _page(request: HttpRequest, actor: Actor, run: Run, form: PatchForm, status: int = 200) -> HttpResponse:
    rows = RunPatch.objects.filter(run=run)
    before = number_in(request, "before", 0)
    found = list((rows.filter(number__lt=before) if before else rows).order_by("-number")[: _LISTED + 1])
    names = Names(run.org_id, [by for row in found for by in (row.created_by, row.decided_by)])
    accepted = [row.number for row in found if row.state == PatchState.ACCEPTED] if not before else []
    shown = [
        {"row": row, "by": names.spell(row.created_by), "decided_by": names.spell(row.decided_by)}
        for row in found[:_LISTED]
    ]
    about = {
        "run": run, "form": form, "patches": shown, "active": run.status in ACTIVE_RUN, "may_write": actor.may("write"),
        "older": found[_LISTED - 1].number if len(found) > _LISTED else None, "revertible": max(accepted, default=0),
        "definition": definition_of(run),
    }  # fmt: skip
    return render(request, "runs/patches.html", about, status=status)


def _to_patches(run: Run) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-run-patches", args=[run.pk]))
