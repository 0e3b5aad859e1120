"""Lists (CONTRACT §2): keyset pages in a stated total order, and bytes that are made once per revision.

A list's bytes are kept under (org, kind, revision, query). The revision is the number of the last event that changed
the kind, one index look-up; so an unchanged list costs neither rows nor JSON, and a 304 is decided without either. It
is read before the rows: a commit in between can only make kept bytes newer than their key says, and nobody asks for
that key again.
"""

import base64
import binascii
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cachetools
from django.db.models import BigIntegerField, CharField, Model, PositiveIntegerField, QuerySet, UUIDField
from django.http import QueryDict
from django_filters import FilterSet

from orchestrator.api.conditional import etag_of
from orchestrator.api.renderers import to_json
from orchestrator.core.errors import ValidationFailed

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
_CACHE_BYTES: Final = 64 * 1024 * 1024
_PAGE_PARAMETERS: Final = frozenset({"limit", "cursor", "format"})

_cache: cachetools.LRUCache[tuple[Any, ...], tuple[bytes, str]] = cachetools.LRUCache(
    _CACHE_BYTES, getsizeof=lambda entry: len(entry[0]) + 500
)
_cache_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Listing:
    """How one kind of list is read. ``order`` is one unique column, ``-`` first for descending; ids sort by age.

    ``summarise`` says more about all the filtered rows; it must not cost more with more of them.
    """

    kind: str
    represent: Callable[[Sequence[Any]], list[dict[str, Any]]]
    filters: type[FilterSet] | None = None
    order: str = "-id"
    summarise: Callable[[QuerySet[Any]], dict[str, Any]] | None = None


def answer(
    listing: Listing, rows: Callable[[], QuerySet[Any]], scope: tuple[Any, ...], query: QueryDict
) -> tuple[bytes, str]:
    """The list's body and ETag. ``scope`` holds all that the rows depend on beside the query: org, kind, revision.

    Raises ValidationFailed, by parameter, for an unknown filter or a bad value.
    """
    key = (*scope, tuple(sorted((name, *values) for name, values in query.lists())))
    return kept(key, lambda: _page(listing, rows(), query))


def kept(key: tuple[Any, ...], build: Callable[[], dict[str, Any]]) -> tuple[bytes, str]:
    """The JSON of ``build()`` and its ETag, made once per key."""
    with _cache_lock:
        entry = _cache.get(key)
    if entry is None:
        body = to_json(build())
        entry = (body, etag_of(body))
        with _cache_lock:
            if len(body) < _CACHE_BYTES:
                _cache[key] = entry
    return entry


def _page(listing: Listing, rows: QuerySet[Any], query: QueryDict) -> dict[str, Any]:
    limit = limit_of(query)
    filtered = _filtered(listing, rows, query)
    rows = _after_cursor(listing, filtered, query.get("cursor"))
    page: list[Model] = list(rows.order_by(listing.order)[: limit + 1])
    more, page = len(page) > limit, page[:limit]
    column = listing.order.lstrip("-")
    next_cursor = encode_cursor(_written(getattr(page[-1], column))) if more else None
    found = {"kind": listing.kind, "items": listing.represent(page), "next_cursor": next_cursor}
    return {**found, "summary": listing.summarise(filtered)} if listing.summarise else found


def limit_of(query: QueryDict) -> int:
    raw = query.get("limit", str(DEFAULT_LIMIT))
    if not (raw.isascii() and raw.isdigit() and len(raw) < 5 and 1 <= int(raw) <= MAX_LIMIT):
        raise ValidationFailed(details={"limit": [f"Must be a whole number from 1 to {MAX_LIMIT}."]})
    return int(raw)


def _filtered(listing: Listing, rows: QuerySet[Any], query: QueryDict) -> QuerySet[Any]:
    known = set(listing.filters.base_filters) if listing.filters else set()
    if unknown := [name for name in query if name not in known | _PAGE_PARAMETERS]:
        raise ValidationFailed(details={name: ["There is no such filter."] for name in unknown})
    if nul := [name for name, values in query.lists() if any("\x00" in value for value in values)]:
        raise ValidationFailed(details={name: ["Contains a NUL character."] for name in nul})
    if listing.filters is None:
        return rows
    filterset = listing.filters(query, queryset=rows)
    if not filterset.is_valid():
        raise ValidationFailed(details={name: list(found) for name, found in filterset.errors.items()})
    found: QuerySet[Any] = filterset.qs
    return found


def _after_cursor(listing: Listing, rows: QuerySet[Any], cursor: str | None) -> QuerySet[Any]:
    if cursor is None:
        return rows
    column, comparison = listing.order.lstrip("-"), "lt" if listing.order.startswith("-") else "gt"
    raw = decode_cursor(cursor)
    try:
        after = _READ[type(rows.model._meta.get_field(column))](raw)
    except ValueError as error:
        raise not_a_cursor() from error
    return rows.filter(**{f"{column}__{comparison}": after})


def encode_cursor(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> bytes:
    """Raises ValidationFailed for what is no cursor."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
    except (ValueError, binascii.Error) as error:
        raise not_a_cursor() from error
    if not raw or encode_cursor(raw) != cursor:  # the decoder skips what it does not know
        raise not_a_cursor()
    return raw


def not_a_cursor() -> ValidationFailed:
    return ValidationFailed(details={"cursor": ["This is not a cursor that we gave."]})


def _written(value: uuid.UUID | int | str) -> bytes:
    if isinstance(value, uuid.UUID):
        return value.bytes
    return value.encode() if isinstance(value, str) else b"n" + str(value).encode()


def _name(raw: bytes) -> str:
    text = raw.decode()
    if "\x00" in text:
        raise ValueError(text)
    return text


def _number(raw: bytes) -> int:
    return int(raw.removeprefix(b"n"))


# How a cursor is read, by the field that orders the list.
_READ: Final[dict[type, Callable[[bytes], Any]]] = {
    UUIDField: lambda raw: uuid.UUID(bytes=raw),
    CharField: _name,
    BigIntegerField: _number,
    PositiveIntegerField: _number,
}


def forget() -> None:
    """Drop all kept lists (tests use it: their databases begin again at the same revisions)."""
    with _cache_lock:
        _cache.clear()
