"""Texts for people: cleaned, cut between words, and addresses that the services accept."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forwarder.core.text import ELLIPSIS, clean, one_line, shorten, split_off, units, web_address


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  one\ttwo \n", "one\ttwo"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
        ("\x1b[31mred\x07", "[31mred"),
        ("safe\u202efdp.exe", "safefdp.exe"),
        ("half \ud83d", "half \ufffd"),
        ("kept: ü 👍🏽", "kept: ü 👍🏽"),
    ],
)
def test_characters_that_no_reader_wants_are_removed(text: str, cleaned: str) -> None:
    assert clean(text, limit=100) == cleaned


def test_a_text_is_cut_before_it_is_cleaned() -> None:
    assert clean("abc" * 1_000, limit=9) == "abcabcabca"  # one more than the limit shows that it is longer


def test_one_line_has_no_line_breaks() -> None:
    assert one_line(" one \n\t two\r\nthree ", limit=100) == "one two three"
    assert one_line("one two three", limit=8) == "one two…"


def test_lengths_are_utf_16_code_units() -> None:
    assert (units("abc"), units("ü"), units("👍"), units("\ud83d")) == (3, 1, 2, 1)


@given(text=st.text(max_size=300), limit=st.integers(2, 200))
@example(text="00\r", limit=2)
def test_a_shortened_text_is_within_its_limit_and_says_that_it_was_cut(text: str, limit: int) -> None:
    shown = shorten(text, limit=limit)
    assert units(shown) <= limit
    assert shown.rstrip() == text.rstrip() or shown.endswith(ELLIPSIS)  # space at the end is no loss


def test_a_text_without_spaces_is_cut_at_the_limit() -> None:
    assert split_off("x" * 300, limit=200) == ("x" * 200, "x" * 100)


def test_a_word_that_only_consists_of_joined_characters_is_cut_all_the_same() -> None:
    assert split_off("a" + "\u0301" * 40, limit=30)[0] == "a" + "\u0301" * 29


def test_a_beginning_that_escapes_to_more_than_a_longer_one_fits_all_the_same() -> None:
    def doubled(text: str) -> str:
        return text if text.endswith("!") else text * 2

    head, _ = split_off("one two three! four", limit=14, escape=doubled)
    assert units(doubled(head)) <= 14


def test_texts_are_cut_between_words_and_never_within_a_character() -> None:
    assert shorten("one two three", limit=8) == "one two…"
    assert split_off("one two three", limit=9) == ("one two", "three")
    family = "👩‍👩‍👧‍👦"
    for limit in range(2, 60):
        text = shorten(family * 5, limit=limit)
        assert units(text) <= limit
        assert set(text.removesuffix("…").split(family)) <= {""} or limit < units(family) + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "javascript:alert(1)",
        "https://",
        "http://localhost/a",
        "https://a b.example/",
        "https://u:p@a.example/",
        "x" * 3000,
        "https://a.example\n.b",
        "https://a.example/\ud800",
    ],
)
def test_an_odd_address_is_left_out(text: str) -> None:
    assert web_address(text) == ""


def test_an_address_is_written_as_the_services_take_it() -> None:
    assert (
        web_address("HTTPS://A.Example:8080/ü (1)?q=%20&r=[x]")
        == "https://a.example:8080/%C3%BC%20%281%29?q=%20&r=%5Bx%5D"
    )


def test_an_address_that_grows_beyond_the_limit_is_left_out() -> None:
    assert web_address("https://a.example/ü", limit=20) == ""
    assert web_address("https://a.example/u", limit=20) == "https://a.example/u"


def test_a_beginning_whose_escaping_depends_on_what_follows_is_cut_once_more() -> None:
    def escape(text: str) -> str:
        return text + "!" * 5 if text.endswith("b") else text

    assert split_off("aaaab aaa", limit=7, escape=escape) == ("aaaa", "b aaa")
