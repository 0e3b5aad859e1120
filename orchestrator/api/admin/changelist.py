"""Lists of large tables in bounded time, whatever is filtered or searched for.

- At most MOST rows are counted and paged through; then the page says that there are more.
- The organization and the date are found by an index. Everything else is looked for in the newest WINDOW rows of these,
  and the page says so: another date looks further back. So is an organization where no index has its rows in order.
- An id finds its row wherever it is.
"""

import re
import uuid
from functools import cached_property
from typing import Any, Final

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrator.api.admin import moments
from orchestrator.api.admin.filters import ORG, chosen_org, scan

MOST: Final = 1000
WINDOW: Final = 20_000
WHOLES: Final = 250
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f-]{0,27}[0-9a-f])?", re.IGNORECASE)


class BoundedPaginator(Paginator):
    """Counts up to MOST; ``more`` says that there are more."""

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        found: int = rows.order_by()[: MOST + 1].count()
        return found

    @cached_property
    def count(self) -> int:
        return min(self._counted, MOST)

    @property
    def more(self) -> bool:
        return self._counted > MOST


class BoundedChangeList(ChangeList):
    """The list of a LargeAdmin; ``whole`` looks at all rows, for an export, which may take its time."""

    model_admin: Any  # a LargeAdmin
    whole = False
    told = ""

    def get_filters(self, request: HttpRequest) -> Any:
        """The date is applied to the ids, in get_queryset."""
        specs, has_filters, lookups, duplicates, active = super().get_filters(request)
        for bound in ("gte", "lt"):
            lookups.pop(f"{self.date_hierarchy}__{bound}", None)
        return specs, has_filters, lookups, duplicates, active

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        table = self.root_queryset
        self.root_queryset = self._looked_at(request, table)
        try:
            return super().get_queryset(request, exclude_parameters)
        finally:
            self.root_queryset = table

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Always the newest first: sorting by another column would read every row."""
        return list(self.model_admin.newest_first(chosen_org(request) is not None and not self.period.year))

    def apply_select_related(self, qs: QuerySet[Any]) -> Any:
        return super().apply_select_related(qs).defer(*self.model_admin.unlisted())

    def get_ordering_field_columns(self) -> dict[int, Any]:
        return {}

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.more = getattr(self.paginator, "more", False)

    @cached_property
    def period(self) -> moments.Period:
        try:
            return moments.period_in(self.filter_params_flat(), str(self.date_hierarchy))
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error

    def filter_params_flat(self) -> dict[str, Any]:
        return {name: values[-1] for name, values in self.filter_params.items() if values}

    def dates(self) -> dict[str, Any]:
        """What the template of Django's date hierarchy takes."""
        field, here = str(self.date_hierarchy), self.period
        parts = moments.choices(here, self.model._default_manager.all())
        shown = [{"link": self._dated(field, part), "title": part.title} for part in parts]
        back = {"link": self._dated(field, here.above()), "title": here.above().title} if here.year else None
        return {"back": back, "choices": [*([{"title": here.title}] if here.year else []), *shown]}

    def _dated(self, field: str, period: moments.Period) -> str:
        params = {name: value for name, value in period.params(field).items() if value}
        return str(self.get_query_string(params, [f"{field}__"]))

    def _looked_at(self, request: HttpRequest, table: QuerySet[Any]) -> QuerySet[Any]:
        if found := self._by_id(table):
            return found
        rows, org = self.period.of(table), chosen_org(request)
        if self.whole or not self._is_slow(org is not None):
            return rows
        alone = org is not None and (self.model_admin.org_index or not self.period.year)
        if org is not None and not alone:
            scan(request)
        self.told = f"Looked for in the newest {WINDOW:,} rows"
        bounded: QuerySet[Any] = self.model_admin.newest(rows, org.pk if org and alone else None, WINDOW)
        return bounded

    def _by_id(self, table: QuerySet[Any]) -> QuerySet[Any] | None:
        """The rows that the search names by an id or the beginning of one, each column by its index, one at a time: an
        OR of them, in the order of the key, may read the whole table.
        """
        if not _ID.fullmatch(self.query.strip()):
            return None
        digits = self.query.strip().replace("-", "")[:32]
        span = (uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f")))
        wanted = [table.filter(pk__range=span)]
        if span[0] == span[1]:
            wanted += [table.filter(**{name: span[0]}) for name in self.model_admin.ids]
        found = next((rows for rows in wanted if rows.order_by().exists()), None)
        if found is not None:
            self.named = self.query
            self.query = ""  # it is answered; the page shows ``named``
        return found

    def _is_slow(self, in_org: bool) -> bool:
        """Whether it asks for something that no index finds in order."""
        quick = {ORG, *moments.Period().params(str(self.date_hierarchy))}
        if in_org:
            quick |= set(self.model_admin.indexed_in_org)
        asked = set(self.filter_params) - {PAGE_VAR, ORDER_VAR}
        return (
            bool(self.query)
            or not quick.issuperset(asked)
            or (in_org and self.model_admin.slow_in_org(bool(self.period.year)))
        )
