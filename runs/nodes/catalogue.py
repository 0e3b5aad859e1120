"""The local catalogue of cities, read from ``runs/fixtures/cities/*.json`` at its first use and kept.

Prices are for one traveller, integers in US cents. Times of day are minutes after midnight; weekdays are
0 (Monday) to 6.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from runs.nodes.base import NodeFailure
from runs.nodes.reading import WEEKDAYS

LODGINGS = ("budget", "standard", "comfort")
FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "cities"

_THEME_BONUS = 100
_FAME_STEP = 3


@dataclass(frozen=True, slots=True)
class Activity:
    """A place to visit. ``fame`` is its rank in the city, 0 for the first sight to see."""

    name: str
    theme: str
    price_usd_cents: int
    minutes: int
    opens: int
    closes: int
    closed_on: frozenset[int]
    indoor: bool
    fame: int

    def admits(self, weekday: int, start: int) -> bool:
        """Whether a whole visit that starts at ``start`` fits into the opening hours of that weekday."""
        return weekday not in self.closed_on and self.opens <= start <= self.closes - self.minutes


@dataclass(frozen=True, slots=True)
class Weather:
    """The usual weather of a month, or of an average month of the year."""

    temperature_c: int
    rain_days: int


@dataclass(frozen=True, slots=True)
class City:
    """``weather`` is by month, 1 to 12, and None for the year's average; ``lodging`` is per night."""

    name: str
    country: str
    aliases: tuple[str, ...]
    lodging: Mapping[str, int]
    transport_per_day: int
    meals_per_day: int
    weather: Mapping[int | None, Weather]
    activities: tuple[Activity, ...]
    by_name: Mapping[str, Activity]


@cache
def cities() -> Mapping[str, City]:
    """Every city by its name, in the order of the names."""
    found = [_city(json.loads(path.read_text(encoding="utf-8"))) for path in FOLDER.glob("*.json")]
    return {city.name: city for city in sorted(found, key=lambda city: city.name)}


def get_city(name: str) -> City:
    """The city of that exact name. Raises ``unknown_city``."""
    try:
        return cities()[name]
    except KeyError:
        message = f"The catalogue has no city called {name}."
        raise NodeFailure("unknown_city", message, {"city": name}) from None


def get_activity(city: City, name: str) -> Activity:
    """The place of that exact name. Raises ``unknown_activity``."""
    try:
        return city.by_name[name]
    except KeyError:
        message = f"The catalogue knows no {name} in {city.name}."
        raise NodeFailure("unknown_activity", message, {"city": city.name, "activity": name}) from None


@lru_cache(maxsize=1024)
def ranked(city_name: str, themes: tuple[str, ...]) -> tuple[tuple[int, Activity], ...]:
    """The city's places with their scores, best first; equal scores in the order of the names.

    A wanted theme is worth 100 points; each step down in fame costs 3 and each 2 dollars of the price cost 1,
    so that a free sight comes before an equally famous dear one, and both before what was not asked for.
    """
    scored = [(_score(activity, themes), activity) for activity in get_city(city_name).activities]
    return tuple(sorted(scored, key=lambda pair: (-pair[0], pair[1].name)))


def _score(activity: Activity, themes: tuple[str, ...]) -> int:
    wanted = _THEME_BONUS if activity.theme in themes else 0
    return wanted + _FAME_STEP * (20 - activity.fame) - activity.price_usd_cents // 200


def _city(raw: dict[str, Any]) -> City:
    activities = tuple(_activity(item, fame) for fame, item in enumerate(raw["activities"]))
    return City(
        name=raw["name"],
        country=raw["country"],
        aliases=tuple(raw["aliases"]),
        lodging={level: raw["lodging_per_night_usd_cents"][level] for level in LODGINGS},
        transport_per_day=raw["transport_per_day_usd_cents"],
        meals_per_day=raw["meals_per_day_usd_cents"],
        weather=_weather(raw["temperature_c_by_month"], raw["rain_days_by_month"]),
        activities=activities,
        by_name={activity.name: activity for activity in activities},
    )


def _activity(raw: dict[str, Any], fame: int) -> Activity:
    return Activity(
        name=raw["name"],
        theme=raw["theme"],
        price_usd_cents=raw["price_usd_cents"],
        minutes=raw["minutes"],
        opens=_minutes(raw["opens"]),
        closes=_minutes(raw["closes"]),
        closed_on=frozenset(WEEKDAYS.index(day) for day in raw["closed_on"]),
        indoor=raw["indoor"],
        fame=fame,
    )


def _weather(temperatures: list[int], rain_days: list[int]) -> dict[int | None, Weather]:
    average = Weather(round(sum(temperatures) / 12), round(sum(rain_days) / 12))
    usual: dict[int | None, Weather] = {None: average}
    for month, weather in enumerate(map(Weather, temperatures, rain_days), start=1):
        usual[month] = weather
    return usual


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
