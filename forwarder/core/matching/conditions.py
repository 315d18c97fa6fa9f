"""The parts of a condition: blocks, and fields with their tests."""

from typing import Protocol, runtime_checkable

import msgspec

from forwarder.core.matching.subject import Field, Found, Subject, spread


@runtime_checkable  # pydantic asks
class Condition(Protocol):
    """Matches events or does not."""

    def matches(self, subject: Subject) -> bool:
        """Return whether the event matches. Never raises."""
        ...


class ValueTest(Protocol):
    """A test of one value of a field."""

    def passes(self, value: Found, subject: Subject) -> bool:
        """Return whether the value passes. Never raises."""
        ...


class AllOf(msgspec.Struct, frozen=True):
    """Matches if all of its conditions match; without conditions it matches every event."""

    conditions: tuple[Condition, ...]

    def matches(self, subject: Subject) -> bool:
        for condition in self.conditions:  # a generator would cost as much as most conditions
            if not condition.matches(subject):
                return False
        return True


class AnyOf(msgspec.Struct, frozen=True):
    """Matches if at least one of its conditions matches; without conditions it matches no event."""

    conditions: tuple[Condition, ...]

    def matches(self, subject: Subject) -> bool:
        for condition in self.conditions:
            if condition.matches(subject):
                return True
        return False


class Not(msgspec.Struct, frozen=True):
    """Matches if its condition does not match."""

    condition: Condition

    def matches(self, subject: Subject) -> bool:
        return not self.condition.matches(subject)


class Matcher(msgspec.Struct, frozen=True):
    """Refers to a condition of the config's `matchers`. It is evaluated once for each event, even if many routes use it."""

    name: str
    condition: Condition

    def matches(self, subject: Subject) -> bool:
        known = subject.held.get(id(self.condition))
        if known is None:
            known = subject.held[id(self.condition)] = self.condition, self.condition.matches(subject)
        return known[1]


class FieldTest(msgspec.Struct, frozen=True):
    """Matches if one value of the field passes all tests.

    `of_node` test the value of the field itself (`length`, and a `type` that may be `array`). `of_element` test each element if that value is an
    array.
    """

    field: Field
    of_element: tuple[ValueTest, ...] = ()
    of_node: tuple[ValueTest, ...] = ()

    def matches(self, subject: Subject) -> bool:
        if self.of_node:
            return any(self._passes(node, subject) for node in subject.nodes(self.field))
        if len(self.of_element) == 1:
            test = self.of_element[0]
            for value in subject.elements(self.field):  # the usual case, ten thousand times an event
                if test.passes(value, subject):
                    return True
            return False
        return any(passes_all(self.of_element, value, subject) for value in subject.elements(self.field))

    def _passes(self, node: Found, subject: Subject) -> bool:
        if not passes_all(self.of_node, node, subject):
            return False
        return not self.of_element or any(passes_all(self.of_element, value, subject) for value in spread(node))


class Exists(msgspec.Struct, frozen=True):
    """Matches if the field has a value, or if it has none. Null counts as no value."""

    field: Field
    wanted: bool

    def matches(self, subject: Subject) -> bool:
        return any(node is not None for node in subject.nodes(self.field)) == self.wanted


class Where(msgspec.Struct, frozen=True):
    """Passes for an object that matches a condition whose paths begin at that object."""

    condition: Condition

    def passes(self, value: Found, subject: Subject) -> bool:
        return isinstance(value, dict) and self.condition.matches(subject.within(value))


def passes_all(tests: tuple[ValueTest, ...], value: Found, subject: Subject) -> bool:
    """Return whether a value passes each of the tests."""
    for test in tests:
        if not test.passes(value, subject):
            return False
    return True


NOTHING = AnyOf(())
"""Matches no event."""
EVERYTHING = AllOf(())
"""Matches every event."""
