"""Keeps what a condition says in the file, for explanations, in little memory once the file is read.

A scalar of the file knows its place and takes 200 bytes, which was more than half of what ten thousand routes took. Even a few that are left
keep whole pages of memory from being given back, because they lie among those that are not needed any more.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from forwarder.core.matching.conditions import AllOf, AnyOf, Condition, FieldTest, Matcher, Not, ValueTest, Where
from forwarder.core.matching.sealed_equals import SealedEquals
from forwarder.core.matching.texts import Contains, Equals, Prefix, Regex, Suffix, Wildcard, Word
from forwarder.core.matching.values import Age, Between, Compare, Length, WallClock
from forwarder.core.yaml.tree import Scalar


class Written(Sequence[Scalar]):
    """Scalars of a file. Those without variables are kept as plain texts, which the test itself has as well, and made anew when asked for."""

    __slots__ = ("_quoted", "_texts")

    def __init__(self, scalars: Iterable[Scalar], known: Iterable[str] = ()) -> None:
        """`known` are texts that are kept anyway: an equal one is not kept twice."""
        kept = {text: text for text in known}
        found = tuple(scalars)
        texts = tuple(kept.get(each, str(each)) if _is_plain(each) else each for each in found)
        self._texts = known if texts == known and all(map(_is_plain, found)) else texts
        self._quoted = sum(1 << number for number, each in enumerate(found) if each.quoted)

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Scalar: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Scalar, ...]: ...
    def __getitem__(self, index: int | slice) -> Scalar | tuple[Scalar, ...]:
        return tuple(self)[index]

    def __iter__(self) -> Iterator[Scalar]:
        for number, text in enumerate(self._texts):
            is_quoted = bool(self._quoted >> number & 1)
            yield text if isinstance(text, Scalar) else Scalar(text, quoted=is_quoted)


def _is_plain(scalar: Scalar) -> bool:
    """Return whether nothing is known of a scalar but its text, its place and whether it is quoted."""
    return not hasattr(scalar, "written")


def shrink(conditions: Iterable[Condition]) -> None:
    """Keep in little memory what is written in conditions that are complete."""
    seen: set[int] = set()
    for condition in conditions:
        _shrink(condition, seen)


def _shrink(condition: Condition, seen: set[int]) -> None:
    """`seen` has the conditions of matchers, by their ids."""
    match condition:
        case AllOf(conditions=parts) | AnyOf(conditions=parts):
            for part in parts:
                _shrink(part, seen)
        case Not(condition=below):
            _shrink(below, seen)
        case Matcher(condition=below):
            if id(below) not in seen:
                seen.add(id(below))
                _shrink(below, seen)
        case FieldTest(of_element=of_element, of_node=of_node):
            for test in (*of_element, *of_node):
                _shrink_test(test, seen)


def _shrink_test(test: ValueTest, seen: set[int]) -> None:
    match test:
        case Where(condition=below):
            _shrink(below, seen)
        case SealedEquals(plain=plain):
            _set(test, Written(test.written, plain.texts))
            _set(plain, Written(plain.written, plain.texts))
        case Equals():
            _set(test, Written(test.written, test.texts))
        case Contains() | Word() | Prefix() | Suffix():
            _set(test, Written(test.written, test.parts))
        case Length(tests=tests):
            for each in tests:
                _shrink_test(each, seen)
        case Regex() | Wildcard() | Compare() | Between() | Age() | WallClock():
            _set(test, tuple(Written(test.written)))


def _set(test: ValueTest, written: Sequence[Scalar]) -> None:
    object.__setattr__(test, "written", written)  # it means the same
