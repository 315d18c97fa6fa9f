"""Numbers and times that values are read as."""

from datetime import UTC, datetime, time

import pytest

from forwarder.core.matching.subject import Found
from forwarder.core.matching.values import Hours, WallClock, number_of, time_of
from tests.support.conditions import subject

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1.5, 1.5),
        ("12", 12),
        ("-12", -12),
        (True, None),
        ("1.5", None),
        ("", None),
        ("-", None),
        ("1" * 41, None),
        ("\N{ARABIC-INDIC DIGIT FIVE}", None),
        ([1], None),
    ],
)
def test_a_number_is_a_json_number_or_a_text_that_is_a_whole_one(value: Found, number: float | None) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (NEW_YEAR, NEW_YEAR),
        (1767225600, NEW_YEAR),
        (1767225600000, NEW_YEAR),
        ("1767225600", NEW_YEAR),
        ("2026-01-01T00:00:00", NEW_YEAR),
        ("Thu Jan 01 00:00:00 +0000 2026", NEW_YEAR),
        (0, None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_time_is_a_number_or_a_text(value: Found, at: datetime | None) -> None:
    assert time_of(value) == at


@pytest.mark.parametrize(("at", "offset"), [(time(23), 0), (time(6, 59), -1), (time(7), None), (time(22), 0)])
def test_hours_over_midnight_belong_to_the_day_they_begin_on(at: time, offset: int | None) -> None:
    assert Hours(time(22), time(7)).day_offset(at) == offset


def test_a_time_at_the_end_of_the_calendar_is_within_no_hours() -> None:
    from zoneinfo import ZoneInfo

    clock = WallClock(hours=(), days=frozenset(range(7)), zone=ZoneInfo("Asia/Tokyo"))
    assert not clock.passes(datetime(9999, 12, 31, 23, 59, tzinfo=UTC), subject())
    assert clock.passes(NEW_YEAR, subject())


def test_what_is_no_time_is_within_no_hours() -> None:
    clock = WallClock(hours=(), days=frozenset(range(7)), zone=UTC)
    assert not clock.passes("soon", subject())
    assert not clock.passes(None, subject())
