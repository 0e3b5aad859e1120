"""What the home page shows. Each app registers its panels here, so that the shell knows none of them (DESIGN §2)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from orchestrator.events.models import Event
from orchestrator.identity.actors import Actor
from orchestrator.web.people import Names

_LATEST_EVENTS: Final = 12


@dataclass(frozen=True, slots=True)
class Panel:
    """``data`` reads what ``template`` shows as ``data``, in a number of queries that does not grow with the rows.

    A ``live`` panel is rendered again whenever the org's log grows; one with a form in it must not be. ``scope`` is
    what the visitor must have to see it.
    """

    name: str
    place: Literal["top", "main", "side"]
    template: str
    data: Callable[[Actor], dict[str, Any]]
    live: bool = True
    scope: str = "read"


_panels: list[Panel] = []
_target_pages: dict[str, str] = {}


def register(panel: Panel) -> None:
    _panels.append(panel)


def register_target(kind: str, url_name: str) -> None:
    """Event targets ``<kind>:<id>`` link to the page ``url_name``, which takes the id alone."""
    _target_pages[kind] = url_name


def filled(actor: Actor, *, live_only: bool = False) -> Iterator[dict[str, Any]]:
    """The panels that the actor may see, in the order of their registration, with their data."""
    for panel in _panels:
        if actor.may(panel.scope) and (panel.live or not live_only):
            yield {"panel": panel, "data": panel.data(actor)}


def latest_events(actor: Actor) -> dict[str, Any]:
    """The newest rows of the org's log, with names in place of ids."""
    rows = list(Event.objects.for_org(actor.org_id).order_by("-seq").defer("details")[:_LATEST_EVENTS])
    names = Names(actor.org_id, (row.actor for row in rows))
    return {"events": [{"row": row, "actor": names.spell(row.actor), **_target(row.target)} for row in rows]}


def _target(target: str) -> dict[str, str]:
    kind, _, target_id = target.partition(":")
    return {"page": _target_pages.get(kind, ""), "kind": kind, "target_id": target_id}


register(Panel("events", "side", "web/partials/events.html", latest_events))
