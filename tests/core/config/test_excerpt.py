"""The lines around a mistake are shown without what may be a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.config.excerpt import HIDDEN, SourceLine, excerpt_of

CONFIG = """\
streams:
  - url: wss://example.com/ws
    api_key: abc123
destinations:
  bot:
    url: https://hooks.example/secret-path
    headers: {Authorization: Bearer abc}

    -----BEGIN-----
routes:
  - name: all
    match: {text: {word: moon}}
    to: [bot, nobody]
    note: https://hooks.example/secret-path
"""


def shown(line: int, text: str = CONFIG) -> list[str]:
    return [f"{'>' if each.is_wrong else ' '}{each.number} {each.text}" for each in excerpt_of(text, line)]


def test_rules_are_shown_as_they_are_and_other_values_are_not() -> None:
    assert shown(13) == [
        " 10 routes:",
        " 11   - name: all",
        " 12     match: {text: {word: moon}}",
        ">13     to: [bot, nobody]",
        f" 14     note: {HIDDEN}",
    ]
    assert shown(3) == [
        " 1 streams:",
        f" 2   - url: {HIDDEN}",
        f">3     api_key: {HIDDEN}",
        " 4 destinations:",
        " 5   bot:",
        f" 6     url: {HIDDEN}",
    ]
    assert shown(9)[2:5] == [" 8 ", f">9  {HIDDEN}", " 10 routes:"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("routes: [{to: bot}]", [">1 routes: [{to: bot}]"]),
        ("{routes: [{to: bot}], x: abc}", [f">1  {HIDDEN}"]),
        ("routes:\n?abc\n  abc", [" 1 routes:", f">2  {HIDDEN}", f" 3  {HIDDEN}"]),
        ("routes:\n# a comment\n- to: bot", [" 1 routes:", ">2 # a comment", " 3 - to: bot"]),
        ("routes:\n  destinations:\n    url: abc", [" 1 routes:", ">2   destinations:", f" 3     url: {HIDDEN}"]),
    ],
)
def test_what_is_not_known_to_be_a_rule_is_hidden(text: str, expected: list[str]) -> None:
    assert shown(1 if len(expected) == 1 else 2, text) == expected


def test_a_line_that_is_not_there_has_no_excerpt() -> None:
    assert [excerpt_of(CONFIG, line) for line in (0, 15, -1)] == [[], [], []]
    assert excerpt_of("", 1) == []


def test_a_long_line_is_cut() -> None:
    (line,) = excerpt_of("routes: " + "a" * 1000, 1)
    assert line == SourceLine(number=1, text="routes: " + "a" * 292, is_wrong=True)


@given(st.text(), st.integers(1, 5))
def test_any_text_has_an_excerpt_or_none(text: str, line: int) -> None:
    assert len(excerpt_of(text, line)) <= 7
