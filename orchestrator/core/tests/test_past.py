"""A history that is told: ``now`` and ids are of then, as long as it lasts."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.core import clock
from orchestrator.core.ids import uuid7, uuid7_at

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def test_now_is_then_and_goes_on_by_itself() -> None:
    with clock.in_the_past(THEN):
        assert THEN <= clock.now() < THEN + timedelta(seconds=5)
    assert datetime.now(UTC) - clock.now() < timedelta(seconds=5)


def test_time_can_be_let_pass_but_never_beyond_the_present() -> None:
    with clock.in_the_past(THEN) as past:
        past.pass_seconds(3600)
        assert clock.now() >= THEN + timedelta(hours=1)
        past.go_to(datetime.now(UTC) + timedelta(days=1))
        assert clock.now() - datetime.now(UTC) < timedelta(seconds=1)


def test_the_present_comes_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), clock.in_the_past(THEN):
        _ = 1 / 0
    assert datetime.now(UTC) - clock.now() < timedelta(seconds=5)


def test_ids_of_then_are_smaller_and_grow() -> None:
    before = uuid7()
    with clock.in_the_past(THEN):
        old = [uuid7() for _ in range(100)]
    assert old == sorted(set(old))
    assert old[-1] < before < uuid7()


def test_an_id_can_be_made_for_a_moment() -> None:
    one, other = uuid7_at(THEN, 0), uuid7_at(THEN + timedelta(microseconds=1), 0)
    assert (one.version, one.variant) == (7, "specified in RFC 4122")
    assert one < uuid7_at(THEN, 2**62 - 1) < other
