"""``intent``: what the request asks for, out of its free text and its fields."""

from typing import Any

from runs.nodes import words
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType
from runs.nodes.catalogue import cities
from runs.nodes.city_names import find_cities, suggest_cities, well_known_cities
from runs.nodes.money import HIGHEST_BUDGET_CENTS, dollars, find_budget, names_foreign_money
from runs.nodes.reading import MONTHS, WEEKDAYS, find_lodging, find_month, find_span, find_themes
from runs.nodes.settings import reader_settings
from runs.nodes.wiring import whole_number

MOST_DAYS = 30
DEFAULT_DAYS = 4
# A draft may break max_days, which the verifier then finds; past this it would only be long.
LONGEST_DRAFT_DAYS = 60


def read_intent(ctx: NodeContext) -> NodeResult:
    """Reads city, days, budget, month, themes, lodging and first weekday out of the run's inputs.

    ``days`` is what the text asks for, which may be more than ``max_days``; else the default, which is 4
    (``with.default_days``) cut to ``max_days``. The budget field wins over the text. Raises ``invalid_input``
    or ``unknown_city``.
    """
    prompt = ctx.inputs.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise NodeFailure("invalid_input", "prompt must be a text that names a city.", {"field": "prompt"})
    text = words.fold(prompt)
    spoken = words.split(text)
    city, others, notes = _city(prompt, spoken)
    max_days = whole_number(ctx.inputs, "max_days", 1, MOST_DAYS) or MOST_DAYS
    default = whole_number(ctx.config, "default_days", 1, MOST_DAYS) or DEFAULT_DAYS
    span = find_span(text)
    days = min(span.days or min(default, max_days), LONGEST_DRAFT_DAYS)
    if span.days and span.days > days:
        notes.append(f"{span.days} days were asked for; no draft is longer than {days} days.")
    budget, budget_from = _budget(ctx, text, min(days, max_days), notes)
    output = {
        "city": city,
        "country": cities()[city].country,
        "other_cities": others,
        "days": days,
        "days_from": "text" if span.days else "default",
        "max_days": max_days,
        "budget_usd_cents": budget,
        "budget_from": budget_from,
        "month": find_month(text),
        "themes": find_themes(spoken),
        "lodging": find_lodging(spoken) or "standard",
        "start_weekday": WEEKDAYS[span.weekday or 0],
        "notes": notes,
    }
    return NodeResult(output, _summary(output))


def _city(prompt: str, spoken: list[str]) -> tuple[str, list[str], list[str]]:
    """The city to go to, the other cities named, and a note about them."""
    mentions = find_cities(spoken)
    if not mentions:
        raise _unknown_city(prompt, spoken)
    # "From London to Rome" is a trip to Rome, but "Surprise me from London" can only mean London.
    city = next((mention for mention in mentions if not mention.origin), mentions[0]).city
    others = [name for name in dict.fromkeys(mention.city for mention in mentions) if name != city]
    if not others:
        return city, [], []
    return (
        city,
        others,
        [f"One trip visits one city: this one is to {city}, not {words.listed(others, 'or')}."],
    )


def _unknown_city(prompt: str, spoken: list[str]) -> NodeFailure:
    asked = " ".join(prompt.split())
    asked = asked if len(asked) <= 80 else f"{asked[:77]}..."
    near = suggest_cities(spoken)
    examples = near or well_known_cities()
    known = f"I know, among others, {words.listed(examples, 'and')}."
    hint = f"Did you mean {words.listed(near, 'or')}?" if near else known
    message = f'No city that I know is named in "{asked}". {hint} Try "Plan a trip to {examples[0]}".'
    return NodeFailure("unknown_city", message, {"suggestions": near, "known_cities": list(cities())})


def _budget(ctx: NodeContext, text: str, days: int, notes: list[str]) -> tuple[int | None, str | None]:
    """The budget and where it was found."""
    field = whole_number(ctx.inputs, "budget_usd_cents", 0, HIGHEST_BUDGET_CENTS)
    if field is not None:
        return field, "field"
    amount = find_budget(text)
    if amount is not None:
        return min(amount.cents * (days if amount.per == "day" else 1), HIGHEST_BUDGET_CENTS), "text"
    if names_foreign_money(text):
        notes.append("Only US dollars are understood, so the amount in another currency sets no budget.")
    return None, None


def _summary(intent: dict[str, Any]) -> str:
    days, budget = intent["days"], intent["budget_usd_cents"]
    parts = [intent["city"], words.counted(days, "day")]
    if days > intent["max_days"]:
        parts[1] += f" where at most {intent['max_days']} are allowed"
    parts.append("no budget given" if budget is None else f"budget {dollars(budget)}")
    if intent["month"]:
        parts.append(f"in {MONTHS[intent['month'] - 1].capitalize()}")
    if intent["themes"]:
        parts.append(f"for {words.listed(intent['themes'], 'and')}")
    return ", ".join(parts)


NODE = NodeType(
    "intent",
    "Reading the request",
    read_intent,
    reader_settings(
        default_days={
            "description": f"Days when the request names none, 1 to {MOST_DAYS}; {DEFAULT_DAYS} when left out.",
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": MOST_DAYS,
        }
    ),
    "Reads what a request for a trip asks for, out of its free text and its fields.",
)
