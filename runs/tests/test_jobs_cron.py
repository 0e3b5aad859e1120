"""When a schedule fires: the calendar, and the days on which clocks change."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from orchestrator.core.errors import ValidationFailed
from runs.jobs import cron


def moments(expression: str, zone: str, start: str, count: int) -> list[str]:
    """The first times after ``start`` (UTC), in UTC."""
    schedule = cron.parse(expression, zone)
    found = schedule.after(datetime.fromisoformat(start).replace(tzinfo=UTC))
    return [f"{moment:%Y-%m-%d %H:%M}" for moment in itertools.islice(found, count)]


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("*/15 * * * *", "2026-01-01 00:07", ["2026-01-01 00:15", "2026-01-01 00:30"]),
        ("0 0 * * *", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@hourly", "2026-01-01 00:30", ["2026-01-01 01:00"]),
        ("@Daily", "2026-01-01 00:30", ["2026-01-02 00:00"]),
        ("@weekly", "2026-01-01 00:30", ["2026-01-04 00:00"]),
        ("@monthly", "2026-01-01 00:30", ["2026-02-01 00:00"]),
        ("@yearly", "2026-01-01 00:30", ["2027-01-01 00:00"]),
        ("0 0 29 2 *", "2026-01-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 29 2 *", "2096-03-01 00:00", ["2104-02-29 00:00"]),  # 2100 has none
        ("0 12 L * *", "2026-01-31 12:00", ["2026-02-28 12:00", "2026-03-31 12:00"]),
        ("0 12 LW * *", "2026-01-01 00:00", ["2026-01-30 12:00"]),  # the 31st is a Saturday
        ("0 9 * * MON#1", "2026-01-01 00:00", ["2026-01-05 09:00", "2026-02-02 09:00"]),
        ("0 9 * * FRI#5", "2026-02-01 00:00", ["2026-05-29 09:00"]),
        ("0 9 * * 5L", "2026-01-01 00:00", ["2026-01-30 09:00"]),
        ("0 9 1 * 1", "2026-01-01 10:00", ["2026-01-05 09:00", "2026-01-12 09:00"]),  # either day, as in cron
        ("0 9 * * 7", "2026-01-01 00:00", ["2026-01-04 09:00"]),
        ("0 0 1 JAN,jul *", "2026-01-02 00:00", ["2026-07-01 00:00", "2027-01-01 00:00"]),
    ],
)
def test_the_calendar(expression: str, start: str, expected: list[str]) -> None:
    assert moments(expression, "UTC", start, len(expected)) == expected


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


@pytest.mark.parametrize(
    ("zone", "expression", "start", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 to 03:00 is skipped; 03:00 is 01:00 UTC.
        (BERLIN, "30 2 * * *", "2026-03-28 00:00", ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]),
        (BERLIN, "15,45 2 * * *", "2026-03-28 02:00", ["2026-03-29 01:00", "2026-03-30 00:15", "2026-03-30 00:45"]),
        (BERLIN, "*/20 2 * * *", "2026-03-28 02:00", ["2026-03-29 01:00", "2026-03-30 00:00"]),
        (BERLIN, "0 2,3 * * *", "2026-03-28 03:00", ["2026-03-29 01:00", "2026-03-30 00:00", "2026-03-30 01:00"]),
        (BERLIN, "0 */2 * * *", "2026-03-28 23:00", ["2026-03-29 01:00", "2026-03-29 02:00"]),  # 02:00 at 03:00, 04:00
        (BERLIN, "0 3 * * *", "2026-03-28 03:00", ["2026-03-29 01:00", "2026-03-30 01:00"]),
        # 25 October 2026: 02:00 to 03:00 comes twice, first from 00:00 UTC, then from 01:00 UTC.
        (BERLIN, "30 2 * * *", "2026-10-24 01:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        (BERLIN, "30 2 * * *", "2026-10-25 00:30", ["2026-10-26 01:30"]),
        (BERLIN, "30 2 * * *", "2026-10-25 01:10", ["2026-10-26 01:30"]),  # 02:10 for the second time
        (BERLIN, "*/30 2 * * *", "2026-10-24 23:00", ["2026-10-25 00:00", "2026-10-25 00:30", "2026-10-26 01:00"]),
        (BERLIN, "0 3 * * *", "2026-10-24 12:00", ["2026-10-25 02:00", "2026-10-26 02:00"]),
        # New York, 8 March 2026: 02:00 EST is 03:00 EDT, 07:00 UTC; 1 November: 01:00 to 02:00 comes twice.
        (NEW_YORK, "30 2 * * *", "2026-03-08 00:00", ["2026-03-08 07:00", "2026-03-09 06:30"]),
        (NEW_YORK, "30 1 * * *", "2026-10-31 12:00", ["2026-11-01 05:30", "2026-11-02 06:30"]),
        (NEW_YORK, "30 1 * * *", "2026-11-01 06:10", ["2026-11-02 06:30"]),
        # In Havana midnight itself is skipped, on Lord Howe Island half an hour, on Samoa once a whole day.
        ("America/Havana", "0 0 * * *", "2026-03-07 12:00", ["2026-03-08 05:00", "2026-03-09 04:00"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03 00:00", ["2026-10-03 15:30", "2026-10-04 15:15"]),
        ("Pacific/Apia", "0 12 30 12 *", "2011-12-01 00:00", ["2011-12-30 10:00", "2012-12-29 22:00"]),
    ],
)
def test_days_on_which_the_clocks_change(zone: str, expression: str, start: str, expected: list[str]) -> None:
    assert moments(expression, zone, start, len(expected)) == expected


@pytest.mark.parametrize("hours", ["*", "*/1", "0-23"])
@pytest.mark.parametrize("start", ["2026-03-28 23:00", "2026-10-24 22:00"])
def test_a_schedule_of_every_hour_keeps_its_beat(hours: str, start: str) -> None:
    schedule = cron.parse(f"*/15 {hours} * * *", BERLIN)
    found = list(itertools.islice(schedule.after(datetime.fromisoformat(start).replace(tzinfo=UTC)), 24))
    assert {after - before for before, after in itertools.pairwise(found)} == {timedelta(minutes=15)}


@pytest.mark.parametrize(
    "expression",
    [
        "", "*", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *",
        "* * * * 8", "*/0 * * * *", "5-1 * * * *", "a * * * *", "-1 * * * *", "1.5 * * * *", "* * * * MON#6",
        "@reboot", "@never", "٣ * * * *", "*  *  *  *  * ; rm", "0 0 30 2 *", "0 0 31 4,6,9,11 *",
        "0" * 5000 + " * * * *",
    ],
)  # fmt: skip
def test_what_is_no_schedule(expression: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        cron.parse(expression, "UTC")
    assert list(caught.value.details) == ["cron"]


@pytest.mark.parametrize(
    "zone", ["", "Berlin", "europe/berlin", "../etc/passwd", "/etc/localtime", "localtime", "+01:00"]
)
def test_what_is_no_zone(zone: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        cron.parse("@daily", zone)
    assert list(caught.value.details) == ["timezone"]


def test_the_last_times_of_a_long_silence() -> None:
    every_minute = cron.parse("* * * * *", "UTC")
    until = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
    found = every_minute.latest(until - timedelta(days=3650), until, 3)
    assert [f"{moment:%d %H:%M}" for moment in found] == ["31 23:58", "31 23:59", "01 00:00"]
    yearly = cron.parse("@yearly", BERLIN)
    assert [moment.year for moment in yearly.latest(datetime(2020, 1, 1, tzinfo=UTC), until, 100)] == list(
        range(2020, 2026)
    )
    since = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
    assert every_minute.latest(since, since, 5) == [since]  # both ends are included


_PART = st.sampled_from(["*", "*/7", "0", "5", "1-3", "2,4", "L", "MON", "MON#5", "6L", "LW", "59", "23", "31", "/"])


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.text(max_size=30), st.lists(_PART, min_size=5, max_size=5).map(" ".join)),
    st.sampled_from(["UTC", BERLIN, NEW_YORK, "Australia/Lord_Howe"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
)
def test_any_text_is_a_fault_or_a_growing_line_of_times(expression: str, zone: str, start: datetime) -> None:
    try:
        schedule = cron.parse(expression, zone)
    except ValidationFailed:
        return
    found = list(itertools.islice(schedule.after(start), 5))
    assert all(before < after for before, after in itertools.pairwise([start, *found]))
    for moment in found:
        assert schedule.next(moment - timedelta(microseconds=1)) == moment
