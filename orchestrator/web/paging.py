"""Keyset pages, newest first: the thousandth page costs as much as the first, and new rows move no page."""

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet

from orchestrator.core.errors import NotFound
from orchestrator.core.ids import parse_uuid

PAGE_SIZE: Final = 25


@dataclass(frozen=True, slots=True)
class Page:
    """``older`` is the ``before`` of the following page, empty on the last; ``first``: nothing newer was left out."""

    rows: list[Any]
    older: str
    first: bool


def page_of(rows: QuerySet[Any], before: str, size: int = PAGE_SIZE) -> Page:
    """The newest rows, or those older than the id ``before``. Raises NotFound when that is no id."""
    if before:
        last_seen = parse_uuid(before)
        if last_seen is None:
            raise NotFound
        rows = rows.filter(pk__lt=last_seen)
    found = list(rows.order_by("-pk")[: size + 1])
    older = str(found[size - 1].pk) if len(found) > size else ""
    return Page(found[:size], older, first=not before)


def edge_of(rows: QuerySet[Any], depth: int, order: str = "-pk") -> Any:
    """The place of row number ``depth`` in that order, None when there are not so many rows: how far a page looks for
    what no index finds. An OFFSET, but one that does not grow, over the entries of an index; PostgreSQL has no MIN of
    UUIDs.
    """
    return rows.order_by(order).values_list(order.removeprefix("-"), flat=True)[depth - 1 : depth].first()
