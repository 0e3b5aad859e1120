"""How pages write moments that pass, sums and numbers."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orchestrator.web.templatetags import formats

NOON = datetime(2030, 1, 1, 12, 0, 5, tzinfo=UTC)
STAMP = "2030-01-01T12:00:05.000000Z"


def test_moments_that_the_script_counts_are_whole_without_it() -> None:
    assert formats.until(NOON) == f'<time datetime="{STAMP}" data-countdown>until 12:00:05 UTC</time>'
    assert formats.since(NOON) == f'<time datetime="{STAMP}" data-ago>2030-01-01 12:00:05 UTC</time>'
    assert formats.since(None) == "-"


def test_what_has_passed_may_stand_beside_a_moment() -> None:
    assert formats.moment(NOON, beside=True) == (
        f'<time datetime="{STAMP}" title="{STAMP}">2030-01-01 12:00:05 UTC</time>'
        f' <span class="fine" data-ago="{STAMP}"></span>'
    )
    assert formats.moment(None, beside=True) == "-"


def test_milliseconds_are_written_like_all_durations() -> None:
    assert [formats.milliseconds(number) for number in (250, 93_279)] == ["250 ms", "1 min 33 s"]


@pytest.mark.parametrize(
    ("cost", "written"),
    [("0", "$0.00"), ("0.0042", "$0.0042"), ("0.000001", "$0.0000"), ("1", "$1.00"), ("1234.567", "$1,234.57")],
)
def test_small_sums_have_more_digits(cost: str, written: str) -> None:
    assert formats.usd(Decimal(cost)) == written


def test_large_numbers_are_grouped() -> None:
    assert formats.thousands(1_234_567) == "1,234,567"
