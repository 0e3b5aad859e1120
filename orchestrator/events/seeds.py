"""Fills an org for trials (``manage.py seed --load N``): its log, and all that the log tells of.

Apps say what there is to be for so many events, as patterns that are copied. Each slice of the log is one transaction
with all that it tells of: whoever interrupts finds an org that is whole, but for its amount.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from orchestrator.core import clock
from orchestrator.events import services
from orchestrator.events.copies import Pattern, Rows, Told, empty, write, write_events
from orchestrator.events.models import EventHead
from orchestrator.identity import seeds
from orchestrator.identity.actors import Actor
from orchestrator.identity.loading import DAYS

SLICE: Final = 10_000  # events
_OWN_EVENTS: Final = (
    "build_finished",
    "deploy_started",
    "deploy_finished",
    "alert_raised",
    "alert_closed",
    "page_read",
)
_SERVICES: Final = ("checkout", "search", "billing", "mail", "images", "sign-in", "reports", "stock")


@dataclass(frozen=True, slots=True)
class Load:
    """An org that is being filled with so many ``events``."""

    actor: Actor
    events: int
    clock: clock.Past
    chance: random.Random = field(default_factory=lambda: random.Random(6))  # noqa: S311 - a game, no secret


@dataclass(frozen=True, slots=True)
class Time:
    """When one copy begins, how long it may take, and its number."""

    at: datetime
    seconds: float
    number: int


Tell = Callable[[Rows, Time], list[Told]]
_shares: list[tuple[int, Callable[[Load], Tell]]] = []
_endings: list[Callable[[Load], object]] = []


def register(every: int, prepare: Callable[[Load], Tell]) -> None:
    """Have one thing for ``every`` so many events. ``prepare`` makes the patterns by way of the services, and gives
    what adds one copy to the rows.
    """
    _shares.append((every, prepare))


def register_ending(end: Callable[[Load], object]) -> None:
    """Have this done by way of the services when all else is there."""
    _endings.append(end)


def fill(actor: Actor, events: int) -> Iterator[str]:
    """Fill the org up to so many events; says how far it has come."""
    began, present = time.monotonic(), clock.now()
    begin = present - timedelta(days=DAYS)
    with clock.in_the_past(begin) as past:
        load = Load(actor, events, past)
        shares = [(every, prepare(load)) for every, prepare in _shares]
        tells = [*shares, (1, _own(load))]
        head, told_to = services.head(actor.org_id), clock.now()
        step = (present - told_to) / max(events - head, 1)
        while head < events:
            count = min(SLICE, events - head)
            head = _write_slice(load, tells, told_to, step, count)
            told_to += step * count
            past.go_to(told_to)
            yield f"{head:>12,} of {events:,} events, {time.monotonic() - began:.0f} s"
    for end in _endings:
        end(load)
    _tidy()
    yield f"Filled in {time.monotonic() - began:.0f} s."


@transaction.atomic
def _write_slice(load: Load, tells: list[tuple[int, Tell]], begin: datetime, step: timedelta, count: int) -> int:
    """The next ``count`` places of the log, and what they tell of; the new head. Who writes there meanwhile waits."""
    org_id = load.actor.org_id
    services.lock_head(org_id)
    head, rows, told = services.head(org_id), empty(), list[Told]()
    for every, tell in tells:
        # The last one fills what the others have left.
        wanted = count - len(told) if every == 1 else (head + count) // every - head // every
        each = step * count / max(wanted, 1)
        for number in range(wanted):
            when = Time(begin + each * (number + 0.05), each.total_seconds() * 0.9, head // every + number)
            told += tell(rows, when)
    write(rows)
    end = write_events(told, head)
    EventHead.objects.filter(org_id=org_id).update(seq=end)
    return end


def _own(load: Load) -> Tell:
    """What callers write into the log themselves: all that is left of it."""
    patterns = [
        Pattern(
            [services.append(actor=load.actor, event=event, target=f"service:{name}", details={"ok": name != "mail"})]
        )
        for event in _OWN_EVENTS
        for name in _SERVICES
    ]

    def tell(rows: Rows, when: Time) -> list[Told]:
        return load.chance.choice(patterns).copy(rows, when.at, when.seconds, load.chance)

    return tell


def _tidy() -> None:
    """Have PostgreSQL know what it holds, as it would by itself a little later. SQLite never learns it by itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


seeds.register_fill(fill)
