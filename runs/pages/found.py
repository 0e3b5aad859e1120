"""What the pages of runs share: the run of an address, and services whose refusals become messages."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse

from orchestrator.core.errors import NotFound, OrchestratorError
from orchestrator.core.ids import parse_uuid
from orchestrator.core.numbers import parse_number
from orchestrator.identity.actors import Actor
from runs.models import Run

MOST_TEXT = 500


def run_of(actor: Actor, run_id: str) -> Run:
    """Raises NotFound, also for another org's run."""
    wanted = parse_uuid(run_id)
    run: Run | None = Run.objects.for_org(actor.org_id).filter(pk=wanted).first() if wanted else None
    if run is None:
        raise NotFound("There is no such run in this organization.")
    return run


def number_in(request: HttpRequest, name: str, otherwise: int = -1) -> int:
    """The whole number in the parameter; -1 is before the first event of a log. Raises NotFound."""
    raw = request.GET.get(name, str(otherwise))
    if raw == str(otherwise):
        return otherwise
    place = parse_number(raw)
    if place is None:
        raise NotFound("There is no such place here.")
    return place


def attempt(request: HttpRequest, act: Callable[[], str]) -> bool:
    """Do it, and leave a message: what ``act`` answers, or why the service refused."""
    try:
        messages.success(request, act())
    except OrchestratorError as error:
        if error.status >= 500 or isinstance(error, NotFound):
            raise
        messages.error(request, told(error))
        return False
    return True


def told(error: OrchestratorError) -> str:
    """An error as sentences: its own, and those of its details."""
    found = " ".join([error.message, *_sentences(error.details)])
    return found if len(found) <= MOST_TEXT else f"{found[:MOST_TEXT]}…"


def _sentences(details: Any) -> Iterator[str]:
    if not isinstance(details, dict):
        return
    for name, value in details.items():
        if isinstance(value, list) and value:
            yield f"{name}: {', '.join(map(str, value))}"


def to_run(run: Run) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-run", args=[run.pk]))


def address(name: str, *parts: Any) -> str:
    """The page's address; empty where there is no such page."""
    try:
        return reverse(name, args=parts)
    except NoReverseMatch:
        return ""
