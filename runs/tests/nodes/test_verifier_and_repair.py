"""Real violations, found in what the naive nodes before make, and mended."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from runs.nodes.base import NodeFailure, NodeResult
from runs.nodes.catalogue import cities
from runs.nodes.itinerary import Trip, TripDay, basic_cost, to_plan, to_trip, total_cost
from runs.nodes.reading import WEEKDAYS
from runs.nodes.rules import verify
from runs.nodes.timetable import arrange
from runs.tests.nodes.walk import execute, plan_of, walk


def repaired(prompt: str, **fields: Any) -> dict[str, NodeResult]:
    return walk({"prompt": prompt, **fields}, upto="repair")


def found(results: dict[str, NodeResult]) -> set[str]:
    return {violation["code"] for violation in results["verifier"].output["violations"]}


def changed(results: dict[str, NodeResult]) -> set[str]:
    return {change["code"] for change in results["repair"].output["changes"]}


def by_hand(city: str, *days: tuple[str, list[tuple[str, str]]], **limits: Any) -> dict[str, Any]:
    """A plan as somebody else's node might make it: days of (weekday, [(place, start)])."""
    planned = [
        {"weekday": weekday, "activities": [{"name": name, "start": start} for name, start in visits]}
        for weekday, visits in days
    ]
    return {
        "city": city, "month": None, "themes": [], "lodging": "standard", "pace": 2,
        "max_days": 30, "budget_usd_cents": None, "days": planned,
    } | limits  # fmt: skip


def verdict(plan: dict[str, Any]) -> dict[str, Any]:
    return execute("verifier", outputs={"tool_exec": {"plan": plan}}).output


def mend(plan: dict[str, Any]) -> dict[str, Any]:
    return execute("repair", outputs={"tool_exec": {"plan": plan}}).output


def test_the_plain_request_needs_no_repair() -> None:
    results = repaired("Plan a trip to Paris", max_days=5, budget_usd_cents=250_000)
    assert results["verifier"].output == {"ok": True, "violations": []}
    assert "repair" not in results


def test_too_many_days_are_trimmed() -> None:
    results = repaired("10 days in Rome", max_days=5)
    violation = results["verifier"].output["violations"][0]
    assert violation == {
        "code": "too_many_days", "message": "The plan has 10 days; at most 5 are allowed.", "actual": 10, "limit": 5,
    }  # fmt: skip
    assert "days_trimmed" in changed(results)
    assert [len(day["activities"]) for day in plan_of(results)["days"]] == [2] * 5


def test_a_slower_pace_that_was_asked_for_stays() -> None:
    results = walk({"prompt": "10 days in Rome", "max_days": 5}, planner={"activities_per_day": 1})
    assert [len(day["activities"]) for day in plan_of(results)["days"]] == [1] * 5


def test_thirty_days_are_the_most() -> None:
    results = repaired("45 days in Rome")
    assert found(results) == {"too_many_days"}
    assert len(plan_of(results)["days"]) == 30


def test_over_budget_takes_cheaper_lodging_first() -> None:
    results = repaired("4 days in Paris", budget_usd_cents=70_000)
    assert found(results) == {"over_budget"}
    assert changed(results) == {"cheaper_lodging"}
    assert plan_of(results)["lodging"] == "budget"
    assert plan_of(results)["costs"]["total_usd_cents"] <= 70_000


def test_then_cheaper_places_and_fewer_visits() -> None:
    results = repaired("4 days in Paris", budget_usd_cents=46_000)
    assert {"cheaper_lodging", "place_replaced"} <= changed(results)
    assert len(plan_of(results)["days"]) == 4


def test_then_fewer_days() -> None:
    results = repaired("4 days in Paris", budget_usd_cents=25_000)
    assert "days_trimmed" in changed(results)
    assert len(plan_of(results)["days"]) == 2
    assert all(day["activities"] for day in plan_of(results)["days"])


def test_no_visit_is_given_up_for_days_that_go_anyway() -> None:
    """Two days leave $57 for places, which pays for what was planned on them."""
    results = repaired("4 days in Paris", budget_usd_cents=25_000)
    assert "place_replaced" not in changed(results)


def test_a_budget_below_one_day_cannot_be_mended() -> None:
    with pytest.raises(NodeFailure) as caught:
        repaired("4 days in Paris", budget_usd_cents=5_000)
    assert caught.value.code == "unmendable_plan"
    assert caught.value.message == (
        "This plan cannot be mended (over budget): even one day in Paris with only free sights costs $64.00, "
        "and the budget is $50.00."
    )
    assert [violation["code"] for violation in caught.value.details["violations"]] == ["over_budget"]


def test_a_budget_of_nothing_is_a_budget() -> None:
    with pytest.raises(NodeFailure):
        repaired("Paris", budget_usd_cents=0)


def test_long_visits_overlap_and_are_moved() -> None:
    results = repaired("4 days in Mexico City")
    violations = results["verifier"].output["violations"]
    assert [violation["code"] for violation in violations] == ["overlapping_activities"]
    assert violations[0]["activities"] == ["Teotihuacan pyramids", "Zócalo and Metropolitan Cathedral"]
    assert changed(results) == {"times_shifted"}
    visits = plan_of(results)["days"][0]["activities"]
    assert [(visit["name"], visit["start"]) for visit in visits] == [
        ("Teotihuacan pyramids", "10:00"),
        ("Zócalo and Metropolitan Cathedral", "16:30"),
    ]


