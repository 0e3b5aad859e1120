"""Bars over a time from which long pauses are cut."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runs.pages.gantt import GAP_WIDTH, LABELS, WIDTH, Gantt, Span, draw, spans, spell

ZERO = datetime(2030, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return ZERO + timedelta(seconds=seconds)


def log(*entries: tuple[str, str, float]) -> list[tuple[str, str, datetime]]:
    return [(node, phase, at(seconds)) for node, phase, seconds in entries]


def told(found: list[Span]) -> list[tuple[Any, ...]]:
    """In seconds from the start."""
    return [
        (span.node, (span.start - ZERO).total_seconds(), span.end and (span.end - ZERO).total_seconds(), span.state,
         span.attempt)
        for span in found
    ]  # fmt: skip


def drawn(*found: Span, now: float = 100) -> Gantt:
    order = list(dict.fromkeys(span.node for span in found))
    picture = draw(order, list(found), at(now))
    assert picture is not None
    return picture


def test_each_attempt_is_a_span_and_the_pause_between_them_a_wait() -> None:
    entries = log(("a", "started", 0), ("a", "retrying", 1), ("a", "started", 3), ("a", "completed", 4))
    assert told(spans(entries, at(4))) == [
        ("a", 0, 1, "failed", 1), ("a", 1, 3, "retrying", 1), ("a", 3, 4, "completed", 2),
    ]  # fmt: skip


def test_a_wait_does_not_count_as_another_attempt() -> None:
    entries = log(("a", "started", 0), ("a", "waiting", 1), ("a", "started", 3), ("a", "completed", 4))
    assert [(span.state, span.attempt) for span in spans(entries, at(4))] == [
        ("completed", 1), ("waiting", 1), ("completed", 1),
    ]  # fmt: skip


def test_what_is_open_goes_on_until_the_run_ended() -> None:
    entries = log(("a", "started", 0), ("b", "waiting", 1))
    assert told(spans(entries, None)) == [("a", 0, None, "running", 1), ("b", 1, None, "waiting", 1)]
    assert told(spans(entries, at(9))) == [("a", 0, 9, "cancelled", 1), ("b", 1, 9, "waiting", 1)]


def test_a_worker_that_was_lost_leaves_a_failed_attempt() -> None:
    entries = log(("a", "started", 0), ("a", "started", 5), ("a", "completed", 6))
    assert told(spans(entries, at(6))) == [("a", 0, 5, "failed", 1), ("a", 5, 6, "completed", 2)]


def test_a_running_bar_reaches_now() -> None:
    picture = drawn(Span("a", at(0), at(1), "completed"), Span("b", at(1), None, "running"), now=4)
    bar = picture.rows[1].bars[0]
    assert bar.x + bar.width == pytest.approx(LABELS + WIDTH)
    assert picture.gaps == []  # while something is executed nothing is cut


def test_a_long_wait_is_cut_to_a_mark_that_says_how_long_it_was() -> None:
    picture = drawn(
        Span("a", at(0), at(2), "completed"),
        Span("b", at(2), at(7202), "waiting"),
        Span("b", at(7202), at(7204), "completed"),
    )
    assert [(gap.label, gap.width) for gap in picture.gaps] == [("2 h", GAP_WIDTH)]
    waited, worked = picture.rows[1].bars
    assert waited.width == GAP_WIDTH
    assert worked.width == pytest.approx((WIDTH - GAP_WIDTH) / 2, abs=0.2)


def test_a_short_wait_is_drawn_as_long_as_it_was() -> None:
    picture = drawn(Span("a", at(0), at(4), "waiting"), Span("a", at(4), at(8), "completed"))
    assert picture.gaps == []
    assert [bar.width for bar in picture.rows[0].bars] == [WIDTH / 2, WIDTH / 2]


def test_a_wait_beside_work_is_not_cut() -> None:
    picture = drawn(Span("a", at(0), at(60), "waiting"), Span("b", at(0), at(60), "completed"))
    assert picture.gaps == []


def test_overlapping_attempts_stand_in_rows_of_their_own() -> None:
    picture = drawn(Span("a", at(0), at(6), "completed"), Span("b", at(3), at(9), "failed"))
    (first,), (second,) = (row.bars for row in picture.rows)
    assert first.x < second.x < first.x + first.width
    assert picture.rows[0].y < picture.rows[1].y
    assert picture.height > picture.rows[1].y


def test_what_took_no_time_can_still_be_seen() -> None:
    picture = drawn(Span("a", at(0), at(0), "completed"), Span("b", at(0), at(60), "completed"))
    assert picture.rows[0].bars[0].width >= 3


def test_many_pauses_leave_room_for_what_was_done() -> None:
    found = [Span("a", at(100 * number), at(100 * number + 1), "completed") for number in range(60)]
    picture = drawn(*found)
    assert sum(gap.width for gap in picture.gaps) <= WIDTH / 2 + 1
    assert all(LABELS <= bar.x <= LABELS + WIDTH for bar in picture.rows[0].bars)


def test_the_labels_of_the_axis_are_round_apart_and_told_once() -> None:
    picture = drawn(Span("a", at(0), at(33), "completed"))
    assert [tick.label for tick in picture.ticks][:3] == ["0", "5 s", "10 s"]
    places = [tick.x for tick in picture.ticks]
    assert all(later - earlier >= 50 for earlier, later in itertools.pairwise(places))


def test_nothing_yet_is_no_drawing() -> None:
    assert draw(["a"], [], at(0)) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (0.25, "250 ms"), (4.2, "4.2 s"), (5, "5 s"), (200, "3 min 20 s"), (7200, "2 h"), (90_000, "1 d 1 h")],
)
def test_times_are_spelt(seconds: float, text: str) -> None:
    assert spell(seconds) == text
