r"""The tokens of a pattern, and whether a `\b` can be next to a letter outside of ASCII."""

import pytest
from hypothesis import given

from forwarder.core.config.hints.regex_tokens import Kind, has_boundary_at_letter, tokens_of
from tests.core.matching.patterns import patterns


@given(patterns)
def test_the_tokens_of_any_pattern_are_the_whole_pattern(pattern: str) -> None:
    tokens = tokens_of(pattern)
    assert "".join(token.text for token in tokens) == pattern
    assert not has_boundary_at_letter([token for token in tokens if token.kind is not Kind.LETTER])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("й", Kind.LETTER),
        ("比", Kind.LETTER),
        ("[й-щ]", Kind.LETTER),
        (r"[\p{Cyrillic}]", Kind.LETTER),
        (r"\pL", Kind.LETTER),
        (r"\p{Greek}", Kind.LETTER),
        (r"\Qй\E", Kind.LETTER),
        ("[^й-щ]", Kind.OTHER),
        (r"\PL", Kind.OTHER),
        (r"\p{^Greek}", Kind.ESCAPED),
        ("a", Kind.OTHER),
        ("[a-z]", Kind.OTHER),
        ("🚀", Kind.OTHER),
        ("{", Kind.OTHER),
        ("[]]", Kind.OTHER),
        ("[[:alpha:]]", Kind.OTHER),
        (r"[\]й]", Kind.LETTER),
        (r"\.", Kind.ESCAPED),
        (r"\x{431}", Kind.ESCAPED),
        (r"\w", Kind.SHORTHAND),
        (r"\W", Kind.SHORTHAND),
        (r"\b", Kind.BOUNDARY),
        (r"\B", Kind.BOUNDARY),
        ("(?:", Kind.OPEN),
        ("(?P<a>", Kind.OPEN),
        ("(", Kind.OPEN),
        (")", Kind.CLOSE),
        ("|", Kind.OR),
        ("*?", Kind.REPEAT),
        ("{2,5}", Kind.REPEAT),
    ],
)
def test_the_kinds_of_tokens(text: str, kind: Kind) -> None:
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
