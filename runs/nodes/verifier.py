"""``verifier``: whether the timetable keeps every rule (``rules.py``)."""

from collections import Counter
from collections.abc import Iterable

from runs.nodes.base import NodeContext, NodeResult, NodeType
from runs.nodes.itinerary import Trip, to_trip, total_cost
from runs.nodes.money import dollars
from runs.nodes.rules import Violation, verify
from runs.nodes.settings import reader_settings
from runs.nodes.wiring import output_of
from runs.nodes.words import counted


def verify_plan(ctx: NodeContext) -> NodeResult:
    """Finds every broken rule in the plan of ``tool_exec``. A faulty plan is a finding, not a failure."""
    trip = to_trip(output_of(ctx, "tool_exec", "plan")["plan"])
    violations = verify(trip)
    return NodeResult({"ok": not violations, "violations": violations}, _summary(trip, violations))


def name_problems(violations: Iterable[Violation]) -> str:
    """The broken rules in few words: "over budget, 2 overlapping activities"."""
    counts = Counter(violation["code"].replace("_", " ") for violation in violations)
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())


def _summary(trip: Trip, violations: list[Violation]) -> str:
    if violations:
        return f"Found {counted(len(violations), 'problem')}: {name_problems(violations)}"
    total, budget = total_cost(trip), trip.budget_usd_cents
    left = "" if budget is None else f", {dollars(budget - total)} under budget"
    return f"No problems in {counted(len(trip.days), 'day')} for {dollars(total)}{left}"


NODE = NodeType(
    "verifier",
    "Checking the plan",
    verify_plan,
    reader_settings("tool_exec"),
    "Finds every rule that the timetable breaks.",
)
