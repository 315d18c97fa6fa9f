"""An event as conditions see it. What one of them has read, none reads again: there may be ten thousand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from forwarder.core.common_fields import Facts
from forwarder.core.event import Event, JSONValue
from forwarder.core.matching.paths import elements_of

Found = JSONValue | datetime
"""A value under a field; the field `now` alone has a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field by its name; two of one name are the same."""

    name: str
    read: Callable[["Subject"], tuple[Found, ...]] = field(repr=False)
    """Returns what stands at the field; an array at the end of a path as one value. Never raises."""
    is_deep: bool = False
    """Whether its values may be arrays, which then stand for their elements."""
    ignores_case: bool = False
    marker: str = ""
    """A mark that may stand before a value in the config: the `@` of a handle."""
    values: tuple[str, ...] = ()
    """The only values there are, where they are known."""
    is_single: bool = False
    """Whether it never has two values at once."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Subject:
    """One event at one moment, or an element of an array of it."""

    __slots__ = ("_elements", "_encoded", "_folded", "_nodes", "event", "facts", "held", "now", "root")

    def __init__(self, event: Event, now: datetime, *, facts: Facts | None = None, root: JSONValue = None) -> None:
        """`now` is aware: when the event is matched, for ages and quiet hours; `root` is where paths begin, the payload where it is left out."""
        self.event = event
        self.now = now
        self.facts = facts or Facts(source=event.source, payload=event.payload, timestamp=event.timestamp)
        self.root = event.payload if root is None else root
        self.held: dict[int, tuple[object, bool]] = {}
        """Which matchers hold, by the identity of their conditions: each is asked once, however many rules use it."""
        self._nodes: dict[str, tuple[Found, ...]] = {}
        self._elements: dict[str, tuple[Found, ...]] = {}
        self._folded: dict[str, str] = {}
        self._encoded: dict[str, bytes] = {}

    def within(self, element: dict[str, JSONValue]) -> "Subject":
        """Return the same event with paths that begin at one of its objects."""
        return Subject(self.event, self.now, facts=self.facts, root=element)

    def nodes(self, field: Field) -> tuple[Found, ...]:
        """Return what stands at the field itself: an array at its end is one value."""
        found = self._nodes.get(field.name)
        if found is None:
            found = self._nodes[field.name] = field.read(self)
        return found

    def elements(self, field: Field) -> tuple[Found, ...]:
        """Return every value under the field; an array at its end stands for its elements."""
        found = self._elements.get(field.name)
        if found is None:
            nodes = self.nodes(field)
            if field.is_deep and any(isinstance(node, list) for node in nodes):
                nodes = tuple(element for node in nodes for element in spread(node))
            found = self._elements[field.name] = nodes
        return found

    def fold(self, text: str) -> str:
        """Return the text without its case."""
        folded = self._folded.get(text)
        if folded is None:
            folded = self._folded[text] = text.casefold()
        return folded

    def encode(self, text: str) -> bytes:
        """Return the text as UTF-8, with `?` for a lone surrogate, which JSON can hold and UTF-8 cannot."""
        encoded = self._encoded.get(text)
        if encoded is None:
            encoded = self._encoded[text] = text.encode("utf-8", "replace")
        return encoded


def spread(node: Found) -> Iterator[Found]:
    """Yield a value, or the elements of an array."""
    if isinstance(node, list):
        yield from elements_of(node)
    else:
        yield node
