"""``repair``: mends what the verifier found, verifies again, and says what it changed."""

from typing import Any

from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType
from runs.nodes.itinerary import Trip, basic_cost, to_plan, to_trip, total_cost
from runs.nodes.money import dollars
from runs.nodes.rules import Violation, verify
from runs.nodes.savings import mend_budget, shorten
from runs.nodes.settings import reader_settings
from runs.nodes.timetable import fill_days, mend_days
from runs.nodes.verifier import name_problems
from runs.nodes.wiring import output_of
from runs.nodes.words import counted


def repair_plan(ctx: NodeContext) -> NodeResult:
    """Trims the days, mends the timetable, then saves money; gives the plan, the changes and the new verdict.

    Raises ``unmendable_plan``, with the violations that are left, when the budget does not pay for one day.
    """
    trip = to_trip(output_of(ctx, "tool_exec", "plan")["plan"])
    found = verify(trip)
    changes: list[dict[str, Any]] = []

    def note(code: str, message: str, day: int | None) -> None:
        changes.append({"code": code, "message": message} | ({"day": day} if day is not None else {}))

    drafted = len(trip.days)
    shorten(trip, trip.max_days, f"as at most {trip.max_days} are allowed", note)
    mend_days(trip, note)
    mend_budget(trip, note)
    if len(trip.days) < drafted:
        fill_days(trip, note)
    left = verify(trip)
    if left:
        raise _unmendable(trip, left)
    output = {"plan": to_plan(trip), "changes": changes, "verdict": {"ok": True, "violations": left}}
    return NodeResult(output, _summary(trip, found, changes))


def _unmendable(trip: Trip, left: list[Violation]) -> NodeFailure:
    message = f"This plan cannot be mended ({name_problems(left)}): {left[0]['message']}"
    if trip.budget_usd_cents is not None and left[0]["code"] == "over_budget":
        lowest, budget = dollars(basic_cost(trip.city, 1, trip.lodging)), dollars(trip.budget_usd_cents)
        message = (
            f"This plan cannot be mended ({name_problems(left)}): even one day in {trip.city.name} with only "
            f"free sights costs {lowest}, and the budget is {budget}."
        )
    return NodeFailure("unmendable_plan", message, {"violations": left})


def _summary(trip: Trip, found: list[Violation], changes: list[dict[str, Any]]) -> str:
    work = f"{counted(len(found), 'problem')} with {counted(len(changes), 'change')}"
    days = counted(len(trip.days), "day")
    return f"Mended {work}: {days} for {dollars(total_cost(trip))}, all rules kept"


NODE = NodeType(
    "repair",
    "Mending the plan",
    repair_plan,
    reader_settings("tool_exec"),
    "Mends what the verifier found, and verifies again.",
)
