"""Days, months, themes and money out of free text."""

import pytest
from hypothesis import given, strategies as st

from runs.nodes.money import Amount, dollars, find_budget, names_foreign_money
from runs.nodes.reading import Span, find_lodging, find_month, find_span, find_themes
from runs.nodes.words import fold, listed, split

NOTHING = Span(None, None)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("3 days in Rome", Span(3, None)),
        ("a 3-day trip", Span(3, None)),
        ("for five days", Span(5, None)),
        ("Five Days", Span(5, None)),
        ("a week in Rome", Span(7, None)),
        ("a quiet family week", Span(7, None)),
        ("two weeks", Span(14, None)),
        ("a fortnight", Span(14, None)),
        ("a month", Span(30, None)),
        ("4 nights", Span(5, None)),
        ("5 days/4 nights", Span(5, None)),
        ("a couple of days", Span(2, None)),
        ("a few days", Span(3, None)),
        ("3-5 days", Span(5, None)),
        ("a day trip", Span(1, None)),
        ("one day", Span(1, None)),
        ("a weekend", Span(2, 5)),
        ("a long weekend", Span(3, 4)),
        ("Friday to Monday", Span(4, 4)),
        ("3 days from Tuesday", Span(3, 1)),
        ("starting on a Sunday", Span(None, 6)),
        ("Rome in two weeks for 3 days", Span(3, None)),
        ("400 days", Span(400, None)),
        ("0 days", NOTHING),
        ("a trip next week", NOTHING),
        ("$100 a day", NOTHING),
        ("in March 2025 weekend-free", Span(2, 5)),
        ("2.5 days", NOTHING),
        ("Plan a trip to Paris", NOTHING),
    ],
)
def test_span(text: str, span: Span) -> None:
    assert find_span(fold(text)) == span


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("in March", 3), ("in may", 5), ("May 2026", 5), ("early Sept", 9), ("december", 12), ("in mid-August", 8),
        ("may I go to Paris", None), ("an august city", None), ("march on Rome", None), ("next month", None),
    ],
)  # fmt: skip
def test_month(text: str, month: int | None) -> None:
    assert find_month(fold(text)) == month


@pytest.mark.parametrize(
    ("text", "themes"),
    [
        ("food and art", ["food", "art"]),
        ("Museums, please", ["history", "art"]),
        ("art, painting and galleries", ["art"]),
        ("hiking but no nightlife", ["nature"]),
        ("a party of four", []),
    ],
)
def test_themes(text: str, themes: list[str]) -> None:
    assert find_themes(split(fold(text))) == themes


def test_lodging() -> None:
    assert find_lodging(split("a cheap week")) == "budget"
    assert find_lodging(split("a luxury week")) == "comfort"
    assert find_lodging(split("a budget of 900")) is None


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("under $1,200", 120_000),
        ("under $1.200", 120_000),
        ("budget of 900 USD", 90_000),
        ("budget 900", 90_000),
        ("my budget is 1500.", 150_000),
        ("2k dollars", 200_000),
        ("$2k", 200_000),
        ("$2.5k", 250_000),
        ("US$ 500", 50_000),
        ("usd 500", 50_000),
        ("19.99 dollars", 1_999),
        ("two thousand dollars", 200_000),
        ("a thousand bucks", 100_000),
        ("a $300 dinner but under $900", 90_000),
        ("$300, maybe $900", 30_000),
        ("$99999999999999", 1_000_000_000),
        ("budget of 5 days", None),
        ("5 days for 2 people", None),
        ("budget 800 euros", None),
        ("A$800", None),
        ("$90 a night", None),
        ("Plan a trip to Paris", None),
    ],
)
def test_budget_of_the_trip(text: str, cents: int | None) -> None:
    assert find_budget(fold(text)) == (None if cents is None else Amount(cents, "trip"))


@pytest.mark.parametrize("text", ["$100 a day", "$100/day", "100 dollars per day", "$100 daily"])
def test_budget_of_each_day(text: str) -> None:
    assert find_budget(fold(text)) == Amount(10_000, "day")


def test_foreign_money_is_noticed() -> None:
    assert all(
        names_foreign_money(fold(text)) for text in ("€900", "900 euros", "A$800", "500 Canadian dollars", "GBP 70")
    )
    assert not any(names_foreign_money(fold(text)) for text in ("$900", "US$900", "900 dollars", "2 nights"))


def test_dollars() -> None:
    assert [dollars(cents) for cents in (0, 5, 250_000, -199)] == ["$0.00", "$0.05", "$2,500.00", "-$1.99"]


def test_fold_and_listed() -> None:
    assert fold("São PAULO, İstanbul, København, Kraków") == "sao paulo, istanbul, kobenhavn, krakow"
    assert [listed(names, "or") for names in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a",
        "a or b",
        "a, b or c",
    ]


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    folded = fold(text)
    span, month = find_span(folded), find_month(folded)
    budget = find_budget(folded)
    assert span.days is None or span.days >= 1
    assert month is None or 1 <= month <= 12
    assert budget is None or 0 <= budget.cents <= 1_000_000_000
    names_foreign_money(folded)
    find_themes(split(folded))


@given(st.integers(0, 10_000_000_00))
def test_written_dollars_are_read_back(cents: int) -> None:
    assert find_budget(dollars(cents)) == Amount(cents, "trip")
