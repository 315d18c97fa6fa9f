"""Until when quiet hours keep what comes: over midnight, on days on which the clock is set, and where several follow each other."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from forwarder.core.config.runtime import quiet_of
from forwarder.core.delivery import DestinationName
from forwarder.core.routing.quiet import LONGEST, Kept, QuietHours, QuietPlan, Then
from tests.core.config.support import load

BOT = DestinationName("bot")
BERLIN = ZoneInfo("Europe/Berlin")


def hours_of(quiet: str) -> QuietHours:
    plan = plan_of(f"quiet: {quiet}")
    return plan.of_destinations[BOT]


def plan_of(destination: str = "", routes: str = "[{name: r, to: bot}]") -> QuietPlan:
    config = load(
        f"streams: [{{api_key: key}}]\ndestinations: {{bot: {{url: http://127.0.0.1/, {destination}}}, b: {{url: http://127.0.0.1/}}}}\n"
        f"routes: {routes}\n"
    )
    plan = quiet_of(config)
    assert plan is not None
    return plan


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("quiet", "at", "end"),
    [
        ("'23:00-07:00'", "2026-01-05 22:59:59", None),
        ("'23:00-07:00'", "2026-01-05 23:00:00", "2026-01-06 07:00"),
        ("'23:00-07:00'", "2026-01-06 06:59:59.999", "2026-01-06 07:00"),
        ("'23:00-07:00'", "2026-01-06 07:00", None),
        ("{hours: '12:03-12:04'}", "2026-01-06 12:03:30", "2026-01-06 12:04"),
        ("{hours: ['12:00-13:30', '13:30-14:00']}", "2026-01-06 12:10", "2026-01-06 14:00"),
        ("{hours: '00:00-24:00', days: sat-sun}", "2026-01-10 03:00", "2026-01-12 00:00"),
        ("{hours: '20:00-08:00', days: fri}", "2026-01-10 03:00", "2026-01-10 08:00"),
        ("{hours: '20:00-08:00', days: fri}", "2026-01-11 03:00", None),
        ("{hours: '23:00-07:00', timezone: Europe/Berlin}", "2026-01-05 22:30", "2026-01-06 06:00"),
        # The clock is set forward in the night: 02:30 does not exist, and the hours end when it is skipped.
        ("{hours: '23:00-07:00', timezone: Europe/Berlin}", "2026-03-28 23:30", "2026-03-29 05:00"),
        ("{hours: '23:00-02:30', timezone: Europe/Berlin}", "2026-03-28 23:30", "2026-03-29 01:00"),
        # It is set back: 02:00 to 03:00 comes twice.
        ("{hours: '23:00-07:00', timezone: Europe/Berlin}", "2026-10-24 23:30", "2026-10-25 06:00"),
        ("{hours: '23:00-02:30', timezone: Europe/Berlin}", "2026-10-24 23:30", "2026-10-25 00:30"),
        ("{hours: '23:00-02:30', timezone: Europe/Berlin}", "2026-10-25 01:10", "2026-10-25 01:30"),
    ],
)
def test_when_quiet_hours_end(quiet: str, at: str, end: str | None) -> None:
    hours = hours_of(quiet)
    expected = None if end is None else utc(end)
    assert hours.end(utc(at)) == expected
    assert hours.end(utc(at) + timedelta(milliseconds=0)) == expected  # also when it is known already


def test_equal_settings_are_equal_and_shown_as_they_are_written() -> None:
    berlin = hours_of("{hours: '23:00-07:00', timezone: Europe/Berlin, then: digest}")
    assert berlin == hours_of("{hours: '23:00-07:00', timezone: Europe/Berlin, then: digest}")
    assert berlin != hours_of("{hours: '23:00-07:00', timezone: Europe/Paris, then: digest}")
    assert berlin != hours_of("{hours: '23:00-07:00', timezone: Europe/Berlin}")
    assert berlin != "23:00-07:00"
    assert str(berlin) == "23:00-07:00 (Europe/Berlin), then digest"
    assert str(hours_of("{hours: '00:00-24:00', days: [sat, sun]}")) == "00:00-00:00 on sat, sun (UTC), then send"


def test_how_long_they_last_at_most() -> None:
    assert hours_of("'23:00-07:00'").longest() == timedelta(hours=8)
    assert hours_of("{hours: '00:00-24:00', days: [sat, sun]}").longest() == timedelta(days=2)
    assert QuietHours(hours_of("{hours: '00:00-24:00', days: [sat, sun]}").clock).longest() < LONGEST


NIGHT = utc("2026-01-06 02:00")


def test_a_destination_keeps_what_comes_by_any_route() -> None:
    plan = plan_of("quiet: {hours: '23:00-07:00', then: digest}")
    assert plan.keep(BOT, ("r",), NIGHT) == Kept(utc("2026-01-06 07:00"), Then.DIGEST)
    assert plan.keep(BOT, (), NIGHT) == Kept(utc("2026-01-06 07:00"), Then.DIGEST)
    assert plan.keep(DestinationName("b"), ("r",), NIGHT) is None
    assert plan.keep(BOT, ("r",), utc("2026-01-06 12:00")) is None
    assert plan.quiet_until(BOT, NIGHT) == utc("2026-01-06 07:00")
    assert plan.quiet_until(DestinationName("b"), NIGHT) is None


def test_a_route_keeps_what_no_other_route_sends() -> None:
    plan = plan_of(
        routes="[{name: a, to: bot, quiet: '23:00-07:00'}, {name: c, to: bot, quiet: {hours: '22:00-05:00', then: digest}}, {name: n, to: bot}]"
    )
    assert plan.keep(BOT, ("a",), NIGHT) == Kept(utc("2026-01-06 07:00"), Then.SEND)
    assert plan.keep(BOT, ("a", "n"), NIGHT) is None
    assert plan.keep(BOT, ("a", "c"), NIGHT) == Kept(utc("2026-01-06 05:00"), Then.DIGEST)
    assert plan.keep(BOT, ("a", "c"), utc("2026-01-06 06:00")) is None
    assert plan.keep(BOT, ("unmatched",), NIGHT) is None


def test_what_was_kept_before_ends_now_where_the_hours_are_over() -> None:
    noon = utc("2026-01-06 12:00")
    plan = plan_of("quiet: {hours: '23:00-07:00', then: digest}")
    assert plan.keep_again(BOT, ("r",), NIGHT) == Kept(utc("2026-01-06 07:00"), Then.DIGEST)
    assert plan.keep_again(BOT, ("r",), noon) == Kept(noon, Then.DIGEST)
    of_route = plan_of(routes="[{name: a, to: bot, quiet: '23:00-07:00'}, {name: n, to: bot}]")
    assert of_route.keep_again(BOT, ("a",), noon) == Kept(noon, Then.SEND)
    assert of_route.keep_again(BOT, ("a", "n"), noon) is None
    assert of_route.keep_again(BOT, (), noon) is None


def test_hours_that_follow_each_other_keep_to_the_end_of_the_last() -> None:
    plan = plan_of("quiet: '23:00-07:00'", "[{name: r, to: bot, quiet: {hours: '06:00-09:00', then: digest}}]")
    assert plan.keep(BOT, ("r",), NIGHT) == Kept(utc("2026-01-06 09:00"), Then.SEND)
    always = plan_of("quiet: '00:00-12:00'", "[{name: r, to: bot, quiet: '12:00-24:00'}]")
    kept = always.keep(BOT, ("r",), NIGHT)
    assert kept is not None
    assert timedelta(days=5) < kept.until - NIGHT < timedelta(days=15)
