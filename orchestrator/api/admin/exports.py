"""Rows as a file, CSV or JSON lines: those that are selected, or all that match the list's filters.

They stream: a cursor on a thread and a connection of its own reads CHUNK rows at a time, so that neither the memory
nor the web threads know how many there are.
"""

import asyncio
import csv
import io
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.text import capfirst

from orchestrator.api.renderers import to_json
from orchestrator.core import clock

CHUNK: Final = 2000
# Hashes of secrets, and what a lease or a sign-in is proved by. Shown here or there; never carried out of the house.
SECRETS: Final = frozenset({"password", "hashed_secret", "current_jti", "token", "lease_token"})
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
Render = Callable[[list[str], Iterable[tuple[Any, ...]]], Iterator[bytes]]


class ExportMixin:
    """Two actions for the selected rows and two addresses for all that match."""

    model: Any
    opts: Any
    admin_site: Any
    actions: Any = ()

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        exported = self.admin_site.admin_view(self.export_view)
        return [path("export/<str:form>/", exported, name=name), *super().get_urls()]  # type: ignore[misc]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]
        for form, label in (("csv", "Export selected as CSV"), ("jsonl", "Export selected as JSON lines")):
            found[f"export_{form}"] = (_exporting(form), f"export_{form}", label)
        return found

    def export_view(self, request: HttpRequest, form: str) -> StreamingHttpResponse:
        """All that match the query string, however many. Raises Http404 for another form."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        if form not in FORMS:
            raise Http404
        try:
            changelist = self.whole_changelist(request)
        except IncorrectLookupParameters as error:
            raise Http404 from error
        return self.exported(request, changelist.queryset, form)

    def whole_changelist(self, request: HttpRequest) -> Any:
        """The list without the bounds that keep its page quick."""
        kind = self.get_changelist(request)  # type: ignore[attr-defined]
        whole = type(kind.__name__, (kind,), {"whole": True})
        given = (
            self.list_display_links, self.list_filter, self.date_hierarchy, self.search_fields,  # type: ignore[attr-defined]
            False, 1, 1, (), self, (), "",
        )  # fmt: skip
        return whole(request, self.model, ("pk",), *given)

    def exported(self, request: HttpRequest, rows: QuerySet[Any], form: str) -> StreamingHttpResponse:
        """The answer for these rows."""
        names = self.export_columns(request)
        suffix, content_type, render = FORMS[form]
        values = rows.select_related(None).values_list(*names).iterator(chunk_size=CHUNK)
        answer = StreamingHttpResponse(_streamed(render(names, values)), content_type=content_type)
        answer["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}.{suffix}"'
        answer["Cache-Control"] = "no-store"
        return answer

    def export_columns(self, request: HttpRequest) -> list[str]:
        """The columns that a row's page shows, but for secrets."""
        fields = flatten_fieldsets(self.get_fieldsets(request))  # type: ignore[attr-defined]
        shown = {getattr(field, "__name__", field) for field in fields} | {self.opts.pk.name}
        wanted = [field for field in self.opts.concrete_fields if field.name in shown and field.name not in SECRETS]
        return [field.attname for field in wanted]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        base = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        query = request.GET.copy()
        query.pop("p", None)
        links = {form: f"{base}export/{form}/?{query.urlencode()}" for form in FORMS}
        about = {"exports": links, "title": capfirst(str(self.opts.verbose_name_plural)), **(extra_context or {})}
        return super().changelist_view(request, about)  # type: ignore[misc]


def _exporting(form: str) -> Callable[..., StreamingHttpResponse]:
    def export(page: ExportMixin, request: HttpRequest, queryset: QuerySet[Any]) -> StreamingHttpResponse:
        return page.exported(request, queryset, form)

    return export


def as_csv(names: list[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    """RFC 4180, with a head line."""
    yield _lines([names])
    for some in _batched(rows):
        yield _lines([[_cell(value) for value in row] for row in some])


def as_json_lines(names: list[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    """One JSON object a line."""
    for some in _batched(rows):
        yield b"".join(to_json(dict(zip(names, map(_plain, row), strict=True))) + b"\n" for row in some)


FORMS: Final[dict[str, tuple[str, str, Render]]] = {
    "csv": ("csv", "text/csv; charset=utf-8", as_csv),
    "jsonl": ("jsonl", "application/x-ndjson", as_json_lines),
}


def _batched(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    source = iter(rows)
    while some := list(itertools.islice(source, CHUNK)):
        yield some


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = to_json(value).decode()
    elif hasattr(value, "isoformat"):
        value = clock.rfc3339(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _plain(value: Any) -> Any:
    """Decimals as text: a float would not be the same number."""
    known = value is None or isinstance(value, str | int | float | bool | dict | list) or hasattr(value, "isoformat")
    return value if known else str(value)


async def _streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each made on one thread, which alone has the cursor and its connection."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="export")
    loop = asyncio.get_running_loop()
    try:
        while (piece := await loop.run_in_executor(thread, next, pieces, None)) is not None:
            yield piece
    finally:
        thread.submit(_end, pieces)
        thread.shutdown(wait=False)


def _end(pieces: Any) -> None:
    pieces.close()
    connections.close_all()