def test_visits_past_closing_time_are_moved() -> None:
    results = repaired("4 days in New York")
    assert results["verifier"].output["violations"] == [
        {
            "code": "closed_at_that_time",
            "message": "Day 2: Metropolitan Museum of Art is open from 10:00 to 17:00, which rules out 14:00 to 17:30.",
            "day": 2,
            "activities": ["Metropolitan Museum of Art"],
        }
    ]
    assert changed(results) == {"times_shifted"}


def test_a_day_that_is_too_full_gets_another_place() -> None:
    results = repaired("family trip to Tokyo")
    assert "overfull_day" in found(results)
    assert "place_replaced" in changed(results)


def test_closing_days_are_kept() -> None:
    plan = by_hand("Paris", ("tuesday", [("Louvre Museum", "10:00")]))
    violation = verdict(plan)["violations"][0]
    assert violation["message"] == "Day 1: Louvre Museum is closed on Tuesdays, which rules out 10:00 to 13:00."
    assert [change["code"] for change in mend(plan)["changes"]] == ["place_replaced"]


def test_two_days_exchange_places_when_no_other_is_left() -> None:
    everything = [activity.name for activity in cities()["Paris"].activities]
    closed, opened = "Louvre Museum", "Sainte-Chapelle"
    rest = [name for name in everything if name not in (closed, opened)]
    days = [("tuesday", [(closed, "10:00")]), ("wednesday", [(opened, "10:00")])]
    fillers = [("saturday", [(name, "10:00")]) for name in rest]
    output = mend(by_hand("Paris", *days, *fillers))
    assert output["plan"]["days"][0]["activities"][0]["name"] != closed
    assert "places_exchanged" in {change["code"] for change in output["changes"]}
    assert output["verdict"] == {"ok": True, "violations": []}


def test_overlaps_are_found_whatever_the_order() -> None:
    plan = by_hand("Paris", ("monday", [("Eiffel Tower", "11:00"), ("Louvre Museum", "10:00")]))
    assert [v["code"] for v in verdict(plan)["violations"]] == ["overlapping_activities"]


def test_visits_back_to_back_do_not_overlap() -> None:
    plan = by_hand("Paris", ("monday", [("Louvre Museum", "10:00"), ("Eiffel Tower", "13:00")]))
    assert verdict(plan)["ok"]


def test_the_verifier_counts_for_itself() -> None:
    """A plan that understates its own costs is found out."""
    plan = by_hand("Paris", ("monday", [("Eiffel Tower", "10:00")]), budget_usd_cents=9_000)
    plan["costs"] = {"total_usd_cents": 0}
    assert [v["code"] for v in verdict(plan)["violations"]] == ["over_budget"]


def test_a_plan_without_faults_is_left_alone() -> None:
    results = walk({"prompt": "Paris"})
    output = execute("repair", outputs={"tool_exec": results["tool_exec"].output}).output
    assert output["changes"] == []
    assert output["plan"] == results["tool_exec"].output["plan"]


def test_places_that_the_catalogue_lacks() -> None:
    with pytest.raises(NodeFailure) as caught:
        verdict(by_hand("Paris", ("monday", [("Big Ben", "10:00")])))
    assert caught.value.code == "unknown_activity"


def test_repair_changes_nothing_that_it_was_given() -> None:
    results = repaired("10 days of history in Rome", max_days=5, budget_usd_cents=40_000)
    again = walk({"prompt": "10 days of history in Rome", "max_days": 5, "budget_usd_cents": 40_000}, upto="tool_exec")
    assert results["tool_exec"].output == again["tool_exec"].output


every_city = st.sampled_from(sorted(cities()))


@given(city=every_city, names=st.data(), weekday=st.integers(0, 6))
def test_an_arranged_day_keeps_every_rule(city: str, names: st.DataObject, weekday: int) -> None:
    places = names.draw(st.lists(st.sampled_from(cities()[city].activities), max_size=3, unique=True))
    stops = arrange(places, weekday)
    if stops is None:
        return
    day = TripDay(weekday, stops)
    trip = Trip(cities()[city], None, (), "budget", 2, 30, None, [day])
    assert verify(trip) == []
    assert sorted(stop.place.name for stop in stops) == sorted(place.name for place in places)


@settings(max_examples=200, deadline=None)
@given(
    city=every_city,
    first=st.sampled_from(WEEKDAYS),
    theme=st.sampled_from(["", "art", "family", "nightlife", "food and nature", "museums"]),
    days=st.integers(1, 45),
    max_days=st.integers(1, 30),
    budget=st.none() | st.integers(0, 600_000),
    pace=st.integers(1, 3),
)
def test_repair_mends_whatever_can_be_paid(
    city: str, first: str, theme: str, days: int, max_days: int, budget: int | None, pace: int
) -> None:
    inputs = {
        "prompt": f"{days} days in {city} from {first} for {theme}",
        "max_days": max_days,
        "budget_usd_cents": budget,
    }
    one_day = basic_cost(cities()[city], 1, "budget")
    if budget is not None and budget < one_day:
        with pytest.raises(NodeFailure, match="cannot be mended"):
            walk(inputs, upto="repair")
        return
    results = walk(inputs, upto="repair", planner={"activities_per_day": pace})
    plan = plan_of(results)
    trip = to_trip(plan)
    assert verify(trip) == []
    assert to_plan(trip) == plan
    assert 1 <= len(plan["days"]) <= min(days, max_days)
    assert plan["costs"]["total_usd_cents"] == total_cost(trip) == sum(day["cost_usd_cents"] for day in plan["days"])
    assert budget is None or total_cost(trip) <= budget
    for day in trip.days:
        assert 1 <= len({stop.place.name for stop in day.stops}) == len(day.stops) <= pace
    for one, following in pairwise(trip.days):
        assert not {stop.place for stop in one.stops} & {stop.place for stop in following.stops}
