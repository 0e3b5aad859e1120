"""Which part of the log somebody wants to see, out of the address."""

from dataclasses import dataclass
from math import inf
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import QueryDict

from orchestrator.core.errors import NotFound
from orchestrator.core.numbers import parse_number
from orchestrator.events.models import Event
from orchestrator.identity.actors import Actor
from orchestrator.web.paging import edge_of

PAGE_SIZE: Final = 50
SEARCHED: Final = 20_000  # events that one page looks at, when several filters are asked at once
FILTERS: Final = ("event", "target", "actor")
ME: Final = "me"


@dataclass(frozen=True, slots=True)
class Search:
    """``filters`` as they are written in the address, where the actor ``me`` is whoever looks."""

    actor: Actor
    filters: dict[str, str]

    @classmethod
    def of(cls, actor: Actor, query: QueryDict) -> "Search":
        found = {name: query.get(name, "").strip().replace("\x00", "") for name in FILTERS}
        return cls(actor, {name: value for name, value in found.items() if value})

    @property
    def exact(self) -> dict[str, str]:
        """As the rows and the API have it."""
        return {name: str(self.actor) if value == ME else value for name, value in self.filters.items()}

    @property
    def query(self) -> str:
        """For the API's addresses, which take the same names."""
        return urlencode(self.exact)

    def log(self) -> QuerySet[Event]:
        """All of the log, whatever is asked for."""
        found: QuerySet[Event] = Event.objects.for_org(self.actor.org_id)
        return found


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows, newest first. ``older``, ``newer``: the ``before`` and ``after`` of the neighbours, None at an end.

    ``further``: the search has ended before it had a page full, and there is more of the log to search.
    """

    rows: list[Any]
    older: int | None
    newer: int | None
    further: bool = False


def slice_of(search: Search, query: QueryDict) -> Slice:
    """The newest rows, those before ``?before=``, or those after ``?after=``. Raises NotFound for no number."""
    if "after" in query:
        return _slice_after(search, number(query.get("after", "")))
    return slice_before(search, number(query.get("before", "")) if "before" in query else None)


def slice_before(search: Search, before: int | None, size: int = PAGE_SIZE) -> Slice:
    """The newest rows before a place, or of all."""
    log = search.log()
    rows, edge = matching(search, log if before is None else log.filter(seq__lt=before))
    found = list(rows.order_by("-seq")[: size + 1])
    shown, further = found[:size], edge is not None and len(found) <= size
    older = edge if further else found[size - 1].seq if len(found) > size else None
    newer = None if before is None else (shown[0].seq if shown else before - 1)
    return Slice(shown, older, newer, further)


def _slice_after(search: Search, after: int) -> Slice:
    rows, edge = matching(search, search.log().filter(seq__gt=after), "seq")
    found = list(rows.order_by("seq")[: PAGE_SIZE + 1])
    newer = found[PAGE_SIZE - 1].seq if len(found) > PAGE_SIZE else edge
    shown = found[:PAGE_SIZE][::-1]
    return Slice(shown, shown[-1].seq if shown else after + 1, newer)


def matching(search: Search, log: QuerySet[Event], order: str = "-seq") -> tuple[QuerySet[Event], int | None]:
    """What of ``log`` matches, and where in that order the search ends, None when it goes through all of it.

    One filter has an index. Of several the one with the fewest rows leads, and the others choose among SEARCHED of its
    rows: there is no index for two that rarely meet, and looking for a page of these would read most of the log.
    """
    exact = search.exact
    if len(exact) < 2:
        return log.filter(**exact), None
    edges = {name: edge_of(log.filter(**{name: value}), SEARCHED, order) for name, value in exact.items()}
    rarest = max(edges, key=lambda name: _reach(edges[name], order))
    rows, edge = log.filter(**{rarest: exact.pop(rarest)}), edges[rarest]
    # As expressions, so that only the leading filter's index is taken.
    rows = rows.alias(**{f"any_{name}": Coalesce(name, Value("")) for name in exact})
    rows = rows.filter(**{f"any_{name}": value for name, value in exact.items()})
    if edge is None:
        return rows, None
    return rows.filter(**{"seq__gte" if order == "-seq" else "seq__lte": edge}), edge


def _reach(edge: int | None, order: str) -> float:
    """How far a search goes that ends there: the greater, the farther."""
    if edge is None:
        return inf
    return -edge if order == "-seq" else edge


def number(text: str) -> int:
    """A place in the log. Raises NotFound."""
    place = parse_number(text, digits=18)
    if place is None:
        raise NotFound("There is no such place in the log.")
    return place
