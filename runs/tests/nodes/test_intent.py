"""What the request asks for."""

from typing import Any

import pytest

from runs.nodes.base import NodeFailure
from runs.tests.nodes.walk import execute


def intent(prompt: str, **fields: Any) -> dict[str, Any]:
    return execute("intent", {"prompt": prompt, **fields}).output


def failure(prompt: Any, **fields: Any) -> NodeFailure:
    with pytest.raises(NodeFailure) as caught:
        intent(prompt, **fields)
    return caught.value


def test_the_plain_request() -> None:
    result = execute("intent", {"prompt": "Plan a trip to Paris"})
    assert result.summary == "Paris, 4 days, no budget given"
    assert result.output == {
        "city": "Paris",
        "country": "France",
        "other_cities": [],
        "days": 4,
        "days_from": "default",
        "max_days": 30,
        "budget_usd_cents": None,
        "budget_from": None,
        "month": None,
        "themes": [],
        "lodging": "standard",
        "start_weekday": "monday",
        "notes": [],
    }


def test_the_request_of_the_seed() -> None:
    result = execute("intent", {"prompt": "Plan a trip to Paris", "max_days": 5, "budget_usd_cents": 250_000})
    assert (result.output["days"], result.output["max_days"]) == (4, 5)
    assert result.summary == "Paris, 4 days, budget $2,500.00"


def test_everything_in_the_text() -> None:
    output = intent("A cheap long weekend of food and art in Mexico City in May, under $1,200")
    assert output["city"] == "Mexico City"
    assert (output["days"], output["days_from"], output["start_weekday"]) == (3, "text", "friday")
    assert (output["budget_usd_cents"], output["budget_from"]) == (120_000, "text")
    assert (output["month"], output["themes"], output["lodging"]) == (5, ["food", "art"], "budget")


@pytest.mark.parametrize(
    ("prompt", "city"),
    [
        ("nyc!", "New York"), ("New York City", "New York"), ("SAO PAULO", "São Paulo"),
        ("são paulo's parks", "São Paulo"), ("WIEN", "Vienna"),
        ("Roma", "Rome"), ("Rio de Janeiro", "Rio de Janeiro"), ("to Rio", "Rio de Janeiro"),
        ("København", "Copenhagen"),
        ("new delhi", "Delhi"), ("a Tōkyō trip", "Tokyo"), ("San-Francisco", "San Francisco"),
    ],
)  # fmt: skip
def test_names_and_aliases(prompt: str, city: str) -> None:
    assert intent(prompt)["city"] == city


def test_only_whole_words_are_names() -> None:
    assert failure("a romantic comparison").code == "unknown_city"


def test_the_first_of_several_cities() -> None:
    output = intent("Rome, then Venice and Rome again")
    assert (output["city"], output["other_cities"]) == ("Rome", ["Venice"])
    assert output["notes"] == ["One trip visits one city: this one is to Rome, not Venice."]


def test_the_place_of_departure_is_not_the_city() -> None:
    assert intent("From London to Rome")["city"] == "Rome"
    assert intent("Get me away from London")["city"] == "London"


def test_max_days_cuts_the_default_but_not_the_wish() -> None:
    assert intent("Paris", max_days=2)["days"] == 2
    assert intent("10 days in Paris", max_days=5)["days"] == 10


def test_an_endless_wish_is_cut_and_said_so() -> None:
    output = intent("400 days in Paris")
    assert output["days"] == 60
    assert output["notes"] == ["400 days were asked for; no draft is longer than 60 days."]


def test_the_field_wins_over_the_text() -> None:
    output = intent("Paris under $900", budget_usd_cents=0)
    assert (output["budget_usd_cents"], output["budget_from"]) == (0, "field")


def test_a_budget_per_day_counts_the_days_allowed() -> None:
    assert intent("10 days in Paris, $100 a day", max_days=5)["budget_usd_cents"] == 50_000


def test_other_currencies_are_noted() -> None:
    output = intent("Paris for €900")
    assert output["budget_usd_cents"] is None
    assert output["notes"] == ["Only US dollars are understood, so the amount in another currency sets no budget."]


def test_null_fields_count_as_absent() -> None:
    assert intent("Paris", max_days=None, budget_usd_cents=None)["max_days"] == 30


def test_no_city_at_all() -> None:
    error = failure("Test")
    assert error.code == "unknown_city"
    assert str(error) == (
        'No city that I know is named in "Test". I know, among others, Paris, Tokyo and New York. '
        'Try "Plan a trip to Paris".'
    )
    assert error.details["suggestions"] == []


def test_a_misspelt_city() -> None:
    error = failure("A week in Barcelonna")
    assert "Did you mean Barcelona?" in error.message
    assert error.details["suggestions"] == ["Barcelona"]


def test_a_country() -> None:
    assert failure("A week in Japan").details["suggestions"] == ["Kyoto", "Tokyo"]


def test_a_long_prompt_is_not_repeated_in_full() -> None:
    assert len(failure("lost " * 800).message) < 300


@pytest.mark.parametrize(
    "fields",
    [
        {"max_days": 0},
        {"max_days": 31},
        {"max_days": "5"},
        {"max_days": True},
        {"budget_usd_cents": -1},
        {"budget_usd_cents": 1.5},
    ],
)
def test_fields_out_of_range(fields: dict[str, Any]) -> None:
    assert failure("Paris", **fields).code == "invalid_input"


@pytest.mark.parametrize("prompt", [None, 7, "", "   "])
def test_a_prompt_that_is_no_text(prompt: Any) -> None:
    assert failure(prompt).code == "invalid_input"


def test_the_default_is_a_setting() -> None:
    assert execute("intent", {"prompt": "Paris"}, default_days=6).output["days"] == 6
    with pytest.raises(NodeFailure):
        execute("intent", {"prompt": "Paris"}, default_days=0)
