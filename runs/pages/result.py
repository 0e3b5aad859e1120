"""What a run came to, in a shape that a template can show without surprises."""

from typing import Any, Final

from orchestrator.web.people import Names
from runs import definitions
from runs.models import Run

_PARTS: Final = ("city", "country", "lodging", "nights", "weather", "costs", "total_usd_cents", "changes", "notes")
_COSTS: Final = (
    ("lodging_usd_cents", "Lodging"),
    ("meals_usd_cents", "Meals"),
    ("transport_usd_cents", "Transport in the city"),
    ("activities_usd_cents", "Places"),
)


def itinerary_of(run: Run) -> dict[str, Any] | None:
    """The itinerary that the built-in graph answers; None for any other output, which is shown as JSON.

    A patched run may put anything in its output, so its shape is looked at and not assumed.
    """
    found = run.output.get("itinerary") if isinstance(run.output, dict) else None
    if run.workflow != definitions.BUILT_IN or not isinstance(found, dict):
        return None
    days, costs = found.get("days"), found.get("costs")
    if not isinstance(days, list) or not isinstance(costs, dict) or any(part not in found for part in _PARTS):
        return None
    if not all(isinstance(day, dict) and isinstance(day.get("activities"), list) for day in days):
        return None
    rows = [(label, costs.get(name)) for name, label in _COSTS]
    return {**found, "cost_rows": rows, "visits": sum(len(day["activities"]) for day in days)}


def error_of(run: Run, names: Names) -> dict[str, Any] | None:
    """Why the run failed: ``message``, ``node``, ``code``, and where they help ``violations`` and ``known_cities``."""
    if not isinstance(run.error, dict):
        return None
    details = run.error.get("details")
    help_ = details if isinstance(details, dict) else {}
    lists = {name: help_[name] for name in ("violations", "known_cities") if isinstance(help_.get(name), list)}
    return {**run.error, "message": names.spell(str(run.error.get("message") or "")), **lists}
