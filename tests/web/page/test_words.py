"""Numbers, times and amounts, as a person reads them."""

from datetime import UTC, datetime

import pytest

from forwarder.core.delivery import Trigger
from forwarder.web.page import words

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(("value", "expected"), [(0, "0"), (12345, "12,345"), (-2.5, "-2.5")])
def test_numbers(value: float, expected: str) -> None:
    assert words.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, words.NOTHING), (0.84, "0.8 ms"), (12.4, "12 ms"), (1234, "1.2 s"), (180_000, "3 min")],
)
def test_durations_in_milliseconds(value: float | None, expected: str) -> None:
    assert words.milliseconds(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0, "0 s"), (0.7, "0.7 s"), (42, "42 s"), (7200, "2 h")])
def test_durations_in_seconds(value: float, expected: str) -> None:
    assert words.seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0 B"), (1023, "1023 B"), (4 << 20, "4.0 MiB"), (1 << 50, "1024.0 TiB")]
)
def test_sizes(value: int, expected: str) -> None:
    assert words.size(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(None, words.NOTHING), (1.0, "100 %"), (0.9995, "> 99.9 %"), (0.5, "50 %"), (0.0, "0 %")]
)
def test_a_share_that_is_nearly_all_is_not_all(value: float | None, expected: str) -> None:
    assert words.share(value) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (None, "never"),
        ("", "never"),
        ("2026-03-04T12:00:00.400+00:00", "now"),
        ("2026-03-04T11:59:18+00:00", "42 s ago"),
        ("2026-03-04T12:10:00+00:00", "in 10 min"),
    ],
)
def test_how_long_ago_a_moment_was(at: str | None, expected: str) -> None:
    assert words.ago(at, NOW) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (None, words.NOTHING),
        ("2026-03-04T13:30:00+02:00", "11:30:00 UTC"),
        ("2026-03-03T23:30:00+00:00", "2026-03-03 23:30:00 UTC"),
    ],
)
def test_a_moment_has_its_date_unless_that_is_today(at: str | None, expected: str) -> None:
    assert words.clock(at, NOW) == expected


def test_a_long_text_is_cut() -> None:
    assert words.cut("abc", 3) == "abc"
    assert words.cut("abcd", 3) == "abc…"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":[1,1.50,"\\u202e"]}', '{\n  "a": [\n    1,\n    1.50,\n    "\\u202e"\n  ]\n}'),
        ("no json", None),
        ("[" * 100_000, None),
        ("\ud800", None),
    ],
)
def test_json_is_written_as_it_came_with_a_line_for_each_value(text: str, expected: str | None) -> None:
    assert words.pretty_json(text) == expected


@pytest.mark.parametrize("trigger", Trigger)
def test_why_a_delivery_is_made_is_said_only_where_there_is_more_than_a_route(trigger: Trigger) -> None:
    said = words.trigger_words(trigger)
    assert bool(said) is (trigger not in {Trigger.FIRST, Trigger.RETRY})
    assert "_" not in said


def test_a_trigger_of_a_later_version_is_shown_as_it_is() -> None:
    assert words.trigger_words("later") == "later"


@pytest.mark.parametrize(
    ("reason", "status", "expected"),
    [
        ("HTTP 503: is being deployed", 503, "is being deployed"),
        ("HTTP 503", 503, ""),
        ("timed out", None, "timed out"),
        ("refused: HTTP 400: no", 400, "refused: HTTP 400: no"),
    ],
)
def test_a_status_is_not_said_twice(reason: str, status: int | None, expected: str) -> None:
    assert words.without_status(reason, status) == expected
