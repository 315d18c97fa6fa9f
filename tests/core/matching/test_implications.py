"""What is said of conditions without an event is so of every event."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from forwarder.core.matching import AllOf, AnyOf, Names, Not, Subject
from forwarder.core.matching.folding import fold
from forwarder.core.matching.implications import implies, why_never
from tests.core.matching.patterns import LETTERS
from tests.core.matching.test_compile import NAMES, conditions, subjects
from tests.support.conditions import condition, subject
from tests.support.examples import examples


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
        ("text: {word: \u201cMoon\u201d}", "text: {contains: '\"moon\"'}"),
        ("payload.a: {equals: \u0130}", "payload.a: {prefix: i, ignore_case: true}"),
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
        ("text: {length: {gt: 280, lt: 5}}", "no length is what that of text must be"),
        ("payload.a: {length: {gte: 2, lt: 2}}", "no length is what that of payload.a must be"),
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


@examples(500)
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


letters = st.lists(st.sampled_from([*LETTERS, "a", "\u0345", "\u03b1"]), min_size=1, max_size=3).map("".join)
text_tests = st.builds(
    lambda name, values, options: {name: values, **options},
    st.sampled_from(["equals", "contains", "word", "prefix", "suffix"]),
    st.lists(letters.filter(fold), min_size=1, max_size=2),
    st.sampled_from([{}, {"exact": True}, {"ignore_case": False}]),
)


@given(text_tests, text_tests, st.lists(letters, max_size=3).map("".join))
@example({"contains": ["e"], "exact": True}, {"contains": ["e"]}, "e\u0301")
@example({"equals": ["\u03b1\u0345\u0301"], "exact": True}, {"contains": ["\u03af"]}, "\u03b1\u0345\u0301")
@examples(1_000)
def test_what_is_said_of_texts_in_different_forms_is_so(
    one: dict[str, object], other: dict[str, object], text: str
) -> None:
    first, second = (condition(json.dumps({"text": test})) for test in (one, other))
    if implies(first, second):
        # The texts of the first condition are those that it most probably matches.
        values = one.get("equals", [])
        assert isinstance(values, list)
        for about in (text, *values, *(each.upper() for each in values)):
            assert not first.matches(subject({"text": about})) or second.matches(subject({"text": about}))


def test_texts_in_different_forms_imply_each_other_only_where_that_is_certain() -> None:
    exact, folded = condition("text: {contains: moon, exact: true}"), condition("text: {contains: moon}")
    assert not implies(exact, folded)
    assert not implies(folded, exact)
    assert implies(condition("text: {equals: Moon}"), folded)
    assert implies(condition("text: {equals: m\u00d6on, ignore_case: false}"), condition("text: {suffix: \u00f6ON}"))
    assert not implies(condition("text: {equals: m\u00f6on}"), condition("text: {suffix: \u00f6on}"))
    assert implies(condition("text: {equals: m\u00f6on}"), condition("text: {suffix: \u00f6on, exact: true}"))
