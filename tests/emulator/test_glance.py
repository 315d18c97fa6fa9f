"""An event on one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.emulator.glance import Glance, glance, one_line, source_style


def body(payload: object, source: object = "x") -> bytes:
    return json.dumps({"source": source, "sid": "7", "payload": payload}).encode()


def test_it_shows_source_author_and_text() -> None:
    seen = glance(body({"text": "two\nlines", "author": {"screen_name": "who"}}))
    assert seen == Glance(source="x", author="@who", text="two lines")
    assert glance(body({"text": "t"})).author == "7"


def test_of_the_public_stream_the_text_is_shown_as_far_as_it_goes_or_what_there_is() -> None:
    assert glance(body('{"text": "cut...')) == Glance(source="x", author="", text="cut")
    assert glance(body('{"id": 4...')) == Glance(source="x", author="", text='{"id": 4...')


@pytest.mark.parametrize("frame", [b"pong", b"[]", b'{"source": 1}', b"\xff"])
def test_what_is_no_event_has_no_source(frame: bytes) -> None:
    assert glance(frame).source is None


@given(st.text(), st.integers(1, 40))
def test_a_line_is_never_longer_than_asked_for_and_holds_nothing_that_moves_a_cursor(text: str, width: int) -> None:
    line = one_line(text, width=width)
    assert len(line) <= width
    assert not any(ord(character) < 32 or character in "\x7f\u202e\u2066" for character in line)


def test_what_is_cut_ends_with_an_ellipsis_and_what_reverses_text_is_removed() -> None:
    assert one_line("abcdef", width=4) == "abc…"
    assert one_line("a\u202eb\x1b[2J", width=20) == "ab\ufffd[2J"


def test_an_unknown_source_has_a_plain_style() -> None:
    assert source_style("x") == "cyan"
    assert source_style("radio") == source_style(None) == "white"
