"""What a condition is made of: blocks, and fields with their tests."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from forwarder.core.matching.subject import Field, Found, Subject, spread


@runtime_checkable  # pydantic asks
class Condition(Protocol):
    """One question about an event."""

    def matches(self, subject: Subject) -> bool:
        """Return whether the event is meant. Never raises."""
        ...


class ValueTest(Protocol):
    """One question about one value."""

    def passes(self, value: Found, subject: Subject) -> bool:
        """Return whether the value is meant. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of its conditions holds; with none it holds for every event."""

    conditions: tuple[Condition, ...]

    def matches(self, subject: Subject) -> bool:  # noqa: D102 - said by the Protocol
        for condition in self.conditions:  # noqa: SIM110 - a generator would cost as much as most conditions
            if not condition.matches(subject):
                return False
        return True


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of its conditions holds; with none it holds for no event."""

    conditions: tuple[Condition, ...]

    def matches(self, subject: Subject) -> bool:  # noqa: D102
        for condition in self.conditions:  # noqa: SIM110
            if condition.matches(subject):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Not:
    """Its condition does not hold."""

    condition: Condition

    def matches(self, subject: Subject) -> bool:  # noqa: D102
        return not self.condition.matches(subject)


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition of the config's `matchers`, by its name."""

    name: str
    condition: Condition

    def matches(self, subject: Subject) -> bool:  # noqa: D102
        known = subject.held.get(id(self.condition))
        if known is None:
            known = subject.held[id(self.condition)] = self.condition, self.condition.matches(subject)
        return known[1]


@dataclass(frozen=True, slots=True)
class FieldTest:
    """A field and its tests: one value under the field passes all of them.

    `of_node` ask about the value at the field itself (`length`, `type`), `of_element` about each element where that is an array.
    """

    field: Field
    of_element: tuple[ValueTest, ...] = ()
    of_node: tuple[ValueTest, ...] = ()

    def matches(self, subject: Subject) -> bool:  # noqa: D102
        if self.of_node:
            return any(self._passes(node, subject) for node in subject.nodes(self.field))
        if len(self.of_element) == 1:
            test = self.of_element[0]
            for value in subject.elements(self.field):  # noqa: SIM110 - the usual case, ten thousand times an event
                if test.passes(value, subject):
                    return True
            return False
        return any(passes_all(self.of_element, value, subject) for value in subject.elements(self.field))

    def _passes(self, node: Found, subject: Subject) -> bool:
        if not passes_all(self.of_node, node, subject):
            return False
        return not self.of_element or any(passes_all(self.of_element, value, subject) for value in spread(node))


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value, or there is none; null is none."""

    field: Field
    wanted: bool

    def matches(self, subject: Subject) -> bool:  # noqa: D102
        return any(node is not None for node in subject.nodes(self.field)) == self.wanted


@dataclass(frozen=True, slots=True)
class Where:
    """Of an object, the condition holds within it: its paths begin there."""

    condition: Condition

    def passes(self, value: Found, subject: Subject) -> bool:  # noqa: D102
        return isinstance(value, dict) and self.condition.matches(subject.within(value))


def passes_all(tests: tuple[ValueTest, ...], value: Found, subject: Subject) -> bool:
    """Return whether a value passes each of the tests."""
    for test in tests:  # noqa: SIM110
        if not test.passes(value, subject):
            return False
    return True


NOTHING = AnyOf(())
"""Holds for no event."""
EVERYTHING = AllOf(())
"""Holds for every event."""
