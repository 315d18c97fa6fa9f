"""What is said of conditions without an event is so of every event."""

import pytest
from hypothesis import given, settings

from forwarder.core.matching import AllOf, AnyOf, Names, Not, Subject
from forwarder.core.matching.implications import implies, why_never
from tests.core.matching.test_compile import NAMES, conditions, subjects
from tests.support.conditions import condition


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("source: x", "{}"),
        ("source: x", "source: [x, fast-x]"),
        ("{source: x, text: {contains: a}}", "source: [fast-x, x]"),
        ("{source: x, sid: 1, text: {contains: abc}}", "{text: {contains: b}, source: x}"),
        ("author: Nova", "author: {equals: [nova, orca]}"),
        ("author: nova", "author: {prefix: no}"),
        ("text: {word: moon}", "text: {contains: moo}"),
        ("text: {contains: moonshot}", "text: {contains: [mars, moon]}"),
        ("text: {prefix: abc}", "text: {prefix: [a, z]}"),
        ("payload.n: {gt: 5}", "payload.n: {gte: 5}"),
        ("payload.n: {between: [1, 2]}", "payload.n: {lt: 3}"),
        ("not: {source: [x, telegram]}", "not: {source: x}"),
        ("any: [{sid: 1}, {sid: 2}]", "sid: [1, 2, 3]"),
        ("matcher: from whales", "author: [nova, orca, minnow]"),
        ("author: {list: whales}", "matcher: from whales"),
        ("author: nova", "author: {exists: true}"),
        ("text: {contains: moon}", "text: {exists: true}"),
        ("text: {suffix: '.abc'}", "text: {suffix: [bc, z]}"),
        ("text: {word: moon}", "text: {word: [mars, moon]}"),
        ("payload.n: {type: string}", "payload.n: {type: [string, number]}"),
        ("author: nova", "author: {suffix: va}"),
        ("text: moon", "text: {contains: oo}"),
        ("text: moon", "text: {word: moon}"),
        ("text: {contains: moon, suffix: '!'}", "text: {contains: moon}"),
        ("payload.n: {gt: 1, lt: 5}", "payload.n: {lt: 9}"),
    ],
)
def test_one_holds_wherever_the_other_does(one: str, other: str) -> None:
    assert implies(condition(one, NAMES), condition(other, NAMES))
    assert not implies(condition(other, NAMES), condition(one, NAMES)) or "whales" in other


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("{source: x, any: [{source: telegram}]}", 'source cannot be "x" and "telegram" at once'),
        ("{author: nova, all: [{author: [orca, moby]}]}", 'author cannot be "nova" and "orca" or "moby" at once'),
        ("{source: x, not: {source: [x, fast-x]}}", "source must and must not be the same"),
        ("payload.n: {gt: 5, lt: 5}", "no number is what payload.n must be"),
        ("payload.n: {gt: 5, lte: 5}", "no number is what payload.n must be"),
        ("not: {}", "it is the opposite of what always holds"),
        ("{matcher: from whales, author: minnow}", 'author cannot be "nova" or "@orca" and "minnow" at once'),
    ],
)
def test_a_condition_that_never_holds(asked: str, why: str) -> None:
    assert why_never(condition(asked, NAMES)) == why


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("author: {list: nobody}", "author has no values to be one of; is the list empty?"),
        ("text: {contains: {list: nobody}}", "text has nothing to look for; is the list empty?"),
        (
            "any: [{sid: {list: nobody}}, {text: {word: {list: nobody}}}]",
            "sid has no values to be one of; is the list empty?",
        ),
        ("any: [{sid: {list: nobody}}, {source: x}]", None),
    ],
)
def test_a_condition_on_an_empty_list_never_holds(asked: str, why: str | None) -> None:
    assert why_never(condition(asked, Names(lists={"nobody": ()}))) == why


@pytest.mark.parametrize(
    "asked",
    ["{source: x, sid: [1, 2], all: [{sid: [2, 3]}]}", "payload.tags: {equals: a}", "payload.n: {gte: 5, lte: 5}"],
)
def test_a_condition_that_may_hold(asked: str) -> None:
    assert why_never(condition(asked, NAMES)) is None


@settings(max_examples=500)
@given(conditions, conditions, conditions, subjects)
def test_what_is_said_is_so(first: str, second: str, third: str, about: Subject) -> None:
    one, other, more = (condition(each, NAMES) for each in (first, second, third))
    for left in (one, AllOf((one, more)), AnyOf((one, more)), Not(one)):
        for right in (other, AllOf((other, more)), AnyOf((other, more)), Not(other)):
            if implies(left, right):
                assert not left.matches(about) or right.matches(about)
        for each in (left, AllOf((left, other)), AllOf((left, Not(other)))):
            if why_never(each) is not None:
                assert not each.matches(about)
