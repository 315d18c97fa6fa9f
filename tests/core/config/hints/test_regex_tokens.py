r"""The tokens of a pattern, and whether a `\b` can be next to a letter outside of ASCII."""

import pytest
from hypothesis import given

from forwarder.core.config.hints.regex_tokens import TokenKind, has_boundary_at_letter, tokens_of
from tests.core.matching.patterns import patterns


@given(patterns)
def test_the_tokens_of_any_pattern_are_the_whole_pattern(pattern: str) -> None:
    tokens = tokens_of(pattern)
    assert "".join(token.text for token in tokens) == pattern
    assert not has_boundary_at_letter([token for token in tokens if token.kind is not TokenKind.LETTER])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("й", TokenKind.LETTER),
        ("比", TokenKind.LETTER),
        ("[й-щ]", TokenKind.LETTER),
        (r"[\p{Cyrillic}]", TokenKind.LETTER),
        (r"\pL", TokenKind.LETTER),
        (r"\p{Greek}", TokenKind.LETTER),
        (r"\Qй\E", TokenKind.LETTER),
        ("[^й-щ]", TokenKind.OTHER),
        (r"\PL", TokenKind.OTHER),
        (r"\p{^Greek}", TokenKind.ESCAPED),
        ("a", TokenKind.OTHER),
        ("[a-z]", TokenKind.OTHER),
        ("🚀", TokenKind.OTHER),
        ("{", TokenKind.OTHER),
        ("[]]", TokenKind.OTHER),
        ("[[:alpha:]]", TokenKind.OTHER),
        (r"[\]й]", TokenKind.LETTER),
        (r"\.", TokenKind.ESCAPED),
        (r"\x{431}", TokenKind.ESCAPED),
        (r"\w", TokenKind.SHORTHAND),
        (r"\W", TokenKind.SHORTHAND),
        (r"\b", TokenKind.BOUNDARY),
        (r"\B", TokenKind.BOUNDARY),
        ("(?:", TokenKind.OPEN),
        ("(?P<a>", TokenKind.OPEN),
        ("(", TokenKind.OPEN),
        (")", TokenKind.CLOSE),
        ("|", TokenKind.OR),
        ("*?", TokenKind.REPEAT),
        ("{2,5}", TokenKind.REPEAT),
    ],
)
def test_the_kinds_of_tokens(text: str, kind: TokenKind) -> None:
    (token,) = tokens_of(text)
    assert (token.text, token.kind) == (text, kind)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\bй", True),
        (r"й\b", True),
        (r"й?\b", True),
        (r"\b(й)", True),
        (r"\b(?:a|й)", True),
        (r"(?:a|й)\b", True),
        (r"(?:a|й|b)c?\b", True),
        (r"(?i)\b\bй", True),
        (r"\bx*й", True),
        (r"\bx{0,2}й", True),
        (r"\b(?:x)?й", True),
        (r"\b(?:x)*?й", True),
        (r"(?:\b|a)й", True),
        (r"\Bй", True),
        (r"\b()й", True),
        (r"a\bb|й", False),
        (r"\bbuy й", False),
        (r"\b(?:x)й", False),
        (r"\bx+й", False),
        (r"й \b", False),
        (r"\ba|й\d", False),
        (r"й", False),
        (r"\bab\b", False),
        (r"\b" + "x" * 1_000 + r"\bй", False),
    ],
)
def test_a_boundary_at_a_letter_is_found(pattern: str, expected: bool) -> None:
    assert has_boundary_at_letter(tokens_of(pattern)) == expected
