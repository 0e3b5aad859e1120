"""/dashboard/runs/bulk: one act on many runs. First how many and which they are, then a button that does it."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from orchestrator.core.errors import Conflict, NotFound, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.paging import PAGE_SIZE
from runs.models import Run
from runs.pages.rows import as_rows, rows_shown
from runs.pages.sieve import selection, sieve_of
from runs.services import bulk, cancellation, forks
from runs.services.bulk import Outcome, Selection
from runs.states import ACTIVE_RUN

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Act:
    """``all`` is the service for a selection, ``one`` that for a run; ``states``: of the runs that it is for."""

    name: str
    done: str
    all: Callable[..., Outcome]
    one: Callable[..., Run]
    states: frozenset[str]


_ACTS: Final[Mapping[str, Act]] = {
    "cancel": Act("cancel", "cancelled", bulk.cancel_runs, cancellation.cancel_run, ACTIVE_RUN),
    "retry": Act("retry", "retried", bulk.retry_runs, forks.retry_run, frozenset(bulk.RETRIABLE)),
}


@page("GET", "POST", scope="write")
def bulk_runs(request: HttpRequest, actor: Actor) -> HttpResponse:
    """``?act=`` on the runs ``?run=…&run=…``, or on all that match the filters of the list."""
    act = _ACTS.get(request.GET.get("act", ""))
    if act is None:
        raise NotFound("There is no such act on many runs.")
    chosen = _chosen(request)
    if "run" in request.GET or "chosen" in request.GET:
        return _on_chosen(request, actor, act, chosen)
    sieve = sieve_of(request, actor)
    if not sieve.is_valid():
        raise ValidationFailed("The filters of this address make no sense. Set them anew in the list of runs.")
    return _on_all(request, actor, act, selection(sieve))


def _on_chosen(request: HttpRequest, actor: Actor, act: Act, chosen: list[uuid.UUID]) -> HttpResponse:
    runs = Run.objects.for_org(actor.org_id).filter(pk__in=chosen)
    if request.method == "POST":
        _do(request, actor, act, list(runs.order_by("pk").values_list("pk", flat=True)))
        return _to_list()
    fitting = runs.filter(status__in=act.states)
    return _confirm(request, actor, act, fitting, fitting.count(), len(chosen))


def _on_all(request: HttpRequest, actor: Actor, act: Act, chosen: Selection) -> HttpResponse:
    if request.method == "POST":
        outcome = act.all(actor=actor, dry_run=False, **chosen)
        _say(request, act, outcome.done, _not_done(outcome))
        return _to_list()
    counted = act.all(actor=actor, dry_run=True, **chosen)
    fitting = bulk.select(actor, **chosen).filter(status__in=act.states)
    if act.name == "retry":
        fitting = fitting.filter(forks=None, parent=None)
    return _confirm(request, actor, act, fitting, counted.matched, None)


def _confirm(
    request: HttpRequest, actor: Actor, act: Act, runs: QuerySet[Run], matched: int, chosen: int | None
) -> HttpResponse:
    # By time and not by id: in an order that all runs have an index for, the few that match are looked for among all.
    first = list(as_rows(runs).order_by("created_at", "pk")[:_SHOWN]) if matched else []
    shown = rows_shown(actor, first)
    about = {"act": act, "matched": matched, "chosen": chosen, "runs": shown, "more": matched - len(shown)}
    return render(request, "runs/bulk.html", about)


def _do(request: HttpRequest, actor: Actor, act: Act, chosen: list[uuid.UUID]) -> None:
    """Each in a transaction of its own: one that cannot be done keeps no other from it."""
    refused: Counter[str] = Counter()
    for run_id in chosen:
        try:
            act.one(actor=actor, run_id=run_id)
        except (Conflict, ValidationFailed) as error:
            refused[error.message] += 1
    reasons = [f"{number} not: {why}" if number > 1 else f"One not: {why}" for why, number in refused.items()]
    _say(request, act, len(chosen) - refused.total(), " ".join(reasons))


def _not_done(outcome: Outcome) -> str:
    left = outcome.matched - outcome.done
    why = "they ended by themselves, a limit refused them, or the time was over. Do it again for the rest."
    return f"{left} not: {why}" if left else ""


def _say(request: HttpRequest, act: Act, done: int, rest: str) -> None:
    text = f"{done} run{'' if done == 1 else 's'} {act.done}. {rest}".strip()
    (messages.warning if rest else messages.success)(request, text)


def _chosen(request: HttpRequest) -> list[uuid.UUID]:
    """What was ticked: a page of the list at the most."""
    found = [parse_uuid(text) for text in request.GET.getlist("run")[:PAGE_SIZE]]
    return [run_id for run_id in found if run_id]


def _to_list() -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-runs"))
