"""Finds relations between conditions without an event: that one implies another, or that one never matches.

Every relation that is found is true, but not every relation is found.
"""

from collections.abc import Iterator
from math import inf

from forwarder.core.matching.conditions import AllOf, AnyOf, Condition, Exists, FieldTest, Matcher, Not, ValueTest
from forwarder.core.matching.folding import Form, form_of
from forwarder.core.matching.literals import listed
from forwarder.core.matching.subject import Field
from forwarder.core.matching.texts import Contains, Equals, Prefix, Suffix, Word
from forwarder.core.matching.values import Between, Compare, Length, NumberTest, Operator, TypeIs
from forwarder.core.yaml.tree import Expanded

_SHOWN = 3
_Parts = Contains | Word | Prefix | Suffix


def bare(condition: Condition) -> Condition:
    """Return the condition without the matchers and single-element blocks around it."""
    while True:
        match condition:
            case Matcher(condition=below) | AllOf(conditions=(below,)) | AnyOf(conditions=(below,)):
                condition = below
            case _:
                return condition


def parts_of(condition: Condition) -> Iterator[Condition]:
    """Yield the conditions that must all match for this one to match: the parts of its AND blocks."""
    condition = bare(condition)
    if isinstance(condition, AllOf):
        for each in condition.conditions:
            yield from parts_of(each)
    else:
        yield condition


def implies(one: Condition, other: Condition) -> bool:
    """Return whether `other` certainly matches every event that `one` matches."""
    one, other = bare(one), bare(other)
    if one == other:
        return True
    if isinstance(other, AllOf):
        return all(implies(one, each) for each in other.conditions)
    if isinstance(one, AnyOf):
        return all(implies(each, other) for each in one.conditions)
    if isinstance(other, AnyOf):
        return any(implies(one, each) for each in other.conditions)
    if isinstance(one, AllOf):
        return any(implies(each, other) for each in one.conditions)
    if isinstance(one, Not) and isinstance(other, Not):
        return implies(other.condition, one.condition)
    if isinstance(one, FieldTest) and isinstance(other, FieldTest):
        return one.field == other.field and all(
            any(_test_implies(mine, theirs) for mine in tests)
            for tests, wanted in ((one.of_element, other.of_element), (one.of_node, other.of_node))
            for theirs in wanted
        )
    if isinstance(one, FieldTest) and isinstance(other, Exists):
        return one.field == other.field and other.wanted and any(map(_is_of_something, one.of_element))
    return False


def _is_of_something(test: ValueTest) -> bool:
    if isinstance(test, Equals):
        return None not in test.others
    return isinstance(test, _Parts | NumberTest)


def _test_implies(one: ValueTest, other: ValueTest) -> bool:
    if one == other:
        return True
    match one, other:
        case Equals(), Equals():
            return (
                (other.ignore_case or not one.ignore_case)
                and {text.casefold() if other.ignore_case else text for text in one.texts} <= other.texts
                and all(any(_is_same(mine, theirs) for theirs in other.others) for mine in one.others)
            )
        case Equals(others=()), Contains() | Word() | Prefix() | Suffix() if _decides(one, other.form):
            texts = (form_of(text, other.form) for text in one.texts)
            return all(any(_has(other, text, part) for part in other.parts) for text in texts)
        case Contains() | Word() | Prefix() | Suffix(), Contains() if one.form == other.form:
            return all(any(theirs in mine for theirs in other.parts) for mine in one.parts)
        case Prefix(), Prefix() if one.form == other.form:
            return all(mine.startswith(other.parts) for mine in one.parts)
        case Suffix(), Suffix() if one.form == other.form:
            return all(mine.endswith(other.parts) for mine in one.parts)
        case Word(), Word() if one.form == other.form:
            return set(one.parts) <= set(other.parts)
        case TypeIs(), TypeIs():
            return set(one.types) <= set(other.types)
        case ((Compare() | Between()), (Compare() | Between())):
            return _is_within(_span([one]), _span([other]))
    return False


