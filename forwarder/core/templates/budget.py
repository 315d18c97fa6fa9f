"""Counts the work of a rendering before it is done, so that no event makes a template use time or memory without limit."""

from collections.abc import Iterable, Iterator
from typing import Any

from forwarder.core.templates.filters import TemplateError

MAX_WORK = 16 * 1024 * 1024
"""How many units of work a rendering may do. A unit is about one character that is read or written: a few nanoseconds."""
_NODE = 24
"""What a number, a list and so on count as."""
_SEARCH = 8
"""A search compares each character with each of the text it looks for, at worst; so many of these comparisons are one unit."""

_ARITHMETIC = 14
"""Each digit of a whole number meets each of the other one; so many bits are cut from the number of these pairs to make units of them."""


class TooCostlyError(TemplateError):
    """A rendering exceeds the work that it may do."""

    def __init__(self, place: str = "") -> None:
        super().__init__(
            f"{place}the template does too much: too many iterations of its loops, or texts that are too long"
        )
        self.place = place


class Work:
    """Counts the work of one rendering, and raises `TooCostlyError` when it exceeds `most` units."""

    def __init__(self, most: int = MAX_WORK) -> None:
        self._left = most
        self._step = 0

    def begin(self, step: int) -> None:
        """Count from now on for a template of which one iteration of a loop, and one call, are `step` units."""
        self._step = step
        self.step()

    def step(self) -> None:
        """Count an iteration of a loop, or a call."""
        self.add(self._step)

    def steps(self, values: Iterable[Any], units: int = 0) -> Iterator[Any]:
        """Yield the values, each of them an iteration with some units more."""
        for value in values:
            self.add(self._step + units)
            yield value

    def add(self, units: int) -> None:
        """Count some units."""
        self._left -= units
        if self._left < 0:
            raise TooCostlyError

    def add_search(self, length: int, sought: int) -> None:
        """Count a search in a text of `length` characters for one of `sought` characters."""
        self.add(length + sought + length * sought // _SEARCH)

    def add_arithmetic(self, digits: int) -> None:
        """Count a multiplication or a division of whole numbers with `digits` binary digits altogether, or in the result."""
        self.add(digits * digits >> _ARITHMETIC)

    def add_whole(self, value: Any, *, times: int = 1) -> None:
        """Count a value with all that is in it. A list that a template makes may hold another one many times over."""
        left, waiting = self._left // times, [value]
        while waiting:
            each = waiting.pop()
            left -= _NODE
            if isinstance(each, str):
                left -= len(each)
            elif isinstance(each, dict):
                left -= _NODE * len(each)
                waiting += each.values()
                waiting += each
            elif isinstance(each, list | tuple):
                waiting += each
            elif isinstance(each, range):
                left -= _NODE * len(each)
            elif isinstance(each, int):
                left -= each.bit_length()
            elif each is not None and not isinstance(each, float) and isinstance(each, Iterator):
                raise TemplateError("a loop cannot be used as a list")
            if left < len(waiting):
                raise TooCostlyError
        self._left = left * times
