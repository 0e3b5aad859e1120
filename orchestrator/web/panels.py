"""What the home page shows. Each app registers its panels here, so that the shell knows none of them (DESIGN §2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal

from django.urls import NoReverseMatch, reverse

from orchestrator.events.models import Event
from orchestrator.identity.actors import Actor
from orchestrator.web import navigation, needs
from orchestrator.web.navigation import Section
from orchestrator.web.people import Names

_LATEST_EVENTS: Final = 12


@dataclass(frozen=True, slots=True)
class Panel:
    """``data`` reads what ``template`` shows as ``data``, in a number of queries that does not grow with the rows.

    A ``live`` panel is rendered again whenever the org's log grows; one with a form in it must not be. One with
    ``regions`` marks in its template what of it is replaced, and what stays as the reader left it. ``scope`` is what
    the visitor must have to see it. Panels of a place are shown by ``order``.
    """

    name: str
    place: Literal["top", "main", "side"]
    template: str
    data: Callable[[Actor], dict[str, Any]]
    live: bool = True
    scope: str = "read"
    regions: bool = False
    order: int = 50


_panels: list[Panel] = []
_target_pages: dict[str, str] = {}


def register(panel: Panel) -> None:
    _panels.append(panel)
    _panels.sort(key=attrgetter("order"))


def register_target(kind: str, url_name: str) -> None:
    """Event targets ``<kind>:<id>`` link to the page ``url_name``, which takes the id alone."""
    _target_pages[kind] = url_name


def filled(actor: Actor, *, live_only: bool = False) -> Iterator[dict[str, Any]]:
    """The panels that the actor may see, in their order, with their data."""
    for panel in _panels:
        if actor.may(panel.scope) and (panel.live or not live_only):
            yield {"panel": panel, "data": panel.data(actor)}


def latest_events(actor: Actor) -> dict[str, Any]:
    """The newest rows of the org's log, with names in place of ids."""
    rows = list(Event.objects.for_org(actor.org_id).order_by("-seq").defer("details")[:_LATEST_EVENTS])
    names = Names(actor.org_id, (row.actor for row in rows))
    return {"events": [{"row": row, "actor": names.spell(row.actor), **about_target(row.target)} for row in rows]}


def about_target(target: str) -> dict[str, str]:
    """An event's target: its ``kind`` and ``target_id``, and the ``url`` of its page where it has one."""
    kind, _, target_id = target.partition(":")
    return {"kind": kind, "target_id": target_id, "url": _url(kind, target_id)}


def _url(kind: str, target_id: str) -> str:
    if not (target_id and kind in _target_pages):
        return ""
    try:
        return reverse(_target_pages[kind], args=[target_id])
    except NoReverseMatch:  # callers write events of their own, with any target
        return ""


register(Panel("needs", "top", "web/partials/needs.html", needs.found, order=10))
register(Panel("events", "side", "web/partials/events.html", latest_events, order=90))
register_target("member", "dashboard-member")
register_target("api_key", "dashboard-api-key")
navigation.register(Section("Events", "dashboard-events", "scroll-text", 60))
navigation.register(Section("Settings", "dashboard-settings", "settings", 70))
