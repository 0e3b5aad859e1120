"""Telling a story again, with other ids and at another time: how ``manage.py seed --load`` comes to its rows.

The story is made once, by the services, with its rows and its events; so the copies are what those would have written.
"""

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import AutoField, Model, QuerySet

from orchestrator.core import bulk
from orchestrator.core.ids import uuid7_at
from orchestrator.core.sql import adapt
from orchestrator.events.models import Event

Rows = dict[type[Model], list[tuple[Any, ...]]]
_Maker = Callable[["_Copy"], Any]
_SEQ: Final = "seq"


class Told:
    """An event of a copy, without its place in the log yet."""

    __slots__ = ("moment", "values")

    def __init__(self, moment: datetime, values: list[Any]) -> None:
        self.moment, self.values = moment, values


class _Copy:
    """One telling: its new ids, and when it begins and how fast it goes."""

    __slots__ = ("at", "changes", "factor", "ids")

    def __init__(self, at: datetime, factor: float, ids: list[uuid.UUID], changes: Mapping[Any, Any]) -> None:
        self.at, self.factor, self.ids, self.changes = at, factor, ids, changes


class Pattern:
    """Rows that belong together, and the events of the org's log that tell of them.

    ``rows`` come in the order of their references. ``changing`` are values that differ from copy to copy: ids of rows
    that are not part of the story, and texts.
    """

    def __init__(
        self, events: Iterable[Event], rows: Iterable[QuerySet[Any]] = (), changing: Iterable[Any] = ()
    ) -> None:
        self._events = list(events)
        found = [(each.model, list(each.order_by("pk"))) for each in rows]
        ids = [row.pk for _, each in found for row in each if isinstance(row.pk, uuid.UUID)]
        found.append((Event, self._events))
        self.begin = min(value for model, each in found for row in each for value in _moments(model, row))
        self.seconds = max((self._events[-1].created_at - self.begin).total_seconds(), 0.001)
        self._ids = {id_: place for place, id_ in enumerate([*ids, *(event.pk for event in self._events)])}
        self._made = [self._moment_of(model, row) for model, each in found for row in each if row.pk in self._ids]
        self._words = {str(id_): place for id_, place in self._ids.items()}
        self._changing = {adapt(value) for value in changing}
        self._makers = [(model, [self._makers_of(model, row) for row in each]) for model, each in found]

    @property
    def events(self) -> int:
        """How many the org's log has of each copy."""
        return len(self._events)

    def copy(
        self, rows: Rows, at: datetime, seconds: float, chance: random.Random, changes: Mapping[Any, Any] | None = None
    ) -> list[Told]:
        """Add a copy that begins ``at`` and takes so many ``seconds`` to ``rows``; its events. ``changes`` are the
        other values of what is changing.
        """
        factor = seconds / self.seconds
        ids = [uuid7_at(at + made * factor, chance.getrandbits(62)) for made in self._made]
        swapped = {adapt(old): adapt(new) for old, new in (changes or {}).items()}
        telling = _Copy(at, factor, ids, swapped)
        for model, each in self._makers[:-1]:
            rows[model].extend(tuple(make(telling) for make in makers) for makers in each)
        _, events = self._makers[-1]
        return [
            Told(at + (event.created_at - self.begin) * factor, [make(telling) for make in makers])
            for event, makers in zip(self._events, events, strict=True)
        ]

    def _moment_of(self, model: type[Model], row: Any) -> timedelta:
        first = next(iter(_moments(model, row)), self.begin)
        return first - self.begin

    def _makers_of(self, model: type[Model], row: Any) -> list[_Maker]:
        return [self._maker(getattr(row, field.attname)) for field in _fields(model)]

    def _maker(self, value: Any) -> _Maker:
        if isinstance(value, uuid.UUID) and value in self._ids:
            place = self._ids[value]
            return lambda telling: telling.ids[place].hex
        if isinstance(value, datetime):
            after = value - self.begin
            return lambda telling: _stored(telling.at + after * telling.factor)
        kept = adapt(value)
        if isinstance(kept, str) and kept in self._changing:
            return lambda telling: telling.changes.get(kept, kept)
        if isinstance(kept, str) and (named := self._named(kept)):
            return lambda telling: _spelt(kept, named, telling)
        return lambda _: kept

    def _named(self, text: str) -> list[tuple[str, int | str]]:
        """The ids and changing texts that the text speaks of."""
        found: list[tuple[str, int | str]] = [(word, place) for word, place in self._words.items() if word in text]
        return found + [(word, word) for word in self._changing if word in text]


def events_of(org_id: uuid.UUID, rows: Iterable[Any]) -> list[Event]:
    """Those whose target is one of the rows."""
    targets = {str(row.pk) for row in rows}
    told = Event.objects.for_org(org_id).order_by("seq")
    return [event for event in told if event.target.partition(":")[2] in targets]


def write(rows: Rows) -> None:
    """All of them, in the order of their models, which is that of their references."""
    for model, each in rows.items():
        bulk.write(model._meta.db_table, [field.column for field in _fields(model)], each)
    rows.clear()


def write_events(told: list[Told], head: int) -> int:
    """The events in the order of their times behind the place ``head``; the new head."""
    told.sort(key=lambda event: event.moment)
    columns = [field.column for field in _fields(Event)]
    place = columns.index(_SEQ)
    for seq, event in enumerate(told, head + 1):
        event.values[place] = seq
    bulk.write(Event._meta.db_table, columns, [event.values for event in told])
    return head + len(told)


def empty() -> Rows:
    return defaultdict(list)


def _spelt(text: str, named: Sequence[tuple[str, int | str]], telling: _Copy) -> str:
    for word, which in named:
        new = str(telling.ids[which]) if isinstance(which, int) else telling.changes.get(which)
        if new is not None:
            text = text.replace(word, str(new))
    return text


def _fields(model: type[Model]) -> list[Any]:
    """But for numbers that the database itself gives."""
    return [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]


def _moments(model: type[Model], row: Any) -> Iterable[datetime]:
    values = (getattr(row, field.attname) for field in _fields(model))
    return (value for value in values if isinstance(value, datetime))


def _stored(moment: datetime) -> Any:
    return adapt(moment) if settings.ON_SQLITE else moment
