"""``synth``: the itinerary, out of the mended plan if there is one, else of the first."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from runs.nodes.base import NodeContext, NodeResult, NodeType
from runs.nodes.catalogue import Weather, get_city
from runs.nodes.money import dollars
from runs.nodes.settings import reader_settings
from runs.nodes.wiring import optional_output_of, output_of
from runs.nodes.words import counted

_WET_DAYS = 12
_HOT, _COLD = 30, 4


def build_itinerary(ctx: NodeContext) -> NodeResult:
    """Joins the plan with the weather, what repair changed, and what the intent had to note."""
    repaired = optional_output_of(ctx, "repair")
    source = repaired if repaired and "plan" in repaired else output_of(ctx, "tool_exec", "plan")
    plan = source["plan"]
    intent = optional_output_of(ctx, "intent") or {}
    weather = get_city(plan["city"]).weather[plan["month"]]
    total, budget = plan["costs"]["total_usd_cents"], plan["budget_usd_cents"]
    itinerary = {
        "city": plan["city"],
        "country": plan["country"],
        "day_count": len(plan["days"]),
        "nights": plan["nights"],
        "month": plan["month"],
        "themes": plan["themes"],
        "lodging": plan["lodging"],
        "weather": {"temperature_c": weather.temperature_c, "rain_days": weather.rain_days},
        "days": [_day(day, weather) for day in plan["days"]],
        "costs": plan["costs"],
        "total_usd_cents": total,
        "budget_usd_cents": budget,
        "left_usd_cents": None if budget is None else budget - total,
        "repaired": source is repaired,
        "changes": [change["message"] for change in source.get("changes", ())],
        "notes": list(intent.get("notes", ())),
    }
    return NodeResult({"itinerary": itinerary}, _summary(itinerary))


def _day(day: Mapping[str, Any], weather: Weather) -> dict[str, Any]:
    activities = [{**visit, "weather": weather_note(visit["indoor"], weather)} for visit in day["activities"]]
    return {**day, "activities": activities}


@lru_cache(maxsize=2048)
def weather_note(indoor: bool, weather: Weather) -> str:
    """A few words on what the usual weather means for a visit."""
    if indoor:
        return "Indoors, good in any weather"
    if weather.temperature_c >= _HOT:
        advice = "outdoors in the heat, take water and a hat"
    elif weather.temperature_c <= _COLD:
        advice = "outdoors in the cold, dress warmly"
    else:
        advice = "pleasant outdoors" if weather.rain_days < _WET_DAYS else "outdoors"
    umbrella = ", take an umbrella" if weather.rain_days >= _WET_DAYS else ""
    return f"About {weather.temperature_c} °C, {advice}{umbrella}"


def _summary(itinerary: dict[str, Any]) -> str:
    visits = sum(len(day["activities"]) for day in itinerary["days"])
    size = f"{counted(itinerary['day_count'], 'day')} and {counted(visits, 'visit')}"
    return f"Itinerary of {size} in {itinerary['city']} for {dollars(itinerary['total_usd_cents'])}"


NODE = NodeType(
    "synth",
    "Putting the itinerary together",
    build_itinerary,
    reader_settings("repair", "tool_exec", "intent"),
    "Puts the itinerary together, out of the mended plan if there is one.",
)