def _decides(test: Equals, form: Form) -> bool:
    """Return whether a value that equals one of these texts is, in this form, that text in this form."""
    if not test.ignore_case:
        return True
    # Texts that are the same without upper case may be composed otherwise, and then look different.
    return form is Form.CASELESS or (form is Form.FOLDED and all(map(str.isascii, test.texts)))


def _is_same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _has(test: ValueTest, text: str, part: str) -> bool:
    match test:
        case Contains():
            return part in text
        case Prefix():
            return text.startswith(part)
        case Suffix():
            return text.endswith(part)
        case _:
            return text == part


Interval = tuple[tuple[float, bool], tuple[float, bool]]
"""The lower and the upper bound, each with a flag that is true if the bound itself is excluded."""


def _span(tests: list[NumberTest]) -> Interval:
    low, high = (-inf, False), (inf, False)
    for test in tests:
        match test:
            case Between():
                low, high = max(low, (test.low, False)), min(high, (test.high, False), key=_from_above)
            case Compare(operator=Operator.GT | Operator.GTE):
                low = max(low, (test.bound, test.operator is Operator.GT))
            case _:
                high = min(high, (test.bound, test.operator is Operator.LT), key=_from_above)
    return low, high


def _from_above(bound: tuple[float, bool]) -> tuple[float, bool]:
    return bound[0], not bound[1]


def _is_within(inner: Interval, outer: Interval) -> bool:
    return inner[0] >= outer[0] and _from_above(inner[1]) <= _from_above(outer[1])


def why_never(condition: Condition) -> str | None:
    """Return why a condition matches no event, or `None` if no reason is found."""
    condition = bare(condition)
    match condition:
        case AnyOf():
            reasons = [why_never(each) for each in condition.conditions]
            return None if None in reasons else next((reason for reason in reasons if reason), "it names no values")
        case AllOf():
            parts = list(parts_of(condition))
            return next(filter(None, map(why_never, parts)), None) or _why_not_together(parts)
        case FieldTest():
            return _why_field_never(condition)
        case Not():
            return "it is the opposite of what always holds" if implies(AllOf(()), condition.condition) else None
    return None


def _why_field_never(test: FieldTest) -> str | None:
    for each in (*test.of_element, *test.of_node):
        if isinstance(each, Equals) and not (each.texts or each.others):
            return f"{test.field.name} has no values to be one of; is the list empty?"
        if isinstance(each, _Parts) and not each.parts:
            return f"{test.field.name} has nothing to look for; is the list empty?"
    if _is_empty([each for each in test.of_element if isinstance(each, NumberTest)]):
        return f"no number is what {test.field.name} must be"
    if _is_empty([size for each in test.of_node if isinstance(each, Length) for size in each.tests]):
        return f"no length is what that of {test.field.name} must be"
    return None


def _is_empty(tests: list[NumberTest]) -> bool:
    """Return whether no number passes all these tests."""
    (low, is_low_out), (high, is_high_out) = _span(tests)
    return low > high or (low == high and (is_low_out or is_high_out))


def _why_not_together(parts: list[Condition]) -> str | None:
    """Return why these conditions never match together, although each may match alone; or `None`."""
    for part in parts:
        if isinstance(part, Not) and (
            refused := [each for each in parts if each is not part and implies(each, part.condition)]
        ):
            name = refused[0].field.name if isinstance(refused[0], FieldTest | Exists) else "a condition"
            return f"{name} must and must not be the same"
    values: dict[Field, Equals] = {}
    for part in parts:
        if not (isinstance(part, FieldTest) and part.field.is_single):
            continue
        for test in part.of_element:
            if not isinstance(test, Equals):
                continue
            before = values.setdefault(part.field, test)
            if before is not test and before.ignore_case == test.ignore_case and not _overlap(before, test):
                return f"{part.field.name} cannot be {_one_of(before)} and {_one_of(test)} at once"
    return None


def _overlap(one: Equals, other: Equals) -> bool:
    return bool(one.texts & other.texts) or any(
        _is_same(mine, theirs) for mine in one.others for theirs in other.others
    )


def _one_of(test: Equals) -> str:
    shown = [f'"{each.written if isinstance(each, Expanded) else each}"' for each in test.written]
    return listed(shown) if len(shown) <= _SHOWN else f"one of {len(shown)} values"
