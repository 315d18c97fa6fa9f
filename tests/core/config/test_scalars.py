"""What a text may mean for its field."""

from datetime import timedelta

import pytest

from forwarder.core.config.scalars import (
    WrongValueError,
    parse_api_key,
    parse_bool,
    parse_duration,
    parse_file_path,
    parse_header_name,
    parse_header_value,
    parse_int,
    parse_name,
)
from forwarder.core.durations import read_duration
from forwarder.core.tree import Scalar


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
    with pytest.raises(WrongValueError, match="write a unit"):
        parse_duration(Scalar(text), low="0s", high="7d")


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_a_switch(text: str) -> None:
    assert parse_bool(Scalar(text)) is (text.lower() == "true")
    assert parse_bool(True) is True


@pytest.mark.parametrize("text", ["yes", "No", "ON", "off", "y", "tRuE", "1", "0", "enabled"])
def test_a_switch_is_not_guessed_at(text: str) -> None:
    with pytest.raises(WrongValueError, match="true or false"):
        parse_bool(Scalar(text))


@pytest.mark.parametrize("text", ["07", "+7", "7.0", "1e1", "0x7", "1_0", "٣", "9" * 5_000, "-", " 7"])
def test_a_number_is_plain_decimal(text: str) -> None:
    with pytest.raises(WrongValueError):
        parse_int(Scalar(text, quoted=True), low=0, high=100)


@pytest.mark.parametrize("text", ["-1", "101"])
def test_a_number_has_bounds(text: str) -> None:
    with pytest.raises(WrongValueError, match="out of range"):
        parse_int(Scalar(text), low=0, high=100)


@pytest.mark.parametrize("text", ["a", "contract addresses", "новости", "n" * 64, "😀", "a.b/c"])
def test_a_name(text: str) -> None:
    assert parse_name(Scalar(text)) == text


@pytest.mark.parametrize("text", ["", " ", " a", "a\n", "a\x1b[31m", "a\u202eb", "\u200b", "n" * 65])
def test_a_name_is_visible(text: str) -> None:
    with pytest.raises(WrongValueError):
        parse_name(Scalar(text, quoted=True))


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "a\x00", "ключ", "a\x85b", "a\xa0b"])
def test_a_key_fits_into_a_header(text: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        parse_api_key(Scalar(text, quoted=True))
    assert "a b" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "é", "Connection", "transfer-encoding", "WEBHOOK-ID", "webhook-timestamp"]
)
def test_a_header_is_not_everything(name: str) -> None:
    with pytest.raises(WrongValueError):
        parse_header_name(name)


def test_a_header_may_be_host() -> None:
    assert parse_header_name("Host") == "Host"


@pytest.mark.parametrize("mark", ["\r", "\n", "\x00", "\t", "\x7f", "\x9b", "\udcff"])
def test_a_header_stays_on_its_line(mark: str) -> None:
    with pytest.raises(WrongValueError):
        parse_header_value(Scalar(f"a{mark}b", quoted=True))


def test_a_path_has_no_control_characters() -> None:
    with pytest.raises(WrongValueError):
        parse_file_path(Scalar("a\x00b", quoted=True))
