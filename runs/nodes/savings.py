"""Makes a trip cheaper until it keeps its budget, giving up as little as it can."""

from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from runs.nodes.catalogue import LODGINGS
from runs.nodes.itinerary import Stop, Trip, basic_cost, budget_left, total_cost
from runs.nodes.money import dollars
from runs.nodes.timetable import Note, arrange, spares


class Saving(NamedTuple):
    """A change that saves ``cents``: ``stops`` become those of the day ``day_index``."""

    cents: int
    day_index: int
    stops: list[Stop]
    code: str
    message: str


def mend_budget(trip: Trip, note: Note) -> None:
    """Saves until the trip keeps its budget: cheaper lodging, cheaper places, fewer visits, fewer days.

    A trip for which even one day of meals and transport is too dear stays over budget.
    """
    if _over(trip) > 0:
        _lower_lodging(trip, note)
        _shorten_to_basics(trip, note)
    while _over(trip) > 0:
        if saving := _best(list(_swaps(trip)), list(_drops(trip)), _over(trip)):
            trip.days[saving.day_index].stops = saving.stops
            note(saving.code, saving.message, saving.day_index + 1)
        elif not shorten(trip, len(trip.days) - 1, "to keep the budget", note):
            return


def shorten(trip: Trip, days: int, why: str, note: Note) -> bool:
    """Cuts the trip to its first ``days`` days and says so. False when that would leave none, or cut none."""
    if not 1 <= days < len(trip.days):
        return False
    note("days_trimmed", f"{len(trip.days)} days cut to {days} {why}.", None)
    del trip.days[days:]
    return True


def _over(trip: Trip) -> int:
    return -(budget_left(trip) or 0)


def _lower_lodging(trip: Trip, note: Note) -> None:
    before, cost = trip.lodging, total_cost(trip)
    for level in reversed(LODGINGS[: LODGINGS.index(before)]):
        if len(trip.days) > 1 and _over(trip) > 0:
            trip.lodging = level
    if trip.lodging != before:
        change = f"{trip.lodging.capitalize()} instead of {before} lodging"
        note("cheaper_lodging", f"{change} saves {dollars(cost - total_cost(trip))}.", None)


def _shorten_to_basics(trip: Trip, note: Note) -> None:
    """Cuts days too many for the budget even with free visits, so that no visit is given up for nothing."""
    budget, days = trip.budget_usd_cents or 0, len(trip.days)
    while days > 1 and basic_cost(trip.city, days, trip.lodging) > budget:
        days -= 1
    shorten(trip, days, "to keep the budget", note)


def _best(swaps: list[Saving], drops: list[Saving], needed: int) -> Saving | None:
    """The smallest swap that saves enough, else the smallest drop that does, else whatever saves most."""
    for savings in (swaps, drops):
        if enough := [saving for saving in savings if saving.cents >= needed]:
            return min(enough, key=attrgetter("cents"))
    return max(swaps + drops, key=attrgetter("cents"), default=None)


def _swaps(trip: Trip) -> Iterator[Saving]:
    for index, day in enumerate(trip.days):
        candidates = spares(trip, index)
        for stop in day.stops:
            for spare in candidates:
                cents = stop.place.price_usd_cents - spare.price_usd_cents
                if cents <= 0:
                    continue
                places = [spare if other is stop else other.place for other in day.stops]
                if stops := arrange(places, day.weekday):
                    change = f"{spare.name} instead of {stop.place.name} on day {index + 1}"
                    yield Saving(cents, index, stops, "place_replaced", f"{change} saves {dollars(cents)}.")


def _drops(trip: Trip) -> Iterator[Saving]:
    """Leaves out a paid visit, but never the last one of a day."""
    for index, day in enumerate(trip.days):
        for stop in day.stops if len(day.stops) > 1 else ():
            if cents := stop.place.price_usd_cents:
                stops = [other for other in day.stops if other is not stop]
                message = f"{stop.place.name} left out on day {index + 1} saves {dollars(cents)}."
                yield Saving(cents, index, stops, "place_dropped", message)
