"""The rules that a trip must keep. The verifier finds what breaks them, repair mends it and asks again."""

from collections.abc import Iterator
from itertools import combinations
from typing import NotRequired, TypedDict

from runs.nodes.itinerary import Trip, TripDay, clock, total_cost
from runs.nodes.money import dollars
from runs.nodes.reading import WEEKDAYS

FULL_DAY_MINUTES = 10 * 60


class Violation(TypedDict):
    """One broken rule, ``actual`` against ``limit`` where it has figures (days, cents or minutes).

    ``code``: too_many_days, over_budget, overlapping_activities, closed_at_that_time or overfull_day.
    """

    code: str
    message: str
    day: NotRequired[int]
    activities: NotRequired[list[str]]
    actual: NotRequired[int]
    limit: NotRequired[int]


def verify(trip: Trip) -> list[Violation]:
    """Every rule that the trip breaks: the limits of the whole trip first, then day by day."""
    found = [*_too_many_days(trip), *_over_budget(trip)]
    for number, day in enumerate(trip.days, start=1):
        found += verify_day(number, day)
    return found


def verify_day(number: int, day: TripDay) -> list[Violation]:
    """The rules that one day breaks by itself: opening hours, overlaps, more than ten hours of visits."""
    return [*_closed(number, day), *_overlaps(number, day), *_overfull(number, day)]


def _too_many_days(trip: Trip) -> Iterator[Violation]:
    planned = len(trip.days)
    if planned > trip.max_days:
        message = f"The plan has {planned} days; at most {trip.max_days} are allowed."
        yield {"code": "too_many_days", "message": message, "actual": planned, "limit": trip.max_days}


def _over_budget(trip: Trip) -> Iterator[Violation]:
    total, budget = total_cost(trip), trip.budget_usd_cents
    if budget is not None and total > budget:
        over = dollars(total - budget)
        message = f"The plan costs {dollars(total)}, {over} over the budget of {dollars(budget)}."
        yield {"code": "over_budget", "message": message, "actual": total, "limit": budget}


def _closed(number: int, day: TripDay) -> Iterator[Violation]:
    for stop in day.stops:
        place = stop.place
        if place.admits(day.weekday, stop.start):
            continue
        if day.weekday in place.closed_on:
            why = f"{place.name} is closed on {WEEKDAYS[day.weekday].capitalize()}s"
        else:
            why = f"{place.name} is open from {clock(place.opens)} to {clock(place.closes)}"
        message = f"Day {number}: {why}, which rules out {clock(stop.start)} to {clock(stop.end)}."
        yield {"code": "closed_at_that_time", "message": message, "day": number, "activities": [place.name]}


def _overlaps(number: int, day: TripDay) -> Iterator[Violation]:
    for one, other in combinations(day.stops, 2):
        if one.start < other.end and other.start < one.end:
            names = [one.place.name, other.place.name]
            clash = f"{names[0]} lasts until {clock(one.end)}, but {names[1]} starts at {clock(other.start)}"
            message = f"Day {number}: {clash}."
            yield {"code": "overlapping_activities", "message": message, "day": number, "activities": names}


def _overfull(number: int, day: TripDay) -> Iterator[Violation]:
    minutes = sum(stop.place.minutes for stop in day.stops)
    if minutes > FULL_DAY_MINUTES:
        hours = f"{minutes // 60}:{minutes % 60:02d} hours"
        message = f"Day {number}: {hours} of visits are more than {FULL_DAY_MINUTES // 60}."
        names = [stop.place.name for stop in day.stops]
        yield {
            "code": "overfull_day", "message": message, "day": number, "activities": names,
            "actual": minutes, "limit": FULL_DAY_MINUTES,
        }  # fmt: skip
