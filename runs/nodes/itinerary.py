"""A trip as the nodes work on it (``Trip``), as they hand it on (``Plan``, plain JSON), and what it costs.

Money is US cents for one traveller; times of day are minutes after midnight in a ``Trip`` and "HH:MM" in a
``Plan``. A trip of n days has n - 1 nights. No dates are known, so a day has only a weekday.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

from runs.nodes.catalogue import Activity, City, get_activity, get_city
from runs.nodes.reading import WEEKDAYS

SLOT_STARTS = {"morning": 10 * 60, "afternoon": 14 * 60, "evening": 19 * 60}
MIDNIGHT = 24 * 60
_CLOCK = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(MIDNIGHT + 1))
_MINUTES = {text: minute for minute, text in enumerate(_CLOCK)}


class Stop(NamedTuple):
    """A visit of a place that starts at ``start``."""

    place: Activity
    start: int

    @property
    def end(self) -> int:
        return self.start + self.place.minutes


@dataclass(slots=True)
class TripDay:
    """One day and its stops in the order in which they start."""

    weekday: int
    stops: list[Stop]


@dataclass(slots=True)
class Trip:
    """A trip and its limits. ``pace`` is how many visits a day is to have; a budget of None is no limit."""

    city: City
    month: int | None
    themes: tuple[str, ...]
    lodging: str
    pace: int
    max_days: int
    budget_usd_cents: int | None
    days: list[TripDay]


class Costs(TypedDict):
    lodging_usd_cents: int
    transport_usd_cents: int
    meals_usd_cents: int
    activities_usd_cents: int
    total_usd_cents: int


class Visit(TypedDict):
    name: str
    theme: str
    start: str
    end: str
    price_usd_cents: int
    indoor: bool
    return_visit: bool


class PlannedDay(TypedDict):
    day: int
    weekday: str
    activities: list[Visit]
    cost_usd_cents: int


class Plan(TypedDict):
    """A ``Trip`` in plain JSON. A day's cost holds meals, transport, places and the night that follows."""

    city: str
    country: str
    month: int | None
    themes: list[str]
    lodging: str
    nights: int
    pace: int
    max_days: int
    budget_usd_cents: int | None
    days: list[PlannedDay]
    costs: Costs


def clock(minutes: int) -> str:
    """``615`` as ``10:15``; midnight at the end of the day is ``24:00``."""
    return _CLOCK[minutes]


def basic_cost(city: City, days: int, lodging: str) -> int:
    """What lodging, transport and meals of so many days cost together, whatever is visited."""
    return (days - 1) * city.lodging[lodging] + days * (city.transport_per_day + city.meals_per_day)


def total_cost(trip: Trip) -> int:
    """What the whole trip costs."""
    places = sum(stop.place.price_usd_cents for day in trip.days for stop in day.stops)
    return basic_cost(trip.city, len(trip.days), trip.lodging) + places


def budget_left(trip: Trip) -> int | None:
    """What the budget leaves, below zero when the trip is over it; None when there is no budget."""
    return None if trip.budget_usd_cents is None else trip.budget_usd_cents - total_cost(trip)


def costs(trip: Trip) -> Costs:
    """The cost of the trip by kind."""
    days, city = len(trip.days), trip.city
    total, basic = total_cost(trip), basic_cost(city, len(trip.days), trip.lodging)
    return {
        "lodging_usd_cents": (days - 1) * city.lodging[trip.lodging],
        "transport_usd_cents": days * city.transport_per_day,
        "meals_usd_cents": days * city.meals_per_day,
        "activities_usd_cents": total - basic,
        "total_usd_cents": total,
    }


def to_plan(trip: Trip) -> Plan:
    """The trip as plain JSON. A place that an earlier day has already is marked as a return visit."""
    seen: set[str] = set()
    return {
        "city": trip.city.name,
        "country": trip.city.country,
        "month": trip.month,
        "themes": list(trip.themes),
        "lodging": trip.lodging,
        "nights": len(trip.days) - 1,
        "pace": trip.pace,
        "max_days": trip.max_days,
        "budget_usd_cents": trip.budget_usd_cents,
        "days": [_planned_day(trip, number, day, seen) for number, day in enumerate(trip.days, start=1)],
        "costs": costs(trip),
    }


def to_trip(plan: Mapping[str, Any]) -> Trip:
    """The trip that a plan describes. Raises ``unknown_city`` or ``unknown_activity``."""
    city = get_city(plan["city"])
    return Trip(
        city=city,
        month=plan["month"],
        themes=tuple(plan["themes"]),
        lodging=plan["lodging"],
        pace=plan["pace"],
        max_days=plan["max_days"],
        budget_usd_cents=plan["budget_usd_cents"],
        days=[_trip_day(city, day) for day in plan["days"]],
    )


def _trip_day(city: City, day: PlannedDay) -> TripDay:
    stops = [Stop(get_activity(city, visit["name"]), _MINUTES[visit["start"]]) for visit in day["activities"]]
    return TripDay(WEEKDAYS.index(day["weekday"]), stops)


def _planned_day(trip: Trip, number: int, day: TripDay, seen: set[str]) -> PlannedDay:
    city = trip.city
    night = city.lodging[trip.lodging] if number < len(trip.days) else 0
    places = sum(stop.place.price_usd_cents for stop in day.stops)
    return {
        "day": number,
        "weekday": WEEKDAYS[day.weekday],
        "activities": [_visit(stop, seen) for stop in day.stops],
        "cost_usd_cents": night + city.transport_per_day + city.meals_per_day + places,
    }


def _visit(stop: Stop, seen: set[str]) -> Visit:
    place = stop.place
    before = place.name in seen
    seen.add(place.name)
    return {
        "name": place.name,
        "theme": place.theme,
        "start": clock(stop.start),
        "end": clock(stop.end),
        "price_usd_cents": place.price_usd_cents,
        "indoor": place.indoor,
        "return_visit": before,
    }
