"""An event as conditions read it. Values are cached, because ten thousand conditions may read the same field."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from forwarder.core.event import Event, JSONValue
from forwarder.core.matching.folding import Form, fold
from forwarder.core.matching.paths import elements_of
from forwarder.core.posts.common_fields import Facts

Found = JSONValue | datetime
"""A value of a field. Only the field `now` has a `datetime`."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field that conditions can test. Two fields with the same name are equal."""

    name: str
    read: Callable[["Subject"], tuple[Found, ...]] = field(repr=False)
    """Returns the values of the field. An array at the end of a path is one value. Never raises."""
    is_deep: bool = False
    """Whether its values may be arrays, whose elements are then tested."""
    ignores_case: bool = False
    """Whether conditions ignore case by default."""
    marker: str = ""
    """A mark that a value in the config may begin with, such as the `@` of a handle."""
    values: tuple[str, ...] = ()
    """All possible values, if they are known."""
    known: tuple[str, ...] = ()
    """The usual values, where others are possible too."""
    is_single: bool = False
    """Whether the field never has two values at once."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Subject:
    """Provides the values of one event at one moment, or of one element of it, to conditions."""

    __slots__ = ("_caseless", "_elements", "_encoded", "_folded", "_nodes", "event", "facts", "held", "now", "root")

    def __init__(self, event: Event, now: datetime, *, facts: Facts | None = None, root: JSONValue = None) -> None:
        """`now` is when the event is matched (an aware time). `root` is where paths begin; by default the payload."""
        self.event = event
        self.now = now
        self.facts = facts or Facts(source=event.source, payload=event.payload, timestamp=event.timestamp)
        self.root = event.payload if root is None else root
        self.held: dict[int, tuple[object, bool]] = {}
        """The results of matchers by the identity of their conditions, so that each is evaluated once for the event."""
        self._nodes: dict[str, tuple[Found, ...]] = {}
        self._elements: dict[str, tuple[Found, ...]] = {}
        self._caseless: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self._encoded: dict[str, bytes] = {}

    def within(self, element: dict[str, JSONValue]) -> "Subject":
        """Return a subject of the same event whose paths begin at one of its objects."""
        return Subject(self.event, self.now, facts=self.facts, root=element)

    def nodes(self, field: Field) -> tuple[Found, ...]:
        """Return the values of the field itself; an array is one value."""
        found = self._nodes.get(field.name)
        if found is None:
            found = self._nodes[field.name] = field.read(self)
        return found

    def elements(self, field: Field) -> tuple[Found, ...]:
        """Return the values of the field, with arrays replaced by their elements."""
        found = self._elements.get(field.name)
        if found is None:
            nodes = self.nodes(field)
            if field.is_deep and any(isinstance(node, list) for node in nodes):
                nodes = tuple(element for node in nodes for element in spread(node))
            found = self._elements[field.name] = nodes
        return found

    def compared(self, text: str, form: Form) -> str:
        """Return the text in the form in which it is compared."""
        if form is Form.FOLDED:
            return self.folded(text)
        return text if form is Form.WRITTEN else self.caseless(text)

    def caseless(self, text: str) -> str:
        """Return the text without upper case, for comparisons that ignore case and nothing else."""
        caseless = self._caseless.get(text)
        if caseless is None:
            caseless = self._caseless[text] = text.casefold()
        return caseless

    def folded(self, text: str) -> str:
        """Return the text folded, for comparisons of what it looks like."""
        folded = self._folded.get(text)
        if folded is None:
            folded = self._folded[text] = fold(text)
        return folded

    def encode(self, text: str) -> bytes:
        """Return the text as UTF-8, with `?` for a lone surrogate, which UTF-8 cannot encode."""
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
