"""What stands in a YAML file, before anybody has said what it means.

A scalar is the text between its marks and nothing else: `0777`, `12:30:45`, `no` and a 64-bit id stay what was written.
Whoever knows the field decides what that text is.
"""

from typing import Self


class Scalar(str):
    """The text of one scalar; `quoted` tells `"no"` (surely meant as text) from a plain `no`."""

    __slots__ = ("quoted",)

    quoted: bool
    """Written in single or double quotes, or as a block (`|`, `>`)."""

    def __new__(cls, text: str, *, quoted: bool = False) -> Self:
        """A scalar as if it stood in a file."""
        self = super().__new__(cls, text)
        self.quoted = quoted
        return self


class Expanded(Scalar):
    """A text with the values of variables in it. Those may be secret, so messages show `written` in its place."""

    __slots__ = ("written",)

    written: str

    def __new__(cls, text: str, *, quoted: bool = False, written: str = "") -> Self:
        """A scalar that reads `written` in the file."""
        self = super().__new__(cls, text, quoted=quoted)
        self.written = written
        return self


Tree = Scalar | list["Tree"] | dict[str, "Tree"]

Path = tuple[str | int, ...]
"""The way from the root of a tree to one of its places: `("routes", 2, "to", 0)`."""
