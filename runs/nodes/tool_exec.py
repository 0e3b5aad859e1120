"""``tool_exec``: makes a timetable of the chosen places and asks for opening hours, weather and costs."""

from typing import Any

from runs.nodes.base import NodeContext, NodeResult, NodeType
from runs.nodes.catalogue import City, get_activity, get_city
from runs.nodes.itinerary import MIDNIGHT, SLOT_STARTS, Stop, Trip, TripDay, costs, to_plan
from runs.nodes.money import dollars
from runs.nodes.reading import MONTHS, WEEKDAYS
from runs.nodes.settings import reader_settings
from runs.nodes.wiring import output_of
from runs.nodes.words import counted


def run_tools(ctx: NodeContext) -> NodeResult:
    """Times each visit at its slot (10:00, 14:00, 19:00), or when the doors open later, and adds up costs.

    It takes each visit by itself: one may run into the next, or past closing time, which the verifier finds.
    No visit runs past midnight.
    """
    skeleton = output_of(ctx, "planner", "slot_count")
    selected = output_of(ctx, "selector", "selected_count")
    city = get_city(skeleton["city"])
    trip = Trip(
        city=city,
        month=skeleton["month"],
        themes=tuple(skeleton["themes"]),
        lodging=skeleton["lodging"],
        pace=skeleton["pace"],
        max_days=skeleton["max_days"],
        budget_usd_cents=skeleton["budget_usd_cents"],
        days=[_day(city, day) for day in selected["days"]],
    )
    calls = [_opening_hours(trip), _weather(trip), {"tool": "costs", "result": costs(trip)}]
    return NodeResult({"plan": to_plan(trip), "calls": calls}, _summary(trip, calls))


def _day(city: City, day: dict[str, Any]) -> TripDay:
    stops = []
    for pick in day["activities"]:
        place = get_activity(city, pick["name"])
        start = min(max(SLOT_STARTS[pick["slot"]], place.opens), MIDNIGHT - place.minutes)
        stops.append(Stop(place, start))
    return TripDay(WEEKDAYS.index(day["weekday"]), stops)


def _opening_hours(trip: Trip) -> dict[str, Any]:
    visits = [(day.weekday, stop) for day in trip.days for stop in day.stops]
    fitting = sum(stop.place.admits(weekday, stop.start) for weekday, stop in visits)
    return {"tool": "opening_hours", "result": {"visits": len(visits), "within_hours": fitting}}


def _weather(trip: Trip) -> dict[str, Any]:
    usual = trip.city.weather[trip.month]
    return {
        "tool": "weather",
        "result": {"month": trip.month, "temperature_c": usual.temperature_c, "rain_days": usual.rain_days},
    }


def _summary(trip: Trip, calls: list[dict[str, Any]]) -> str:
    hours, weather, cost = (call["result"] for call in calls)
    when = MONTHS[trip.month - 1].capitalize() if trip.month else "an average month"
    usual = f"about {weather['temperature_c']} °C and {weather['rain_days']} days of rain"
    timed = f"{counted(hours['visits'], 'visit')} timed, {dollars(cost['total_usd_cents'])} in all"
    return f"{timed}; {when} in {trip.city.name} has {usual}"


NODE = NodeType(
    "tool_exec",
    "Looking up hours, weather and prices",
    run_tools,
    reader_settings("planner", "selector"),
    "Makes a timetable of the places; looks up opening hours, weather and costs.",
)
