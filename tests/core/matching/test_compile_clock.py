"""Hours and days, as the config has them."""

from datetime import UTC, time

import pytest

from forwarder.core.matching.compile_clock import compile_clock
from forwarder.core.matching.literals import Literals
from forwarder.core.matching.values import Hours, WallClock
from forwarder.core.yaml.tree import Path, Tree
from tests.support.conditions import tree


def compiled(text: str) -> tuple[WallClock, list[tuple[Path, str]]]:
    problems: list[tuple[Path, str]] = []
    clock: Tree = tree(text)
    literals = Literals({}, None, lambda path, said: problems.append((path, said)))
    return compile_clock(clock, ("now",), literals), problems


def test_hours_may_go_over_midnight_and_to_the_end_of_the_day() -> None:
    clock, problems = compiled("hours: ['09:00-17:30', '22:00-7:00', '18:00-24:00']")
    assert clock.hours == (
        Hours(time(9), time(17, 30)),
        Hours(time(22), time(7)),
        Hours(time(18), time(0)),
    )
    assert clock.days == frozenset(range(7))
    assert problems == []


@pytest.mark.parametrize(
    ("days", "numbers"),
    [("mon", {0}), ("mon-fri", {0, 1, 2, 3, 4}), ("[Saturday, sun]", {5, 6}), ("fri-mon", {4, 5, 6, 0})],
)
def test_days_are_single_ones_or_spans(days: str, numbers: set[int]) -> None:
    clock, problems = compiled(f"days: {days}")
    assert (clock.days, problems) == (frozenset(numbers), [])


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("hours: '9-17'", ("now", "hours"), "is no span of a day"),
        ("hours: '24:00-25:00'", ("now", "hours"), "is no span of a day"),
        ("hours: '09:00-24:30'", ("now", "hours"), "is no span of a day"),
        ("hours: '09:00-09:00'", ("now", "hours"), "is no span of a day"),
        ("days: someday", ("now", "days"), "is no weekday"),
        ("days: mon-someday", ("now", "days"), "is no weekday"),
        ("{hours: '09:00-17:00', timezone: Mars/Base}", ("now", "timezone"), "is no time zone"),
        ("{hours: '09:00-17:00', timezone: ../etc/passwd}", ("now", "timezone"), "is no time zone"),
    ],
)
def test_a_mistake_is_reported_with_its_path(text: str, path: Path, said: str) -> None:
    _, problems = compiled(text)
    ((place, message),) = problems
    assert place == path
    assert said in message


def test_days_and_time_zones_may_be_in_another_case() -> None:
    clock, problems = compiled("{days: [MON, Tuesday], hours: '09:00-17:00', timezone: europe/berlin}")
    assert problems == []
    assert clock.days == {0, 1}
    assert str(clock.zone) == "Europe/Berlin"
    assert compiled("{days: mon, timezone: utc}")[0].zone is UTC
