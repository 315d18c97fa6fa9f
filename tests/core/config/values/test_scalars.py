"""Switches, numbers, names and paths, as the file writes them."""

import pytest

from forwarder.core.config.values.scalars import (
    WrongValueError,
    kind,
    parse_bool,
    parse_file_path,
    parse_group,
    parse_int,
    parse_name,
)
from forwarder.core.yaml.tree import Scalar


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


def test_a_path_has_no_control_characters() -> None:
    with pytest.raises(WrongValueError):
        parse_file_path(Scalar("a\x00b", quoted=True))


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_a_path_is_not_empty_and_on_one_line(text: str) -> None:
    with pytest.raises(WrongValueError, match="this one is empty or contains a control character"):
        parse_file_path(Scalar(text, quoted=True))


def test_a_path_may_have_bytes_that_are_no_text_but_no_other_half_characters() -> None:
    assert parse_file_path(Scalar("a\udcff")) == "a\udcff"
    with pytest.raises(WrongValueError, match="is not the path of a file: it is not UTF-8 text"):
        parse_file_path(Scalar("a\ud800"))


def test_a_group_of_users() -> None:
    assert parse_group(Scalar("adm")) == "adm"
    with pytest.raises(WrongValueError, match="expected the name of a group of users on this machine"):
        parse_group(Scalar("a b"))


def test_a_value_is_named_by_its_kind() -> None:
    for value, said in (([], "a list"), ({}, "a mapping"), (Scalar("a"), "a single value")):
        assert kind(value) == said
