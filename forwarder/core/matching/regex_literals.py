"""Finds texts of which one must occur in every match of an RE2 pattern, so that most patterns need not be tried at all.

The reader knows less than RE2. For a pattern that it does not understand, it returns no texts.
"""

import re
import string

from forwarder.core.matching.folding import Form, fold

_REPEAT = re.compile(r"\{([0-9]+)(?:,[0-9]*)?\}|[*+?]")
_GROUP = re.compile(r"\?(?:P?<[^>]+>|([imsU]*)(?:-[imsU]+)?(:|\)))")
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_CODE = re.compile(r"\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2})")
_PROPERTY = re.compile(r"\{[^}]*\}|.", re.DOTALL)
_MAX_DEPTH = 40
_MAX_CODE = 0x10FFFF
_STABLE = (
    (0x0000, 0x017F),  # Latin
    (0x0391, 0x03C9),  # Greek
    (0x0400, 0x045F),  # Cyrillic
    (0x05D0, 0x06FF),  # Hebrew, Arabic
    (0x0900, 0x0FFF),  # scripts of India, Thai, Lao, Tibetan
    (0x3041, 0x9FFF),  # Japanese, Chinese
    (0xAC00, 0xD7A3),  # Korean
    (0x1F300, 0x1FAFF),  # pictures
)
"""Ranges of characters whose upper and lower case are the same for RE2 and Python, whatever their Unicode versions."""


class _UnknownError(Exception):
    """The pattern contains a construct that this reader does not know."""


def pieces_of(pattern: str, form: Form) -> frozenset[str] | None:
    """Return texts of which at least one is in every text that the pattern matches; `None` if there are none.

    They are in the form in which the text is compared, and occur in the text in that form.
    """
    reader = _RegexReader(pattern, form)
    try:
        found = reader.alternatives(0)
    except _UnknownError:
        return None
    return found if reader.at == len(pattern) else None


def rarity(piece: str) -> float:
    """Return an estimate of the share of texts that contain this piece, from its length. Most scripts have rarer letters than Latin."""
    if len(piece) == 1 and not piece.isalnum():
        return 0.2
    return (1.0, 0.8, 0.3, 0.08, 0.04, 0.02)[min(5, len(piece) if piece.isascii() else 2 * len(piece))]


class _RegexReader:
    """Reads one pattern and returns the texts that it requires."""

    def __init__(self, pattern: str, form: Form) -> None:
        self._pattern = pattern
        self._form = form
        self._ignore_case = form is not Form.WRITTEN
        self.at = 0

    def alternatives(self, depth: int) -> frozenset[str] | None:
        """Read to the end of the pattern, or to the bracket that closes the group; return the required texts."""
        if depth > _MAX_DEPTH:
            raise _UnknownError
        branches = [self._sequence(depth)]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence(depth))
        found = [branch for branch in branches if branch is not None]
        return frozenset().union(*found) if len(found) == len(branches) else None

    def _peek(self) -> str:
        return self._pattern[self.at : self.at + 1]

    def _sequence(self, depth: int) -> frozenset[str] | None:
        choices: list[frozenset[str]] = []
        run = ""
        while self._peek() not in {"", "|", ")"}:
            literal, within = self._one(depth)
            least, is_once = self._repeats()
            if literal and least:
                run += literal
                if is_once:
                    continue
            if run:
                choices.append(frozenset((run,)))
            # The last occurrence of a repeated character is directly before what follows.
            run = literal if literal and least else ""
            if within is not None and least:
                choices.append(within)
        if run:
            choices.append(frozenset((run,)))
        return min(choices, key=lambda each: sum(map(rarity, each)), default=None)

    def _repeats(self) -> tuple[bool, bool]:
        """Read a repetition; return whether it is at least once, and whether it is exactly once."""
        found = _REPEAT.match(self._pattern, self.at)
        if found is None:
            return True, True
        self.at = found.end()
        if self._peek() == "?":  # as few as possible
            self.at += 1
        if _REPEAT.match(self._pattern, self.at):
            raise _UnknownError
        return found[0] not in {"*", "?"} and int(found[1] or 1) > 0, False

    def _one(self, depth: int) -> tuple[str, frozenset[str] | None]:
        """Read one character, class, anchor or group; return its text, or the texts that a group requires."""
        character = self._peek()
        self.at += 1
        match character:
            case "(":
                return "", self._group(depth)
            case "[":
                self._class()
                return "", None
            case "\\":
                return self._escape(), None
            case "." | "^" | "$":
                return "", None
            case "*" | "+" | "?":
                raise _UnknownError
        return self._compared(character), None

    def _compared(self, character: str) -> str:
        if character in {"?", "�"}:  # in the text that RE2 sees, it may replace a lone surrogate
            return ""
        if not self._ignore_case:
            return character
        code = ord(character)
        if not any(first <= code <= last for first, last in _STABLE):
            return ""
        caseless = character.casefold()
        # In a folded text, a character that folding changes is another one, or a part of one.
        return caseless if self._form is Form.CASELESS or (len(caseless) == 1 and fold(caseless) == caseless) else ""

    def _group(self, depth: int) -> frozenset[str] | None:
        if self._peek() == "?":
            head = _GROUP.match(self._pattern, self.at)
            if head is None or (not self._ignore_case and "i" in (head[1] or "")):
                raise _UnknownError
            self.at = head.end()
            if head[2] == ")":  # flags for the rest of the group
                return None
        within = self.alternatives(depth + 1)
        if self._peek() != ")":
            raise _UnknownError
        self.at += 1
        return within

    def _class(self) -> None:
        if self._peek() == "^":
            self.at += 1
        if self._peek() == "]":
            self.at += 1
        while (character := self._peek()) != "]":
            if not character:
                raise _UnknownError
            end = self._pattern.find(":]", self.at + 2) if self._pattern.startswith("[:", self.at) else -1
            self.at = end + 2 if end >= 0 else self.at + (2 if character == "\\" else 1)
        self.at += 1

    def _escape(self) -> str:
        character = self._peek()
        self.at += 1
        if character in _CONTROL:
            return _CONTROL[character]
        if character == "x" and (found := _CODE.match(self._pattern, self.at)):
            self.at = found.end()
            code = int(found[1] or found[2], 16)
            return self._compared(chr(code)) if code <= _MAX_CODE else ""
        if character and character in "pP" and (found := _PROPERTY.match(self._pattern, self.at)):
            self.at = found.end()
            return ""
        if character and character in "dDwWsSbBAzC":
            return ""
        if character and character in string.punctuation:
            return self._compared(character)
        raise _UnknownError
