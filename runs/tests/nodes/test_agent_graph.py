"""The built-in graph from prompt to answer."""

import json
from typing import Any

import jmespath
import jsonschema
import pytest
from hypothesis import given, settings, strategies as st

from runs.nodes import registry
from runs.nodes.base import NodeFailure
from runs.nodes.catalogue import cities
from runs.tests.nodes.walk import GRAPH, walk

ORDER = ["intent", "planner", "selector", "tool_exec", "verifier", "repair", "synth", "responder"]
SEED = {"prompt": "Plan a trip to Paris", "max_days": 5, "budget_usd_cents": 250_000}
MENDED = {
    "prompt": "10 days of history in Rome in May, and Venice",
    "max_days": 5,
    "budget_usd_cents": 90_000,
}


def answer(inputs: dict[str, Any]) -> dict[str, Any]:
    return walk(inputs)["responder"].output


def test_the_graph_names_the_nodes_of_the_seed_in_their_order() -> None:
    assert list(GRAPH["nodes"]) == ORDER
    assert {spec["type"] for spec in GRAPH["nodes"].values()} <= set(registry.names())
    for node, spec in GRAPH["nodes"].items():
        assert all(ORDER.index(need) < ORDER.index(node) for need in spec.get("needs", []))


@pytest.mark.parametrize(
    ("inputs", "valid"),
    [
        (SEED, True),
        ({"prompt": "x"}, True),
        ({}, False),
        ({"prompt": ""}, False),
        ({"prompt": "x" * 4001}, False),
        ({"prompt": "x", "max_days": 0}, False),
        ({"prompt": "x", "max_days": 31}, False),
        ({"prompt": "x", "max_days": 2.5}, False),
        ({"prompt": "x", "budget_usd_cents": 1_000_000_001}, False),
        ({"prompt": "x", "colour": "red"}, False),
    ],
)
def test_the_schema_of_the_inputs(inputs: dict[str, Any], valid: bool) -> None:
    jsonschema.Draft202012Validator.check_schema(GRAPH["inputs"])
    assert jsonschema.Draft202012Validator(GRAPH["inputs"]).is_valid(inputs) is valid


def test_the_seed_runs_without_repair() -> None:
    assert list(walk(SEED)) == [node for node in ORDER if node != "repair"]


def test_four_days_in_paris_with_two_activities_each() -> None:
    itinerary = answer(SEED)["itinerary"]
    assert (itinerary["city"], itinerary["country"], itinerary["day_count"], itinerary["nights"]) == (
        "Paris",
        "France",
        4,
        3,
    )
    assert [len(day["activities"]) for day in itinerary["days"]] == [2, 2, 2, 2]
    assert itinerary["left_usd_cents"] == 250_000 - itinerary["total_usd_cents"] > 0
    assert itinerary["repaired"] is False
    assert list(itinerary["days"][0]["activities"][0]) == [
        "name", "theme", "start", "end", "price_usd_cents", "indoor", "return_visit", "weather",
    ]  # fmt: skip


def test_the_plan_of_repair_wins() -> None:
    results = walk(MENDED)
    itinerary = results["responder"].output["itinerary"]
    assert itinerary["repaired"] is True
    assert itinerary["day_count"] == 5
    assert itinerary["changes"] == [change["message"] for change in results["repair"].output["changes"]]
    assert itinerary["costs"] == results["repair"].output["plan"]["costs"]
    assert results["repair"].output["verdict"] == {"ok": True, "violations": []}


def test_the_text_tells_the_same() -> None:
    reply = answer(MENDED)
    lines = reply["text"].splitlines()
    assert lines[0] == "# 5 days in Rome, Italy"
    for day in reply["itinerary"]["days"]:
        for visit in day["activities"]:
            assert any(visit["name"] in line and visit["start"] in line for line in lines)
    assert "- 10 days cut to 5 as at most 5 are allowed." in lines
    assert "- One trip visits one city: this one is to Rome, not Venice." in lines
    assert "May has about 19 °C and 6 days of rain." in lines


def test_a_month_of_thirty_days_is_small_and_sane() -> None:
    results = walk({"prompt": "30 days of everything in Bangkok"})
    assert all(len(json.dumps(result.output)) < 30_000 for result in results.values())
    visits = [visit for day in results["responder"].output["itinerary"]["days"] for visit in day["activities"]]
    places = len(cities()["Bangkok"].activities)
    assert len(visits) == 30
    assert [visit["return_visit"] for visit in visits] == [False] * places + [True] * (30 - places)


def test_the_output_expression_finds_the_answer() -> None:
    outputs = {node: result.output for node, result in walk(SEED).items()}
    assert jmespath.search(GRAPH["output"], {"inputs": SEED, "nodes": outputs}) == outputs["responder"]


@pytest.mark.parametrize("name", sorted(cities()))
def test_every_city_has_a_default_trip(name: str) -> None:
    itinerary = answer({"prompt": f"Plan a trip to {name}"})["itinerary"]
    assert itinerary["city"] == name
    assert [len(day["activities"]) for day in itinerary["days"]] == [2, 2, 2, 2]


@settings(max_examples=60, deadline=None)
@given(
    prompt=st.sampled_from(sorted(cities())).flatmap(
        lambda city: st.text(max_size=40).map(lambda text: f"{city} {text}")
    ),
    max_days=st.integers(1, 30),
    budget=st.integers(0, 1_000_000_000),
)
def test_the_same_input_gives_the_same_plain_json(prompt: str, max_days: int, budget: int) -> None:
    inputs = {"prompt": prompt, "max_days": max_days, "budget_usd_cents": budget}
    first, again = outcome(inputs), outcome(inputs)
    assert first == again
    for output, summary in first:
        assert_plain(output)
        assert json.loads(json.dumps(output, allow_nan=False)) == output
        assert "\n" not in summary
        assert len(summary) <= 300


def outcome(inputs: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Output and summary of every node, or details and message of the failure."""
    try:
        return [(result.output, result.summary) for result in walk(inputs).values()]
    except NodeFailure as failure:
        return [(failure.details, failure.message)]


def assert_plain(value: Any) -> None:
    """Text keys, and no floats: money, minutes and degrees are whole numbers."""
    if isinstance(value, dict):
        for key, item in value.items():
            assert isinstance(key, str)
            assert_plain(item)
    elif isinstance(value, list):
        for item in value:
            assert_plain(item)
    else:
        assert value is None or isinstance(value, (str, bool, int))
