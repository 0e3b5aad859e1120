"""The bases of all admin pages: what changes nothing, what is large, what changes by services."""

import functools
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import ForeignKey, JSONField, QuerySet, TextField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from orchestrator.api.admin import columns
from orchestrator.api.admin.changelist import WHOLES, BoundedChangeList, BoundedPaginator
from orchestrator.api.admin.exports import ExportMixin
from orchestrator.core.errors import OrchestratorError


class OperatorAdmin(ExportMixin, admin.ModelAdmin):
    """Links to other rows, JSON that can be read, cut texts; and no query a row: what a list names it also joins."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each is a count over the table
    list_per_page = 50  # a hundred rows take twice as long to render, and nobody reads them
    list_max_show_all = 100

    def __init__(self, model: Any, site: Any) -> None:
        super().__init__(model, site)
        others = [field.name for field in model._meta.concrete_fields if isinstance(field, ForeignKey)]
        self.joined = [name for name in others if name in self.list_display]
        first, *rest = self.list_display
        # The first is the link to the row itself, so it must not be one to another row.
        first = first if first in others else columns.listed(model, first)
        self.list_display = (first, *(columns.listed(model, name) for name in rest))

    def get_list_select_related(self, request: HttpRequest) -> list[str]:
        return self.joined


class ReadOnlyAdmin(OperatorAdmin):
    """Shows rows and changes none."""

    def __init__(self, model: Any, site: Any) -> None:
        super().__init__(model, site)
        self.shown = tuple(columns.detailed(model, name) for name in self.fields or ())

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LargeAdmin(ReadOnlyAdmin):
    """A table that may have millions of rows, with UUIDv7 ids: see changelist.py.

    ``ids``: other columns whose whole id the search takes, each with an index. ``org_index``: whether an index has an
    organization's rows in the order of their ids; ``indexed_in_org``: filters that are in such an index, too.
    """

    paginator = BoundedPaginator
    date_hierarchy = "created_at"
    sortable_by = ()
    ids: tuple[str, ...] = ()
    org_index = True
    indexed_in_org: tuple[str, ...] = ()
    search_help_text = (
        "An id, or its first 8 digits, finds a row of any age. Words are looked for in the newest 20,000 rows, or in "
        "the newest 20,000 of the date that you choose."
    )

    def get_changelist(self, request: HttpRequest, **options: Any) -> Any:
        return BoundedChangeList

    def unlisted(self) -> list[str]:
        """Columns that the list does not show and that may have a megabyte a row, those of joined rows too."""
        listed = {getattr(shown, "__name__", shown) for shown in self.list_display}
        mine = [name for name in _documents(self.model) if name not in listed]
        joined = [
            f"{name}__{column}"
            for name in self.joined
            for column in _documents(self.model._meta.get_field(name).related_model)
        ]
        return mine + joined

    def slow_in_org(self, dated: bool) -> bool:
        """Whether even an organization's rows alone, perhaps of one date, are not in the order of an index."""
        return not self.org_index

    def newest_first(self, in_org: bool) -> tuple[str, ...]:
        """The order in which an index has the rows, all of them or those of one organization."""
        return ("-pk",)

    def newest(self, rows: QuerySet[Any], org_id: uuid.UUID | None, count: int) -> QuerySet[Any]:
        """The newest ``count``, all in all or of one organization, as a condition that an index decides."""
        wanted = rows if org_id is None else rows.filter(org_id=org_id)
        last = wanted.order_by("-pk").values_list("pk", flat=True)[count : count + 1].first()
        return rows if last is None else rows.filter(pk__gt=last)


class PartAdmin(LargeAdmin):
    """Rows that are parts of another one, ``whole``, and have no index by organization: an organization's are looked
    for in its newest wholes.
    """

    whole: str
    org_index = False

    def newest(self, rows: QuerySet[Any], org_id: uuid.UUID | None, count: int) -> QuerySet[Any]:
        if org_id is None:
            return super().newest(rows, None, count)
        wholes: Any = self.model._meta.get_field(self.whole).related_model
        named = wholes._default_manager.filter(org_id=org_id).order_by("-pk").values_list("pk", flat=True)
        # As a list: of a subquery the databases make a join, and sort all of the organization's parts.
        return rows.filter(**{f"{self.whole}_id__in": list(named[:WHOLES])})


class ServiceAdmin(OperatorAdmin):
    """Shows what a service refuses as a message. The admin's own transaction has rolled back by then."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return guarded(self, request, functools.partial(super().changeform_view, request, *args, **kwargs))

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return guarded(self, request, functools.partial(super().delete_view, request, *args, **kwargs))

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return guarded(self, request, functools.partial(super().changelist_view, request, *args, **kwargs))


def _documents(model: Any) -> list[str]:
    large = (JSONField, TextField)
    return [field.name for field in model._meta.concrete_fields if isinstance(field, large)]


def guarded(page: Any, request: HttpRequest, view: Callable[[], Any]) -> HttpResponse:
    """What ``view`` answers, or the same address again with what a service refused as a message."""
    try:
        answer: HttpResponse = view()
    except OrchestratorError as error:
        sentences = error.details or {"": [error.message]}
        page.message_user(request, " ".join(line for lines in sentences.values() for line in lines), messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())
    return answer
