"""Time is an argument: every accepted spelling means one moment, every other is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core import clock
from teeproof.core.errors import Usage

NOON = datetime(2026, 2, 25, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-25T12:00:00Z",
        "2026-02-25 12:00:00Z",
        "2026-02-25T12:00Z",
        "2026-02-25T12:00:00",
        "2026-02-25T12:00:00.999999999Z",
        "2026-02-25T13:30:00+01:30",
        "2026-02-25T00:00:00-12:00",
        "1772020800",
    ],
)
def test_each_spelling_of_one_moment_means_that_moment(text):
    assert clock.parse_time(text) == NOON
    assert clock.parse_time(text).tzinfo is UTC


def test_a_date_means_its_midnight_in_utc():
    assert clock.parse_time("2026-02-25") == datetime(2026, 2, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2026-2-5",
        "2026-02-25T25:00:00Z",
        "2026-02-25T12:00:60Z",
        "2026-02-25T12:00:00+25:00",
        "2026-02-25T12:00:00 Z",
        "2026-02-25Z",
        "2026-02-25T12:00:00Z\n",
        " 2026-02-25",
        "0000-01-01",
        "0001-01-01T00:00:00+12:00",
        "9999-12-31T23:59:59-12:00",
        "-1",
        "1e9",
        "9" * 30,
        "9" * 5000,
        "\u0661\u0662\u0663",
        "\u0662\u0660\u0662\u0666-02-25",
    ],
)
def test_what_is_not_a_time_is_refused_with_examples(text):
    with pytest.raises(Usage) as refusal:
        clock.parse_time(text)
    assert refusal.value.code == "time_malformed"
    assert "2026-02-25" in (refusal.value.expected or "")
    assert refusal.value.got == text[:60]


@given(st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(microsecond=0)))
def test_a_printed_time_reads_back(time):
    assert clock.parse_time(clock.format_time(time)) == time


@given(st.integers(0, 253402300799))
def test_seconds_since_1970_read_back(seconds):
    assert clock.to_epoch(clock.from_epoch(seconds)) == seconds
    assert clock.format_time(seconds) == clock.format_time(clock.from_epoch(seconds))


def test_a_time_is_printed_in_utc_to_the_second():
    zone = timezone(timedelta(hours=5, minutes=30))
    assert clock.format_time(datetime(2026, 2, 25, 17, 30, 0, 999, zone)) == "2026-02-25T12:00:00Z"
    assert clock.format_time(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(Usage) as refusal:
        clock.to_epoch(datetime(2026, 2, 25))
    assert refusal.value.code == "time_malformed"


def test_the_wall_clock_is_aware_and_whole_seconds():
    now = clock.wall_clock()
    assert now.tzinfo is UTC
    assert now.microsecond == 0
    assert now > datetime(2025, 1, 1, tzinfo=UTC)
