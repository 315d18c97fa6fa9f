"""Reads a file of variables as systemd reads one for `EnvironmentFile=` (systemd.exec(5); `src/basic/env-file.c`), which is not a shell's way.

Comments begin with `#` or `;` at the beginning of a line. Quotes count only at the beginning of a value and after a closing quote; `$`, `&` and
a backquote are ordinary characters everywhere. A backslash at the end of a line continues a value.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.files import read_argument, without_mark

_COMMENTS = "#;"
_SPACE = " \t\n\r"
_NEWLINE = "\n\r"
_ESCAPED_IN_QUOTES = '"\\`$'
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_MARK = (
    "the file begins with a byte order mark (BOM), with which systemd ignores its first variable; save it without one"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EnvFileUnreadableError(ConfigUnreadableError):
    """A file of variables cannot be read; the text says why."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = f"--env-file: {path} cannot be read: {reason}"
        self.advice = "It must be a file with a line NAME='value' for each variable"
        Exception.__init__(self, f"{self.reason}. {self.advice}")


def read_env_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the variables in a file, and a sentence for each line that systemd ignores or that means more than it seems to.

    Raises `EnvFileUnreadableError`, also for a file of which systemd reads nothing: with a NUL byte, or a variable that is not UTF-8.
    """
    try:
        content = read_argument(path)
        text = without_mark(content).decode(errors="surrogateescape")
    except OSError as error:
        raise EnvFileUnreadableError(path, error.strerror or str(error)) from error
    if "\0" in text:
        raise EnvFileUnreadableError(path, "it has a NUL byte")
    reader = _Reader(text)
    if content != without_mark(content):
        reader.remarks.append((1, _MARK))
    variables = {}
    for line, name, value in _assignments(reader):
        if value is not None and _NOT_UTF8.search(name + value):
            raise EnvFileUnreadableError(path, f"line {line} is not UTF-8")
        if value is None or _NAME.fullmatch(name) is None:
            reader.remarks.append((line, _why_ignored(name, value)))
        else:
            variables[name] = value
    return variables, [f"{path}:{line}: {remark}" for line, remark in sorted(reader.remarks)]


def _why_ignored(name: str, value: str | None) -> str:
    """Return why a line is ignored."""
    if name.startswith(("export ", "export\t")):
        return "ignored, as systemd does: it does not know `export`; write only NAME='value'"
    if value is None:
        return "ignored, as systemd does: there is no `=`; write NAME='value'"
    return "ignored, as systemd does: the name of a variable has only letters, digits and `_`, with no digit at its beginning"


def _assignments(reader: "_Reader") -> Iterator[tuple[int, str, str | None]]:
    """Yield the line, the name and the value of each assignment; the value is `None` where there is no `=`."""
    while (char := reader.peek()) is not None:
        if char in _SPACE:
            reader.take()
        elif char in _COMMENTS:
            reader.skip_comment()
        else:
            line = reader.line
            name = reader.read_name()
            yield line, name, reader.read_value() if reader.take_if("=") else None


class _Reader:
    """Reads a text character by character, and counts its lines."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.line = 1
        self.remarks: list[tuple[int, str]] = []
        """What is to be said of which line."""

    def peek(self) -> str | None:
        """Return the next character; `None` at the end."""
        return self._text[self._at] if self._at < len(self._text) else None

    def take(self) -> str:
        """Return the next character and go on; nothing at the end."""
        char = self._text[self._at : self._at + 1]
        self._at += 1
        self.line += char == "\n"
        return char

    def take_if(self, wanted: str) -> bool:
        """Go on if that is the next character."""
        is_there = self.peek() == wanted
        if is_there:
            self.take()
        return is_there

    def skip_comment(self) -> None:
        """Go to the end of the line."""
        line, is_escape = self.line, False
        while (char := self.take()) and char not in _NEWLINE:
            is_escape = char == "\\" and not is_escape
        if char == "\n" and is_escape:
            self.remarks.append(
                (
                    line,
                    "a comment must not end with a backslash: systemd before version 254 also ignores the line after it",
                )
            )

    def read_name(self) -> str:
        """Return what is before `=` or the end of the line, without the white space around it."""
        found = ""
        while (char := self.peek()) is not None and char not in f"={_NEWLINE}":
            found += self.take()
        return found.rstrip(_SPACE)

    def read_value(self) -> str:
        """Return the value: quoted and unquoted parts, up to the end of the line."""
        found = ""
        while (char := self.take()) and char not in _NEWLINE:
            if char == "'":
                found += self._single_quoted()
            elif char == '"':
                found += self._double_quoted()
            elif char not in _SPACE:
                return found + self._unquoted(char)
        return found

    def _single_quoted(self) -> str:
        line, found = self.line, ""
        while (char := self.take()) and char != "'":
            found += char
        self._remark_if_open(char, line)
        return found

    def _double_quoted(self) -> str:
        line, found = self.line, ""
        while (char := self.take()) and char != '"':
            if char == "\\":
                char = self.take()
                found += char if char in _ESCAPED_IN_QUOTES else "" if char == "\n" else f"\\{char}"
            else:
                found += char
        self._remark_if_open(char, line)
        return found

    def _remark_if_open(self, char: str, line: int) -> None:
        """Note that a quote is not closed, if the text ended before it."""
        if not char:
            self.remarks.append((line, "the quote is not closed, so the value is the whole rest of the file"))

    def _unquoted(self, char: str) -> str:
        """Return the rest of the line, without the white space at its end that no backslash protects."""
        found, kept = "", 0
        while char and char not in _NEWLINE:
            if char == "\\":
                char = self.take()
                found += "" if char in _NEWLINE else char
                kept = len(found)
            else:
                found += char
            char = self.take()
        return found[:kept] + found[kept:].rstrip(_SPACE)
