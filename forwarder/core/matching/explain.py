"""Explains why a condition matches an event or not: a tree of its parts as the config has them, with the values that were tested."""

from collections.abc import Sequence

import msgspec

from forwarder.core.matching.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    FieldTest,
    Matcher,
    Not,
    ValueTest,
    Where,
    passes_all,
)
from forwarder.core.matching.rendering import hit_of, label_of, seen_by, shown
from forwarder.core.matching.subject import Found, Subject, spread
from forwarder.core.matching.suggestions import nothing_at

_VALUES_SHOWN = 3


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The evaluation of one part of a condition: its result and the reason. All texts are safe to print on a terminal."""

    label: str
    """The part as the config has it. A value from a variable is shown by the variable's name."""
    holds: bool
    """Whether this part matches."""
    seen: str = ""
    """The values of the field, or a note that there are none. If the part matches, the value that passed."""
    hit: str = ""
    """Which of several values in the config matched."""
    children: tuple["Trace", ...] = msgspec.field(default=())
    """The parts of this part."""

    def as_json(self) -> dict[str, object]:
        """Return the trace for `--json`. Empty fields are left out."""
        texts = {name: text for name, text in (("seen", self.seen), ("hit", self.hit)) if text}
        below = {"children": [child.as_json() for child in self.children]} if self.children else {}
        return {"label": self.label, "holds": self.holds, **texts, **below}


def explain(condition: Condition, subject: Subject) -> Trace:
    """Return the trace of a condition. Its result, and that of each part, is the same as that of `matches`."""
    return _Explainer(subject).trace(condition)


class _Explainer:
    """Evaluates every part of a condition, also those that the result does not need. Each matcher is evaluated once."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._of_matchers: dict[int, Trace] = {}

    def trace(self, condition: Condition) -> Trace:
        match condition:
            case AllOf():
                parts = tuple(map(self.trace, condition.conditions))
                return Trace(
                    label="all of" if parts else "every event", holds=all(part.holds for part in parts), children=parts
                )
            case AnyOf():
                parts = tuple(map(self.trace, condition.conditions))
                return Trace(
                    label="any of" if parts else "no event", holds=any(part.holds for part in parts), children=parts
                )
            case Not():
                part = self.trace(condition.condition)
                return Trace(label="not", holds=not part.holds, children=(part,))
            case Matcher():
                return self._matcher(condition)
            case FieldTest():
                return self._field_test(condition)
            case Exists():
                return self._exists(condition)
            case _:
                return Trace(label=type(condition).__name__, holds=condition.matches(self._subject))

    def _matcher(self, matcher: Matcher) -> Trace:
        known = self._of_matchers.get(id(matcher.condition))
        if known is None:
            known = self._of_matchers[id(matcher.condition)] = self.trace(matcher.condition)
        return Trace(label=f"matcher {shown_name(matcher.name)}", holds=known.holds, children=(known,))

    def _exists(self, condition: Exists) -> Trace:
        nodes = self._subject.nodes(condition.field)
        return Trace(
            label=f"{shown_name(condition.field.name)} {'exists' if condition.wanted else 'does not exist'}",
            holds=condition.matches(self._subject),
            seen=_listed(nodes) if nodes else self._nothing(condition),
        )

    def _nothing(self, condition: FieldTest | Exists) -> str:
        return nothing_at(condition.field, self._subject)

    def _field_test(self, condition: FieldTest) -> Trace:
        name = shown_name(condition.field.name)
        tests = (*condition.of_node, *condition.of_element)
        holds = condition.matches(self._subject)
        if not self._subject.nodes(condition.field):
            label = f"{name} {' and '.join(label_of(test, condition.field) for test in tests)}"
            return Trace(label=label, holds=holds, seen=self._nothing(condition))
        if len(tests) == 1:
            return self._one_test(condition, tests[0], f"{name} ")
        children = tuple(self._one_test(condition, test, "") for test in tests)
        seen = ""
        if not holds and all(child.holds for child in children):
            seen = "each holds for a value, but no value passes all of them"
        return Trace(label=f"{name}: one value", holds=holds, seen=seen, children=children)

    def _one_test(self, condition: FieldTest, test: ValueTest, before: str) -> Trace:
        """Return the trace of one test of a field: whether any value passes it."""
        subject, of_field = self._subject, condition.field
        values = self._values(condition, test)
        passing = [value for value in values if test.passes(value, subject)]
        label = before + label_of(test, of_field)
        if isinstance(test, Where):
            return self._where(test, label, passing, values)
        if not passing:
            seen = [seen_by(test, value, subject) for value in values[:_VALUES_SHOWN]]
            return Trace(label=label, holds=False, seen=_joined(seen, len(values)) if seen else "an empty array")
        best = next((value for value in passing if self._is_whole(condition, value)), passing[0])
        hit, part = hit_of(test, best, subject, marker=of_field.marker)
        return Trace(label=label, holds=True, seen=seen_by(test, best, subject, part=part), hit=hit)

    def _values(self, condition: FieldTest, test: ValueTest) -> Sequence[Found]:
        """Return the values that a test is applied to: the values of the field itself, or the elements of arrays."""
        if any(test is each for each in condition.of_node):
            return self._subject.nodes(condition.field)
        return self._subject.elements(condition.field)

    def _is_whole(self, condition: FieldTest, value: Found) -> bool:
        """Return whether this value passes all tests of the field and not only one."""
        tests = (*condition.of_node, *condition.of_element)
        return any(passes_all(tests, each, self._subject) for each in (value, *spread(value)))

    def _where(self, test: Where, label: str, passing: Sequence[Found], values: Sequence[Found]) -> Trace:
        objects = [value for value in passing or values if isinstance(value, dict)]
        if not objects:
            return Trace(label=label, holds=False, seen=f"no object: {_listed(values)}" if values else "an empty array")
        below = explain(test.condition, self._subject.within(objects[0]))
        seen = "" if len(objects) == 1 or passing else f"none of {len(objects)} objects; the first:"
        return Trace(label=label, holds=bool(passing), seen=seen, children=(below,))


def shown_name(name: str) -> str:
    """Return the name of a field or a matcher so that it is safe to print."""
    return name if name.isprintable() else shown(name)


def _listed(values: Sequence[Found]) -> str:
    return _joined([shown(value) for value in values[:_VALUES_SHOWN]], len(values))


def _joined(some: Sequence[str], count: int) -> str:
    more = count - len(some)
    return ", ".join(some) + (f" and {more:,} more" if more > 0 else "")
