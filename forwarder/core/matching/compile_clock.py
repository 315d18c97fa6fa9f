"""Compiles the tests of wall-clock time: hours of the day and days of the week, in a time zone."""

import re
from datetime import UTC, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from forwarder.core.matching.literals import Literals, Report
from forwarder.core.matching.values import Hours, WallClock
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Path, Scalar, Tree
from forwarder.core.yaml.words import known_word

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT = 4
"""A longer word is compared with the long names: `weekend` is not near to `wed`."""
_HOURS = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])\s*[-\u2013]\s*([01]?[0-9]|2[0-4]):([0-5][0-9])")


def compile_clock(tree: Tree, path: Path, literals: Literals) -> WallClock:
    """Return the test for the keys `hours`, `days` and `timezone` of `tree`. Problems go to the literals' report."""
    parts = tree if isinstance(tree, dict) else {}
    words = {key: _words(parts, key, path, literals) for key in ("hours", "days", "timezone")}
    hours = [read_hours(each, at, literals.report) for at, each in words["hours"]]
    days = [day for at, each in words["days"] for day in read_days(each, at, literals.report)]
    zone_name = next((each for _, each in words["timezone"]), Scalar("UTC"))
    return WallClock(
        hours=tuple(each for each in hours if each is not None),
        days=frozenset(days) if "days" in parts else frozenset(range(7)),
        zone=read_zone(zone_name, (*path, "timezone"), literals.report),
        zone_name=str(zone_name),
        written=tuple(each for placed in words.values() for _, each in placed),
    )


def read_zone(zone_name: Scalar, path: Path, report: Report) -> tzinfo:
    """Return the time zone of that name; UTC, after a report, if there is none."""
    if (zone := _zone(zone_name)) is None and (word := known_word(zone_name, available_timezones())) is not None:
        zone = _zone(word)
    if zone is None:
        from forwarder.core.matching.other_values import zone_meant  # noqa: PLC0415 - only mistakes need it

        hint = zone_meant(zone_name) or did_you_mean(zone_name, available_timezones())
        report(
            path,
            f"{str(zone_name)!r} is no time zone{hint or '; write one such as Europe/Berlin, America/New_York or UTC'}",
        )
        return UTC
    return zone


def _zone(name: str) -> tzinfo | None:
    """Return the time zone of that name, or `None` if there is none."""
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _words(parts: dict[str, Tree], key: str, path: Path, literals: Literals) -> list[tuple[Path, Scalar]]:
    return literals.placed(parts[key], (*path, key)) if key in parts else []


def read_hours(written: Scalar, path: Path, report: Report) -> Hours | None:
    """Return a span of the day; `None`, after a report, if it is none."""
    found = _HOURS.fullmatch(written.strip())
    if found is not None:
        hour, minute, last_hour, last_minute = map(int, found.groups())
        if hour < 24 and (last_hour, last_minute) <= (24, 0):
            begin, end = time(hour, minute), time(last_hour % 24, last_minute)
            if begin != end or last_hour == 24:
                return Hours(begin, end)
    report(path, f"{str(written)!r} is no span of a day; write one such as 09:00-17:30, or 22:00-07:00 over midnight")
    return None


def read_days(written: Scalar, path: Path, report: Report) -> list[int]:
    """Return the weekdays of a word or a span of words, Monday as 0; none, after a report, if it is neither."""
    first, dash, last = written.lower().replace("\u2013", "-").partition("-")
    found = [_day(first.strip()), _day(last.strip()) if dash else _day(first.strip())]
    if None in found:
        word = (last if found[0] is not None else first).strip()
        from forwarder.core.matching.other_values import days_meant  # noqa: PLC0415 - only mistakes need it

        hint = days_meant(word) or did_you_mean(word, DAYS if len(word) <= _SHORT else _DAY_NAMES)
        hint = hint or f"; write {', '.join(DAYS)}, or a span such as mon-fri"
        report(path, f"{str(written)!r} is no weekday{hint}")
        return []
    begin, end = (day or 0 for day in found)
    return [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]


def _day(word: str) -> int | None:
    for days in (DAYS, _DAY_NAMES):
        if word in days:
            return days.index(word)
    return None
