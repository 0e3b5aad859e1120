"""Days, slots and what fills them."""

from typing import Any

import pytest

from runs.nodes.base import NodeFailure
from runs.nodes.catalogue import get_city
from runs.nodes.reading import WEEKDAYS
from runs.tests.nodes.walk import execute, walk


def skeleton(prompt: str, **config: Any) -> dict[str, Any]:
    return walk({"prompt": prompt}, upto="planner", planner=config)["planner"].output


def selection(prompt: str) -> list[list[str]]:
    days = walk({"prompt": prompt}, upto="selector")["selector"].output["days"]
    return [[pick["name"] for pick in day["activities"]] for day in days]


def test_two_slots_a_day_by_default() -> None:
    days = skeleton("Plan a trip to Paris")["days"]
    assert [day["slots"] for day in days] == [["morning", "afternoon"]] * 4
    assert [day["weekday"] for day in days] == ["monday", "tuesday", "wednesday", "thursday"]


def test_a_long_stay_is_slower() -> None:
    places = len(get_city("Paris").activities)
    twelve, thirty = skeleton("12 days in Paris"), skeleton("30 days in Paris")
    assert twelve["slot_count"] == places
    assert {len(day["slots"]) for day in twelve["days"]} == {1, 2}
    assert [len(day["slots"]) for day in thirty["days"]] == [1] * 30


def test_settings() -> None:
    output = skeleton("a luxury trip to Paris", activities_per_day=3, lodging="budget")
    assert output["days"][0]["slots"] == ["morning", "afternoon", "evening"]
    assert output["lodging"] == "budget"
    for wrong in ({"activities_per_day": 4}, {"lodging": "palace"}):
        with pytest.raises(NodeFailure) as caught:
            skeleton("Paris", **wrong)
        assert caught.value.code == "invalid_input"


def test_themes_come_first() -> None:
    city = get_city("Lima")
    themes = [city.by_name[name].theme for day in selection("2 days of food in Lima") for name in day]
    assert themes.count("food") == 2


def test_every_place_once_before_any_comes_again() -> None:
    names = [name for day in selection("30 days in Paris") for name in day]
    places = len(get_city("Paris").activities)
    assert len(set(names[:places])) == places
    assert len(names) == 30


def test_closed_days_are_avoided_while_there_is_a_choice() -> None:
    city = get_city("Paris")
    for index, day in enumerate(selection("6 days in Paris")):
        assert all(index not in city.by_name[name].closed_on for name in day), WEEKDAYS[index]


def test_a_node_says_what_it_misses() -> None:
    with pytest.raises(NodeFailure) as caught:
        execute("planner", {"prompt": "Paris"}, {"intent": {"other": 1}})
    assert caught.value.code == "missing_upstream"
    assert caught.value.message == 'The node "planner" needs "city" from a finished node "intent" of type intent.'


def test_nodes_may_have_other_names() -> None:
    found = execute("intent", {"prompt": "Paris"}).output
    assert execute("planner", outputs={"find_city": found}, reads={"intent": "find_city"}).output["city"] == "Paris"
