"""No character of a text that is shown acts, or hides."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.visible import escaped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, with\ttab\nand line", "plain, with\ttab\nand line"),
        ("\x1b[2J\x00", "\\u001b[2J\\u0000"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("ключ 鍵 \U0001f469\u200d\U0001f680", "ключ 鍵 \U0001f469\u200d\U0001f680"),
    ],
)
def test_what_would_act_is_written_as_an_escape(text: str, expected: str) -> None:
    assert escaped(text) == expected


@given(st.text())
def test_json_reads_as_the_same_value_and_nothing_acts(text: str) -> None:
    written = escaped(json.dumps(text, ensure_ascii=False))
    assert json.loads(written) == text
    assert not {unicodedata.category(mark) for mark in written} & {"Cc", "Cs", "Zl", "Zp"}
