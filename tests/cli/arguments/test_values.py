"""What the text of an argument means, and the sentence for one that means nothing."""

import argparse
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import time

import pytest

from forwarder.cli.arguments import values

READ = [
    (values.named_path, "a b", Path("a b")),
    (values.one_of("info", "POST"), "INFO", "info"),
    (values.one_of("info", "POST"), "post", "POST"),
    (values.source, "Telegram", "telegram"),
    (values.source, "X", "x"),
    (values.source, "Mastodon", "Mastodon"),
    (values.row_count, "1", 1),
    (values.row_count, str((1 << 63) - 1), (1 << 63) - 1),
    (values.delivery_rate, "50", 50.0),
    (values.delivery_rate, "0.5/s", 0.5),
    (values.event_rate, "200/s", 200.0),
    (values.demo_rate, "14", 14.0),
    (values.whole_number, "7", 7),
    (values.port, "0", 0),
    (values.port, "65535", 65535),
    (values.host, "::1", "::1"),
    (values.host, "localhost", "localhost"),
    (values.seconds, "2", 2.0),
    (values.seconds, "250ms", 0.25),
    (values.seconds, "0", 0.0),
    (values.positive_seconds, "1m", 60.0),
    (values.pause_length, "1w", 7 * 24 * 3600.0),
    (values.pause_length, "1h30m", 5400.0),
    (values.not_empty, " a", " a"),
    (values.meant, " 3F2A ", "3F2A"),
    (values.meant, "MSG_" + "AB" * 20, "msg_" + "ab" * 20),
    (values.http_status, "200", 200),
    (values.http_status, "599", 599),
]
REFUSED = [
    (values.named_path, "", "it is empty; name a file or a folder"),
    (values.one_of("info", "POST"), "inf\x1bo", r"^invalid choice: 'inf\\x1bo' \(choose from 'info', 'POST'\)$"),
    (values.row_count, "0", "is not a number from 1 to"),
    (values.row_count, str(1 << 63), "is not a number from 1 to"),
    (values.row_count, "9" * 5_000, "is not a number from 1 to"),
    (values.delivery_rate, "0", "is not a rate such as 50/s"),
    (values.delivery_rate, "fast", "is not a rate such as 50/s"),
    (values.delivery_rate, "nan", "is not a rate such as 50/s"),
    (values.event_rate, "inf", "is no rate"),
    (values.event_rate, "-1", "is no rate"),
    (values.demo_rate, "10001", "at most 10000"),
    (values.whole_number, "0", "is no number from 1 on"),
    (values.whole_number, "²", "is no number from 1 on"),
    (values.port, "65536", "is no port"),
    (values.port, "-1", "is no port"),
    (values.host, "a b", "is neither an address nor the name of a host"),
    (values.seconds, "-1", "is no duration"),
    (values.seconds, "soon", "is no duration"),
    (values.seconds, "nan", "is no duration"),
    (values.positive_seconds, "0s", "must be more than zero"),
    (values.pause_length, "2", r"is no duration: whole numbers with units \(s, m, h, d or w\)"),
    (values.not_empty, "", "^must not be empty$"),
    (values.meant, " \t", "^must not be empty$"),
    (values.http_status, "100", "is no HTTP status"),
    (values.moment, "tomorrow", "is neither a duration before now"),
    (values.moment, "today 25:00", r"\(today, yesterday, monday\), nor a time of a day \(23:30, yesterday 23:30\)"),
    (values.moment, "24:00", "is neither a duration before now"),
    (values.moment, "1w soon", r"\(30m, 24h, 7d, 1w\)"),
    (values.moment, "", "is neither a duration before now"),
    (values.moment, "9999-12-31T23:59:59-23:59", "is neither a duration before now"),
]


@pytest.mark.parametrize(("read", "text", "value"), READ)
def test_a_text_is_read(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(("read", "text", "why"), REFUSED)
def test_a_text_that_means_nothing_is_refused_with_a_sentence(
    read: Callable[[str], object], text: str, why: str
) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=why):
        read(text)


@pytest.mark.parametrize(("text", "speed"), [("1x", 1), ("60x", 60), ("60", 60), ("0.5x", 0.5), ("max", math.inf)])
def test_a_speed_is_a_multiple_of_the_original_one(text: str, speed: float) -> None:
    assert values.replay_speed(text) == speed


@pytest.mark.parametrize("text", ["0x", "-1", "fast", "inf", "nan", "1e9x", "x", ""])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a speed such as 1x, 60x or max"):
        values.replay_speed(text)


def test_a_moment_is_a_duration_ago_or_a_time() -> None:
    assert abs(values.moment("1h") - (time() - 3600) * 1000) < 60_000
    assert values.moment("2026-01-31T17:00Z") == int(datetime(2026, 1, 31, 17, tzinfo=UTC).timestamp() * 1000)
    assert values.moment("2026-01-31T17:00") == int(datetime(2026, 1, 31, 17).astimezone().timestamp() * 1000)
    assert values.moment("1969-12-31T00:00Z") == 0


FRIDAY = "2026-01-30T18:15:00"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("now", FRIDAY),
        ("1w", "2026-01-23T18:15:00"),
        ("2w1d", "2026-01-15T18:15:00"),
        ("2d", "2026-01-28T18:15:00"),
        ("today", "2026-01-30T00:00:00"),
        ("Today 09:30", "2026-01-30T09:30:00"),
        ("yesterday", "2026-01-29T00:00:00"),
        ("yesterday 23:30", "2026-01-29T23:30:00"),
        ("mon", "2026-01-26T00:00:00"),
        ("Thurs 10:00", "2026-01-29T10:00:00"),
        ("9:05", "2026-01-30T09:05:00"),
        ("18:14:59", "2026-01-30T18:14:59"),
        ("23:30", "2026-01-29T23:30:00"),
        ("friday", "2026-01-30T00:00:00"),
        ("friday 19:00", "2026-01-23T19:00:00"),
        ("Saturday", "2026-01-24T00:00:00"),
        ("2026-01-02", "2026-01-02T00:00:00"),
        ("2026-01-02 03:04", "2026-01-02T03:04:00"),
    ],
)
def test_a_moment_is_a_day_or_a_time_of_a_day_before_now(text: str, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "time", lambda: datetime.fromisoformat(FRIDAY).timestamp())
    assert values.moment(text) == datetime.fromisoformat(at).timestamp() * 1000
