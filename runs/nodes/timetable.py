"""Fits visits into a day, and mends days whose timetable breaks a rule."""

from collections.abc import Callable, Sequence
from itertools import permutations

from runs.nodes.catalogue import Activity, ranked
from runs.nodes.itinerary import SLOT_STARTS, Stop, Trip, TripDay, budget_left
from runs.nodes.rules import FULL_DAY_MINUTES, verify_day

# The usual slots first; then one visit after the other; then with an earlier start.
_EARLIEST_STARTS = (tuple(SLOT_STARTS.values()), (600,) * 3, (540,) * 3)
_WAY_MINUTES = 30

# Called with the code and the sentence of a change, and its day, or None when it is one of the whole trip.
Note = Callable[[str, str, int | None], None]


def arrange(places: Sequence[Activity], weekday: int) -> list[Stop] | None:
    """A timetable for these places that keeps every rule of a day, with half an hour between two, or None.

    It keeps the usual slots and the given order where it can, else tries other orders and an earlier start.
    """
    if sum(place.minutes for place in places) > FULL_DAY_MINUTES:
        return None
    for earliest in _EARLIEST_STARTS:
        for order in permutations(places):
            if stops := _in_order(order, weekday, earliest):
                return stops
    return [] if not places else None


def unused(trip: Trip) -> list[Activity]:
    """The places that are not in the trip, best first."""
    return _ranked_without(trip, trip.days)


def spares(trip: Trip, index: int) -> list[Activity]:
    """The places that may come into the day ``index``, best first: the unused, else return visits."""
    return unused(trip) or _returning(trip, index)


def fill_days(trip: Trip, note: Note) -> None:
    """Adds the best unused places to days with fewer visits than the pace, where time and budget allow.

    A draft that was too long had its places spread thin; cut shorter, its days have room again.
    """
    for index, day in enumerate(trip.days):
        while len(day.stops) < trip.pace and (added := _add_one(trip, index)):
            note("place_added", f"{added.name} fits on day {index + 1} now.", index + 1)


def mend_days(trip: Trip, note: Note) -> None:
    """Mends each day that breaks a rule: other times, else an unused place, else a swap of two days' places.

    Where none of this helps, a place returns, or the day has one visit less.
    """
    for index, day in enumerate(trip.days):
        if verify_day(index + 1, day):
            _mend_day(trip, index, note)


def _returning(trip: Trip, index: int) -> list[Activity]:
    """The places that may come again: not to the same day, nor to the day before or after."""
    return _ranked_without(trip, trip.days[max(0, index - 1) : index + 2])


def _ranked_without(trip: Trip, days: list[TripDay]) -> list[Activity]:
    taken = {stop.place.name for day in days for stop in day.stops}
    return [place for _, place in ranked(trip.city.name, trip.themes) if place.name not in taken]


def _add_one(trip: Trip, index: int) -> Activity | None:
    day, left = trip.days[index], budget_left(trip)
    affordable = (place for place in unused(trip) if left is None or place.price_usd_cents <= left)
    for spare in affordable:
        if stops := arrange([*(stop.place for stop in day.stops), spare], day.weekday):
            day.stops = stops
            return spare
    return None


def _mend_day(trip: Trip, index: int, note: Note) -> None:
    day, number = trip.days[index], index + 1
    while True:
        if stops := arrange([stop.place for stop in day.stops], day.weekday):
            if stops != day.stops:
                day.stops = stops
                note("times_shifted", f"Day {number} has a new timetable.", number)
            return
        if (
            _replace_one(trip, index, unused(trip), note)
            or _exchange_one(trip, index, note)
            or _replace_one(trip, index, _returning(trip, index), note)
        ):
            return
        worst = _worst_first(day)[0]
        note("place_dropped", f"{worst.place.name} left out on day {number}, where no time fits.", number)
        day.stops.remove(worst)
        if not day.stops:
            return


def _replace_one(trip: Trip, index: int, candidates: list[Activity], note: Note) -> bool:
    day = trip.days[index]
    for stop in _worst_first(day):
        for spare in candidates:
            if stops := arrange(_with(day, stop, spare), day.weekday):
                day.stops = stops
                swap = f"{spare.name} instead of {stop.place.name}"
                note("place_replaced", f"{swap} on day {index + 1}.", index + 1)
                return True
    return False


def _exchange_one(trip: Trip, index: int, note: Note) -> bool:
    day = trip.days[index]
    others = [(stop, at) for at, other in enumerate(trip.days) if at != index for stop in other.stops]
    for stop in _worst_first(day):
        for theirs, other in others:
            if _exchange(trip, (index, stop), (other, theirs)):
                moves = f"{stop.place.name} to day {other + 1}, {theirs.place.name} to day {index + 1}"
                note("places_exchanged", f"Moved {moves}.", index + 1)
                return True
    return False


def _exchange(trip: Trip, one: tuple[int, Stop], two: tuple[int, Stop]) -> bool:
    """Swaps two stops of two days when both days then keep the rules and no place returns too soon."""
    (first, stop), (second, other) = one, two
    before = trip.days[first].stops, trip.days[second].stops
    here = arrange(_with(trip.days[first], stop, other.place), trip.days[first].weekday)
    there = arrange(_with(trip.days[second], other, stop.place), trip.days[second].weekday)
    if not here or not there:
        return False
    trip.days[first].stops, trip.days[second].stops = here, there
    if _returns_too_soon(trip, first) or _returns_too_soon(trip, second):
        trip.days[first].stops, trip.days[second].stops = before
        return False
    return True


def _returns_too_soon(trip: Trip, index: int) -> bool:
    names = [stop.place.name for day in trip.days[max(0, index - 1) : index + 2] for stop in day.stops]
    return len(set(names)) < len(names)


def _in_order(order: Sequence[Activity], weekday: int, earliest: Sequence[int]) -> list[Stop]:
    stops: list[Stop] = []
    free_from = 0
    for place, wished in zip(order, earliest, strict=False):
        stop = Stop(place, max(free_from, wished, place.opens))
        if not place.admits(weekday, stop.start):
            return []
        stops.append(stop)
        free_from = stop.end + _WAY_MINUTES
    return stops


def _worst_first(day: TripDay) -> list[Stop]:
    """Those that do not even fit on the day alone, then the longest."""

    def merit(stop: Stop) -> tuple[bool, int]:
        return arrange([stop.place], day.weekday) is not None, -stop.place.minutes

    return sorted(day.stops, key=merit)


def _with(day: TripDay, old: Stop, new: Activity) -> list[Activity]:
    return [new if stop is old else stop.place for stop in day.stops]
