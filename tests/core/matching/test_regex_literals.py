"""The texts that every match of a regex contains."""

import sys

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from forwarder.core.matching.compile_tests import regex_options
from forwarder.core.matching.folding import Form, fold, form_of
from forwarder.core.matching.regex_literals import _STABLE, pieces_of, rarity
from tests.core.matching.patterns import LETTERS, patterns
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        (r"\b0x[0-9a-f]{40}\b", {"0x"}),
        (r"airdrop\s+in \d+ days", {"airdrop"}),
        (r"(?:btc|eth)/usd", {"/usd"}),
        (r"\b(listing|launch)\b.*", {"listing", "launch"}),
        (r"a|b?", None),
        (r"(?i)Word", {"word"}),
        (r"wor?d+s", {"wo"}),
        (r"wo(rd)*x{2}yz", {"xyz"}),
        (r"what\?", {"what"}),
        (r"[\]\w]+", None),
        (r"ab+?cd", {"bcd"}),
        ("ab\u13a0cd", {"ab"}),  # Cherokee: Unicode's versions differ in its case
        (r"\Qa.b\E", None),
        ("\u041c\u041e\u0421\u041a\u0412\u0410", {"\u043c\u043e\u0441\u043a\u0432\u0430"}),
    ],
)
def test_what_a_regex_needs(pattern: str, pieces: set[str] | None) -> None:
    assert pieces_of(pattern, Form.CASELESS) == (None if pieces is None else frozenset(pieces))
    assert pieces_of(pattern, Form.FOLDED) == (None if pieces is None else frozenset(pieces))


def test_a_regex_that_ignores_case_by_itself_needs_nothing_where_case_matters() -> None:
    assert pieces_of("(?i)word", Form.WRITTEN) is None
    assert pieces_of("(?s)Word", Form.WRITTEN) == frozenset({"Word"})


@given(
    patterns,
    st.sampled_from(Form),
    st.lists(st.sampled_from([*LETTERS, "s", "S", "k", "x", "\ud83d"]), max_size=8).map("".join),
)
@example("ß", Form.CASELESS, "ẞ")
@example("k", Form.CASELESS, "\u212a")
@example("\u03b0", Form.FOLDED, "\u03b0")
@example("a\n", Form.FOLDED, "a\n")
@examples(1000)
def test_what_a_regex_needs_is_in_every_text_it_is_found_in(pattern: str, form: Form, text: str) -> None:
    pieces = pieces_of(pattern, form)
    compiled = re2.compile(pattern, regex_options(ignore_case=form is not Form.WRITTEN))
    seen = fold(text) if form is Form.FOLDED else text
    if pieces is not None and compiled.search(seen.encode("utf-8", "replace")) is not None:
        within = form_of(text, form)
        assert any(piece in within for piece in pieces)


def test_what_a_regex_needs_of_a_folded_text_is_made_of_characters_that_stay_as_they_are() -> None:
    for character in (chr(code) for first, last in _STABLE for code in range(first, last + 1)):
        for piece in pieces_of(re2.escape(character), Form.FOLDED) or ():
            assert fold(piece) == piece
            assert piece in character.casefold()


def test_re2_and_casefold_agree_on_the_characters_that_pieces_are_made_of() -> None:
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1)))).encode()
    alone = []
    for character in (chr(code) for first, last in _STABLE for code in range(first, last + 1)):
        if character.upper() == character.lower() == character.casefold():
            alone.append(character)
            continue
        found = re2.compile(re2.escape(character), regex_options(ignore_case=True)).findall(everything)
        assert {each.decode().casefold() for each in found} == {character.casefold()}
    pattern = re2.compile(f"[{''.join(map(re2.escape, alone))}]", regex_options(ignore_case=True))
    assert [each.decode() for each in pattern.findall(everything)] == sorted(alone)


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        (r"\x41b", {"ab"}),
        (r"\x{1F600}\n", {"😀\n"}),
        (r"a\pLbc", {"bc"}),
        (r"[[:alpha:]]bc", {"bc"}),
        (r"[^]a]bc", {"bc"}),
        (r"\x{FFFFFF}bc", {"bc"}),
        ("(" * 50 + "a" + ")" * 50, None),
        ("(a", None),
        ("[a", None),
        ("*a", None),
        ("a**", None),
        ("a)", None),
        (r"\1", None),
        ("(?<name>abc)", {"abc"}),
        ("(?=abc)", None),
    ],
)
def test_constructs_are_read_or_the_pattern_needs_nothing(pattern: str, pieces: set[str] | None) -> None:
    assert pieces_of(pattern, Form.CASELESS) == (None if pieces is None else frozenset(pieces))


def test_longer_pieces_and_letters_of_other_scripts_are_rarer() -> None:
    assert rarity("ab") > rarity("abc") > rarity("abcdef")
    assert rarity("東") < rarity("a")
    assert rarity("/") < rarity("a")
