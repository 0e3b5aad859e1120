"""``planner``: the skeleton of the trip: its days, and how many places each has room for."""

from typing import Any

from runs.nodes.base import NodeContext, NodeResult, NodeType
from runs.nodes.catalogue import LODGINGS, get_city
from runs.nodes.itinerary import SLOT_STARTS
from runs.nodes.reading import WEEKDAYS
from runs.nodes.settings import reader_settings
from runs.nodes.wiring import one_of, output_of, whole_number
from runs.nodes.words import counted

DEFAULT_PACE = 2


def plan_days(ctx: NodeContext) -> NodeResult:
    """Lays out the days that the intent asks for, with two slots each (``with.activities_per_day``, 1 to 3).

    A city has some 15 places. A long stay is therefore slower: when there are more slots than places, days
    have fewer of them, but at least one, and only then do places come again. ``with.lodging`` overrules the
    level in the intent.
    """
    intent = output_of(ctx, "intent", "city")
    pace = whole_number(ctx.config, "activities_per_day", 1, len(SLOT_STARTS)) or DEFAULT_PACE
    lodging = one_of(ctx.config, "lodging", LODGINGS) or intent["lodging"]
    days = _days(intent, pace)
    slots = sum(len(day["slots"]) for day in days)
    output = {
        "city": intent["city"],
        "month": intent["month"],
        "themes": intent["themes"],
        "lodging": lodging,
        "pace": pace,
        "max_days": intent["max_days"],
        "budget_usd_cents": intent["budget_usd_cents"],
        "slot_count": slots,
        "days": days,
    }
    size = f"{counted(len(days), 'day')} in {intent['city']} with {counted(slots, 'slot')} to fill"
    return NodeResult(output, f"{size}, {lodging} lodging")


def _days(intent: Any, pace: int) -> list[dict[str, Any]]:
    count = intent["days"]
    places = len(get_city(intent["city"]).activities)
    total = min(pace * count, max(places, count))
    first = WEEKDAYS.index(intent["start_weekday"])
    names = list(SLOT_STARTS)
    days = []
    for index in range(count):
        # The difference of two running totals, each rounded up, spreads the slots evenly.
        share = (total * (index + 1) - 1) // count - (total * index - 1) // count
        days.append({"day": index + 1, "weekday": WEEKDAYS[(first + index) % 7], "slots": names[:share]})
    return days


NODE = NodeType(
    "planner",
    "Laying out the days",
    plan_days,
    reader_settings(
        "intent",
        activities_per_day={
            "description": f"Places a day, 1 to {len(SLOT_STARTS)}; {DEFAULT_PACE} when left out.",
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": len(SLOT_STARTS),
        },
        lodging={
            "description": f"One of {', '.join(LODGINGS)}; what the request says when left out.",
            "enum": [*LODGINGS, None],
        },
    ),
    "Lays out the days of the trip, and how many places each has room for.",
)
