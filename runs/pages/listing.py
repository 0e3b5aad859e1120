"""/dashboard/runs: all runs, and those that a question leaves."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.paging import Page
from runs.pages.rows import as_rows, rows_shown
from runs.pages.sieve import RunSieve, Sifted, sieve_of, sift
from runs.states import RunStatus
from versioning.models import Tag

_SUGGESTED: Final = 100
_NOTHING: Final = Sifted(Page([], "", first=True), further=False)


@page("GET")
def run_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's runs, newest first, sifted by the address; ``?before=`` is the keyset of the older pages."""
    # The head before the rows: what comes in between is told by the stream and shown then.
    head = events.head(actor.org_id)
    sieve = sieve_of(request, actor)
    about = _shown(request, actor, sieve)
    tags = Tag.objects.for_org(actor.org_id).live().order_by("name").values_list("name", flat=True)[:_SUGGESTED]
    about |= {"head": head, "statuses": RunStatus.values, "workflows": list(tags)}
    return render(request, "runs/list.html", about, status=200 if sieve.is_valid() else 422)


@page("GET")
def run_list_live(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The rows alone, as they are now, for live.js."""
    head = events.head(actor.org_id)
    about = _shown(request, actor, sieve_of(request, actor))
    return render(request, "runs/partials/list_live.html", {**about, "head": head})


def _shown(request: HttpRequest, actor: Actor, sieve: RunSieve) -> dict[str, Any]:
    valid = sieve.is_valid()
    rows = as_rows(sieve.queryset)
    sifted = sift(sieve, rows, request.GET.get("before", "")) if valid else _NOTHING
    asked = sieve.asked if valid else {}
    return {
        "form": sieve.form,
        "runs": rows_shown(actor, sifted.page.rows),
        "page": sifted.page,
        "further": sifted.further,
        "status": request.GET.get("status", ""),
        "asked": asked,
        "sifted": set(asked) - {"status"},
        "bulk": _bulk(asked) if asked else (),
    }


def _bulk(asked: dict[str, Any]) -> tuple[str, ...]:
    """What may be done to all that match: not what could not be done to one of them."""
    status = asked.get("status", "")
    acts = {"": ("cancel", "retry"), "succeeded": (), "failed": ("retry",), "cancelled": ("retry",)}
    return acts.get(status, ("cancel",))
