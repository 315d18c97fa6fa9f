"""Durations: as the config writes them, and as notices spell them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.durations import read_duration, spell, write_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0", timedelta()),
        ("250ms", timedelta(milliseconds=250)),
        ("5s", timedelta(seconds=5)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("90s", timedelta(seconds=90)),
    ],
)
def test_a_duration_is_read(text: str, duration: timedelta) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "5 s", "1m1h", "5S", "1.5s", "5s\n", "\N{ARABIC-INDIC DIGIT FIVE}s", "00", "1w"]
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        read_duration(text)


def test_no_time_is_written_with_a_unit() -> None:
    assert write_duration(timedelta()) == "0s"


@given(milliseconds=st.integers(0, 10**12))
def test_what_is_written_is_read_again(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert read_duration(write_duration(duration)) == duration


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(seconds=99), "99 s"),
        (timedelta(seconds=100), "1 min"),
        (timedelta(minutes=99, seconds=59), "99 min"),
        (timedelta(hours=3, minutes=20), "3 h 20 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47, minutes=59), "47 h 59 min"),
        (timedelta(days=2, hours=4), "2 d 4 h"),
        (timedelta(days=5, minutes=59), "5 d"),
    ],
)
def test_a_time_is_spelled_as_a_person_says_it(time: timedelta, said: str) -> None:
    assert spell(time) == said
