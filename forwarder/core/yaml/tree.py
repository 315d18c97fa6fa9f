"""The values of a YAML file before they are interpreted.

A scalar is the text as it is written: `0777`, `12:30:45`, `no` and a 64-bit id keep all their characters. The code that knows the
field decides what the text means.
"""

from typing import Self


class Scalar(str):
    """The text of one scalar, and whether it is quoted: `"no"` is a text, `no` may be a mistake."""

    __slots__ = ("quoted",)

    quoted: bool
    """Whether the text is in single or double quotes, or is a block (`|`, `>`)."""

    def __new__(cls, text: str, *, quoted: bool = False) -> Self:
        """Create a scalar as if it were read from a file."""
        self = super().__new__(cls, text)
        self.quoted = quoted
        return self


class Expanded(Scalar):
    """A text that contains the values of variables. They may be secrets, so messages show `written` instead."""

    __slots__ = ("written",)

    written: str

    def __new__(cls, text: str, *, quoted: bool = False, written: str = "") -> Self:
        """Create a scalar that is written as `written` in the file."""
        self = super().__new__(cls, text, quoted=quoted)
        self.written = written
        return self


class ExpandedBlock(Expanded):
    """A block (`|`, `>`) that contains the values of variables."""

    __slots__ = ()


class Sealed(Scalar):
    """A value of which only a digest is known, and which is the text."""

    __slots__ = ("salt", "written")

    written: str
    """What stands in the file where the value came from a variable, or an empty text."""
    salt: str
    """What the digest was made with."""

    def __new__(cls, text: str, *, quoted: bool = False, written: str = "", salt: str = "") -> Self:
        """Create the digest of a value that is written as `written` in the file."""
        self = super().__new__(cls, text, quoted=quoted)
        self.written, self.salt = written, salt
        return self


Tree = Scalar | list["Tree"] | dict[str, "Tree"]

Path = tuple[str | int, ...]
"""The keys and indexes from the root of a tree to a value: `("routes", 2, "to", 0)`."""
