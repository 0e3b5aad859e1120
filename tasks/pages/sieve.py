"""The filters of the board and of the table: those of the API's list, and the least priority. All are in the URL."""

from dataclasses import dataclass

import django_filters
from django.http import QueryDict

from orchestrator.core.errors import ValidationFailed
from tasks.api.filters import TaskFilter
from tasks.models import MAX_PRIORITY
from tasks.querysets import TaskQuerySet
from tasks.states import Status


class PageFilter(TaskFilter):
    priority = django_filters.NumberFilter(lookup_expr="gte", min_value=0, max_value=MAX_PRIORITY, decimal_places=0)


@dataclass(frozen=True, slots=True)
class Sieve:
    """What the visitor asked for, and the rows that are left. ``query`` holds it for links."""

    rows: TaskQuerySet
    statuses: list[str]
    labels: list[str]
    assignee: str
    q: str
    priority: str
    query: str

    @property
    def narrows(self) -> bool:
        return bool(self.query)


def sieve(rows: TaskQuerySet, query: QueryDict, *, by_status: bool) -> Sieve:
    """The rows that the query leaves, by status only where that is wanted: on the board it chooses columns.

    Raises ValidationFailed.
    """
    asked = QueryDict(mutable=True)
    for name in PageFilter.base_filters:
        # A field of the form that was left empty asks for nothing.
        asked.setlist(name, [value for value in query.getlist(name) if value.strip()])
    if any("\x00" in value for _, values in asked.lists() for value in values):
        raise ValidationFailed("A filter contains a NUL character.")
    statuses = asked.getlist("status")
    if unknown := [status for status in statuses if status not in Status.values]:
        raise ValidationFailed(f"A task is never {unknown[0]!r}: it is {', '.join(Status.values)}.")
    found = PageFilter(asked if by_status else _without_status(asked), queryset=rows)
    if not found.is_valid():
        raise ValidationFailed(" ".join(f"{name}: {faults[0]}" for name, faults in found.errors.items()))
    given = asked.copy()
    for name in [name for name, values in asked.lists() if not values]:
        del given[name]
    return Sieve(
        found.qs, statuses, asked.getlist("label"), asked.get("assignee") or "", asked.get("q") or "",
        asked.get("priority") or "", given.urlencode(),
    )  # fmt: skip


def _without_status(query: QueryDict) -> QueryDict:
    left = query.copy()
    left.pop("status", None)
    return left
