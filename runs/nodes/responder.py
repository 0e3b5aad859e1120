"""``responder``: the answer of the run: the itinerary as text for people and as data for programs."""

from collections.abc import Iterator
from typing import Any

from runs.nodes.base import NodeContext, NodeResult, NodeType
from runs.nodes.money import dollars
from runs.nodes.reading import MONTHS
from runs.nodes.settings import reader_settings
from runs.nodes.wiring import output_of
from runs.nodes.words import counted


def respond(ctx: NodeContext) -> NodeResult:
    """Writes the itinerary of ``synth`` as Markdown and hands both on."""
    itinerary = output_of(ctx, "synth", "itinerary")["itinerary"]
    text = "\n".join(_lines(itinerary))
    summary = f"{_title(itinerary)}: {_money(itinerary)}"
    return NodeResult({"text": text, "itinerary": itinerary}, summary)


def _lines(itinerary: dict[str, Any]) -> Iterator[str]:
    yield f"# {_title(itinerary)}, {itinerary['country']}"
    yield ""
    yield f"{_money(itinerary)}. Prices are for one traveller, without the journey there."
    yield _weather(itinerary)
    for day in itinerary["days"]:
        yield from _day(day)
    yield from _costs(itinerary)
    yield from _bullets("Changed to keep the rules", itinerary["changes"])
    yield from _bullets("Please note", [*itinerary["notes"], _weekday_note(itinerary)])


def _title(itinerary: dict[str, Any]) -> str:
    return f"{counted(itinerary['day_count'], 'day')} in {itinerary['city']}"


def _money(itinerary: dict[str, Any]) -> str:
    total, budget = itinerary["total_usd_cents"], itinerary["budget_usd_cents"]
    if budget is None:
        return f"{dollars(total)} in all"
    return f"{dollars(total)} of a budget of {dollars(budget)}, {dollars(budget - total)} left"


def _weather(itinerary: dict[str, Any]) -> str:
    month, weather = itinerary["month"], itinerary["weather"]
    when = MONTHS[month - 1].capitalize() if month else "An average month"
    return f"{when} has about {weather['temperature_c']} °C and {weather['rain_days']} days of rain."


def _day(day: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## Day {day['day']}, {day['weekday'].capitalize()} ({dollars(day['cost_usd_cents'])})"
    yield ""
    for visit in day["activities"]:
        price = dollars(visit["price_usd_cents"]) if visit["price_usd_cents"] else "free"
        again = ", once more" if visit["return_visit"] else ""
        what = f"**{visit['name']}**{again} ({visit['theme']}, {price})"
        yield f"- {visit['start']} to {visit['end']}: {what}. {visit['weather']}."
    if not day["activities"]:
        yield "- Free day"


def _costs(itinerary: dict[str, Any]) -> Iterator[str]:
    costs, nights = itinerary["costs"], itinerary["nights"]
    lodging = f"Lodging, {counted(nights, 'night')}, {itinerary['lodging']}"
    yield from _bullets("Costs", [
        f"{lodging}: {dollars(costs['lodging_usd_cents'])}",
        f"Transport in the city: {dollars(costs['transport_usd_cents'])}",
        f"Meals: {dollars(costs['meals_usd_cents'])}",
        f"Places: {dollars(costs['activities_usd_cents'])}",
        f"Total: {dollars(costs['total_usd_cents'])}",
    ])  # fmt: skip


def _weekday_note(itinerary: dict[str, Any]) -> str:
    first = itinerary["days"][0]["weekday"].capitalize()
    return f"Opening hours are those of a trip that starts on a {first}; prices and hours are typical values."


def _bullets(title: str, items: list[str]) -> Iterator[str]:
    if items:
        yield from ("", f"## {title}", "")
        yield from (f"- {item}" for item in items)


NODE = NodeType(
    "responder",
    "Writing the answer",
    respond,
    reader_settings("synth"),
    "Writes the itinerary as text for people and as data for programs.",
)
