r"""Cuts an RE2 pattern into tokens, and finds a `\b` that can be next to a letter outside of ASCII."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

_TOKEN = re.compile(
    r"""\\Q.*?(?:\\E|\Z)          # a text that is meant as it is
    | \\[pP](?:\{[^}]*\}|.)       # a property of Unicode
    | \\x(?:\{[^}]*\}|[0-9A-Fa-f]{2})
    | \\.
    | \[\^?\]?(?:\[:[^\]]*:\]|\\[pP]\{[^}]*\}|\\.|[^\]\\])*\]
    | \((?:\?(?:P?<[^>]*>|[a-zA-Z-]*(?::|(?=\)))))?
    | [*+?]\??
    | \{[0-9]+(?:,[0-9]*)?\}\??
    | .""",
    re.VERBOSE | re.DOTALL,
)
_LETTERS_OF_UNICODE = re.compile(r"\\p(?:[LMN]|\{(?!\^)[^}]+\})")
_MOST = 1_000
"""The most tokens of a pattern that is looked at."""


class TokenKind(Enum):
    """What a token is."""

    LETTER = auto()
    """A letter, mark or digit outside of ASCII, or a class that contains some."""
    OTHER = auto()
    ESCAPED = auto()
    r"""An ASCII character behind a `\`."""
    SHORTHAND = auto()
    r"""`\w` or `\W`."""
    BOUNDARY = auto()
    r"""`\b` or `\B`."""
    OPEN = auto()
    CLOSE = auto()
    OR = auto()
    REPEAT = auto()


@dataclass(frozen=True, slots=True)
class RegexToken:
    """A part of a pattern."""

    kind: TokenKind
    text: str


_MARKS = {"(": TokenKind.OPEN, ")": TokenKind.CLOSE, "|": TokenKind.OR}
_ESCAPES = {
    r"\b": TokenKind.BOUNDARY,
    r"\B": TokenKind.BOUNDARY,
    r"\w": TokenKind.SHORTHAND,
    r"\W": TokenKind.SHORTHAND,
}


def tokens_of(pattern: str) -> list[RegexToken]:
    """Return the tokens of a valid pattern."""
    return [RegexToken(_kind(found[0]), found[0]) for found in _TOKEN.finditer(pattern)]


def _kind(text: str) -> TokenKind:
    if text[0] == "(" or text in _MARKS:
        return _MARKS[text[0]]
    if text in _ESCAPES:
        return _ESCAPES[text]
    if text[0] in "*+?{" and (len(text) > 1 or text != "{"):
        return TokenKind.REPEAT
    if text.startswith(("[^", r"\P")):
        return TokenKind.OTHER
    if text[0] in "[\\" and _LETTERS_OF_UNICODE.search(text):
        return TokenKind.LETTER
    if any(not each.isascii() and unicodedata.category(each)[0] in "LMN" for each in text):
        return TokenKind.LETTER
    return TokenKind.ESCAPED if text[0] == "\\" else TokenKind.OTHER


def has_boundary_at_letter(tokens: Sequence[RegexToken]) -> bool:
    r"""Return whether a `\b` or `\B` can be directly before or after a letter outside of ASCII."""
    kinds = {token.kind for token in tokens}
    if not {TokenKind.BOUNDARY, TokenKind.LETTER} <= kinds or len(tokens) > _MOST:
        return False
    groups = _Groups(tokens)
    wanted = {TokenKind.BOUNDARY: TokenKind.LETTER, TokenKind.LETTER: TokenKind.BOUNDARY}
    return any(
        tokens[follower].kind is wanted[token.kind]
        for index, token in enumerate(tokens)
        if token.kind in wanted
        for follower in groups.followers(index)
    )


class _Groups:
    """Where the groups of a pattern begin, branch and end."""

    def __init__(self, tokens: Sequence[RegexToken]) -> None:
        self._tokens = tokens
        self._ends: dict[int, int] = {}
        """The end of the group, by its beginning and by each of its branches."""
        self._branches: dict[int, list[int]] = {}
        """The first token of each branch, by the beginning of the group."""
        waiting: list[list[int]] = [[-1]]
        self._branches[-1] = [0]
        for index, token in enumerate(tokens):
            if token.kind is TokenKind.OPEN:
                waiting.append([index])
                self._branches[index] = [index + 1]
            elif token.kind is TokenKind.OR:
                self._branches[waiting[-1][0]].append(index + 1)
                waiting[-1].append(index)
            elif token.kind is TokenKind.CLOSE and len(waiting) > 1:
                self._ends |= dict.fromkeys(waiting.pop(), index)
        for each in waiting:
            self._ends |= dict.fromkeys(each, len(tokens))

    def followers(self, index: int) -> Iterator[int]:
        """Yield each token that can come directly after this one: with only boundaries between them."""
        waiting, seen = [self._after(index)], set[int]()
        while waiting:
            at = waiting.pop()
            if at in seen or at >= len(self._tokens):
                continue
            seen.add(at)
            kind = self._tokens[at].kind
            if kind is TokenKind.OPEN:
                waiting += self._branches[at]
                if self._is_optional(self._ends[at]):
                    waiting.append(self._after(self._ends[at]))
            elif kind is TokenKind.OR:
                waiting.append(self._after(self._ends[at]))
            elif kind in {TokenKind.CLOSE, TokenKind.BOUNDARY}:
                if kind is TokenKind.BOUNDARY:
                    yield at
                waiting.append(self._after(at))
            else:
                yield at
                if self._is_optional(at):
                    waiting.append(self._after(at))

    def _after(self, index: int) -> int:
        """Return the token after this one and its repetition."""
        return index + 2 if self._repeat(index) else index + 1

    def _repeat(self, index: int) -> str:
        following = self._tokens[index + 1 : index + 2]
        return following[0].text if following and following[0].kind is TokenKind.REPEAT else ""

    def _is_optional(self, index: int) -> bool:
        return self._repeat(index).startswith(("*", "?", "{0"))
