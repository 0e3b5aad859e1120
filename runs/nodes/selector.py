"""``selector``: which places fill the slots, by theme, fame and price."""

from typing import Any

from runs.nodes.base import NodeContext, NodeResult, NodeType
from runs.nodes.catalogue import Activity, get_city, ranked
from runs.nodes.money import dollars
from runs.nodes.reading import WEEKDAYS
from runs.nodes.settings import reader_settings
from runs.nodes.wiring import output_of


def select_places(ctx: NodeContext) -> NodeResult:
    """Gives each slot the best place left that is open on its weekday; all come once before any comes again.

    It looks neither at the budget nor at how long a visit takes; the verifier does. When all places that are
    left are closed on the day, the best of them is taken all the same.
    """
    plan = output_of(ctx, "planner", "slot_count")
    city = get_city(plan["city"])
    ranking = [place for _, place in ranked(city.name, tuple(plan["themes"]))]
    pool = list(ranking)
    days: list[dict[str, Any]] = []
    picked: list[Activity] = []
    for day in plan["days"]:
        picked = _pick(day, pool, ranking, picked)
        days.append(_picked_day(day, picked))
    chosen = [pick for day in days for pick in day["activities"]]
    price = sum(city.by_name[pick["name"]].price_usd_cents for pick in chosen)
    matching = sum(city.by_name[pick["name"]].theme in plan["themes"] for pick in chosen)
    output = {
        "candidate_count": len(ranking),
        "selected_count": len(chosen),
        "price_usd_cents": price,
        "days": days,
    }
    themes = f", {matching} of them for {' and '.join(plan['themes'])}" if plan["themes"] else ""
    places = len({pick["name"] for pick in chosen})
    summary = f"Chose {places} of {len(ranking)} places in {city.name} for {dollars(price)}{themes}"
    return NodeResult(output, summary)


def _pick(
    day: dict[str, Any], pool: list[Activity], ranking: list[Activity], yesterday: list[Activity]
) -> list[Activity]:
    """Takes the places of a day out of the pool, which it fills again when it is empty."""
    weekday = WEEKDAYS.index(day["weekday"])
    picked: list[Activity] = []
    for _ in day["slots"]:
        if not pool:
            pool.extend(place for place in ranking if place not in picked and place not in yesterday)
        place = next((place for place in pool if weekday not in place.closed_on), pool[0])
        pool.remove(place)
        picked.append(place)
    # What opens first comes first: a bar that opens at six belongs in the later slot.
    return sorted(picked, key=lambda place: place.opens)


def _picked_day(day: dict[str, Any], picked: list[Activity]) -> dict[str, Any]:
    pairs = zip(day["slots"], picked, strict=True)
    activities = [{"slot": slot, "name": place.name} for slot, place in pairs]
    return {"day": day["day"], "weekday": day["weekday"], "activities": activities}


NODE = NodeType(
    "selector",
    "Choosing places",
    select_places,
    reader_settings("planner"),
    "Chooses the places, by theme, fame and price.",
)
