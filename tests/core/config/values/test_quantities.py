"""Durations and sizes in the notation of the file."""

from datetime import timedelta

import pytest

from forwarder.core.config.values.quantities import parse_duration, parse_size, read_size, write_size
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.durations import read_duration
from forwarder.core.yaml.tree import Scalar


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("5s", timedelta(seconds=5)),
        ("10m", timedelta(minutes=10)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("1h30m", timedelta(minutes=90)),
        ("1m5ms", timedelta(minutes=1, milliseconds=5)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("0", timedelta()),
        ("0s", timedelta()),
    ],
)
def test_a_duration(text: str, duration: timedelta) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "s", "5", "5 s", "-5s", "1.5s", "5S", "30m1h", "5s5s", "1e3s", "٣s", "9" * 5_000 + "s", "5s\n", "5sm"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        read_duration(text)
    with pytest.raises(WrongValueError):
        parse_duration(Scalar(text, quoted=True), low="0s", high="7d")


@pytest.mark.parametrize("text", ["5", "2.5", "12345"])
def test_a_bare_number_is_asked_for_its_unit(text: str) -> None:
    with pytest.raises(WrongValueError, match="has no unit; write ms, s, m, h or d"):
        parse_duration(Scalar(text), low="0s", high="7d")


@pytest.mark.parametrize(
    ("text", "count"), [("64KiB", 64 * 1024), ("2GiB", 2 << 30), ("500MB", 500_000_000), ("1TiB", 1 << 40), ("7B", 7)]
)
def test_a_size(text: str, count: int) -> None:
    assert read_size(text) == count
    assert parse_size(Scalar(text), low="0B", high="1TiB") == count
    assert parse_size(count, low="0B", high="1TiB") == count


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "has no unit; write KiB, MiB or GiB after the number"),
        ("5 KiB", "is not a size; write one such as 64MiB or 2GiB"),
        ("5kb", "is not a size"),
        ("2KiB", "is out of range; 1B to 1KiB are allowed"),
    ],
)
def test_anything_else_is_no_size(text: str, said: str) -> None:
    with pytest.raises(WrongValueError, match=said):
        parse_size(Scalar(text), low="1B", high="1KiB")


@pytest.mark.parametrize(
    ("count", "text"), [(2 << 30, "2GiB"), (16 << 20, "16MiB"), (8 << 10, "8KiB"), (1000, "1000B"), (0, "0B")]
)
def test_a_size_is_written_as_it_is_read(count: int, text: str) -> None:
    assert write_size(count) == text
    assert read_size(text) == count


def test_a_program_may_give_a_duration() -> None:
    assert parse_duration(timedelta(seconds=5), low="1s", high="1m") == timedelta(seconds=5)
