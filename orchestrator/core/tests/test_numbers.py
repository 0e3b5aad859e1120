import pytest

from orchestrator.core.numbers import parse_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("999999999", 999_999_999)])
def test_digits_are_a_number(text: str, number: int) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "1_0", "²", "١٢", "1e3", "9999999999", "9" * 5000])
def test_all_else_is_none(text: str) -> None:
    assert parse_number(text) is None


def test_how_many_digits_is_the_callers_to_say() -> None:
    assert parse_number("9" * 18, digits=18) == 10**18 - 1
    assert parse_number("9" * 19, digits=18) is None
