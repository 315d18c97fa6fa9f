"""What is written in a condition means the same after it was put into little memory."""

import pytest

from forwarder.core.matching.conditions import AllOf, FieldTest
from forwarder.core.matching.explain import explain
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.matching.folding import Form
from forwarder.core.matching.sealed_equals import sealed_equals
from forwarder.core.matching.texts import Contains, Equals
from forwarder.core.matching.written import Written, shrink
from forwarder.core.yaml.nodes import TextNode
from forwarder.core.yaml.tree import Expanded, Scalar, Sealed
from tests.support.conditions import condition, subject

SCALARS = (Scalar("a"), Scalar("1", quoted=True), Expanded("secret", quoted=True, written="${A}"), Scalar("b"))
CONDITIONS = [
    "source: [x, fast-x]",
    "payload.a: [1, '1', true, b]",
    "text: {contains: [BTC, eth]}",
    "text: {word: ['btc', eth], prefix: b, suffix: [c, 'h']}",
    "text: {regex: ['b.c', '[0-9]+'], wildcard: ['b*', '*9']}",
    "payload.n: {gte: 5, between: [1, 9]}",
    "text: {length: {gt: 1, lt: 400}}",
    "timestamp: {within: 90s}",
    "now: {hours: '09:00-17:00', days: mon-tue}",
    "payload.list: {where: {name: [a, b]}}",
    "payload.a: {type: [string, number]}",
    "any: [{not: {text: {contains: zzz}}}, {all: [{sid: ['1', 2]}]}]",
]


def test_scalars_are_as_they_were() -> None:
    kept = Written(SCALARS)
    assert tuple(kept) == SCALARS
    assert [each.quoted for each in kept] == [each.quoted for each in SCALARS]
    assert [type(each) for each in kept] == [Scalar, Scalar, Expanded, Scalar]
    assert len(kept) == 4
    assert kept[1].quoted
    assert kept[-1] == "b"
    assert kept[1:3] == SCALARS[1:3]
    assert not Written(())


def test_a_text_that_the_test_has_anyway_is_not_kept_twice() -> None:
    part = "ab".casefold()
    assert Written([TextNode("ab")], (part,))._texts[0] is part
    assert Written([TextNode("ab"), TextNode("c")], known := ("ab", "c"))._texts is known


def test_a_variable_stays_one_if_the_test_has_its_value() -> None:
    kept = Written([Expanded("secret", written="${A}")], ("secret",))
    assert [each.written for each in kept if isinstance(each, Expanded)] == ["${A}"]


@pytest.mark.parametrize("asked", CONDITIONS)
def test_an_explanation_is_the_same(asked: str) -> None:
    event = subject({"text": "btc 99 eth", "a": 1, "n": 7, "list": [{"name": "b"}]})
    before = condition(asked)
    trace = explain(before, event)
    after = condition(asked)
    shrink([after])
    assert explain(after, event) == trace
    assert after == before
    assert after.matches(event) == before.matches(event)


def test_nothing_of_the_file_is_left_in_a_test() -> None:
    test = Contains(written=(TextNode("BTC"),), parts=("btc",), form=Form.CASELESS)
    shrink([AllOf((FieldTest(NAMED_FIELDS["text"], (test,)),))])
    assert type(test.written[0]) is Scalar


def test_digests_stay_digests() -> None:
    scalars = (Sealed("0a", written="${A}", salt="s"), Scalar("b"))
    test = sealed_equals(scalars, Equals(scalars[1:], frozenset("b"), (), False))
    shrink([FieldTest(NAMED_FIELDS["text"], (test,))])
    assert [type(each) for each in test.written] == [Sealed, Scalar]
    assert tuple(test.plain.written) == ("b",)
