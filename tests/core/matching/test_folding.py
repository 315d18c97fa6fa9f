"""Texts that look the same fold to the same text, and a folded text stays as it is."""

# ruff: noqa: RUF001 - texts that look like others are the subject here

import sys
from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.matching.folding import Form, fold, form_of
from tests.core.matching.patterns import LETTERS
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        ("BTC", "btc"),
        ("𝗕𝗥𝗘𝗔𝗞𝗜𝗡𝗚", "breaking"),
        ("𝓑𝓻𝓮𝓪𝓴𝓲𝓷𝓰 Ⓝⓔⓦⓢ", "breaking news"),
        ("ＢＴＣ／ＵＳＤ", "btc/usd"),
        ("B\u200bT\u2060C", "btc"),
        ("so\u00adft, \ufeffB\u034fT\ufe0fC\U000e0042", "soft, btc"),
        ("b\x00t\x7fc", "btc"),
        ("b\x00t\x7fć", "btć"),
        ("cafe\u0301", "café"),
        ("ca\u200dfe\u200d\u0301", "café"),
        (normalize("NFD", "비트코인"), "비트코인"),
        (normalize("NFD", "tiền"), "tiền"),
        ("ﾋﾞｯﾄ", "ビット"),
        ("İSTANBUL, I\u0307stanbul, ISTANBUL, ıstanbul", "istanbul, istanbul, istanbul, istanbul"),
        ("STRASSE, Straße", "strasse, strasse"),
        ("it\u2019s, it\u2018s, it´s, it\u02bcs", "it's, it's, it's, it's"),
        ("\u201cmerge\u201d", '"merge"'),
        ("e\u2011mail 1\u20132 \u2212 3 \u2014 4\uff0d5 \ufe58 x\u207b", "e-mail 1-2 - 3 - 4-5 - x-"),
        ("a\u00a0b\n\n c\t\u3000d\u2028e", "a b c d e"),
        ("  a  ", " a "),
        ("\n", " "),
        ("\u00a0\u00a0", " "),
        ("a\n", "a "),
        ("\u200b", ""),
        ("Tesla™ and Visa℠", "tesla™ and visa℠"),
        ("a ™ B", "a ™ b"),
        ("a  ™  B", "a ™ b"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f\u200d!", "\U0001f3f4\U000e0067\U000e0062\U000e007f!"),
        ("\U0001f3f4\u200d☠\ufe0f", "\U0001f3f4☠"),
        ("half \ud83d", "half \ud83d"),
    ],
)
def test_what_looks_the_same_is_the_same(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_each_form_compares_more_texts_as_the_same_than_the_one_before() -> None:
    assert [form_of("ＢTC", form) for form in Form] == ["ＢTC", "ｂtc", "btc"]


def test_each_character_folds_to_text_that_stays_as_it_is_in_any_normal_form() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        if character.isascii() or category(character) in {"Cn", "Co"}:
            continue
        folded = fold(character)
        assert fold(folded) == folded
        assert fold(normalize("NFD", character)) == folded
        assert [each for each in folded if len(each.casefold()) == 1 and each.casefold() != each] == []


odd = st.lists(
    st.sampled_from([*LETTERS, "\u0307", "\u0345", "\u0323", "\u0344", "\u3099", "\uff9e", "\uff8a", "ᾳ", "ᄀ", "ᅡ", "\u11a8"])
    | st.sampled_from(["™", "\U0001f3f4", "\U000e0067", "\U000e007f", "\u200d", "\u00a0", "\n", "´", "\u2014", "\ud83d"])
    | st.characters(),
    max_size=12,
).map("".join)  # fmt: skip


@given(odd)
@examples(500)
def test_a_folded_text_stays_as_it_is(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert fold(normalize("NFD", text)) == fold(normalize("NFC", text)) == folded
    assert "  " not in folded


@given(odd, odd)
def test_ascii_and_other_texts_are_folded_alike(one: str, other: str) -> None:
    # What is plain text in company of any other folds as it does alone.
    plain = "".join(each for each in one if each.isascii())
    assert fold(f"{plain}|東|{other}") == f"{fold(f'{plain}|')}東{fold(f'|{other}')}"


@pytest.mark.parametrize(
    "row", ["\u0301\u0323", "\u0344\u0323", "\uff9e\u0301", "\u0f73\u0301", "\u0301\u200d\u0323\ufe0f"]
)
def test_a_tower_of_accents_is_cut_before_they_are_sorted(row: str) -> None:
    tower = fold(f"a{row * 200_000}b")
    assert len(tower) < 40
    assert tower[-1] == "b"
    assert fold(tower) == tower


def test_an_accent_with_few_neighbours_is_no_tower() -> None:
    text = normalize("NFC", "a\u0323\u0327\u0301" * 100)
    assert fold(normalize("NFD", text)) == text
    assert fold("\u0301" * 30) == "\u0301" * 30
    assert fold("\u0301" * 31 + "a") == "\u0301" * 30 + "a"
