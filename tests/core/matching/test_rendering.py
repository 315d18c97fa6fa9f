"""Tests and values in few characters that are safe to print."""

# ruff: noqa: RUF001 - texts that look like others are the subject here

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from forwarder.core.matching import Subject, compile_condition
from forwarder.core.matching.conditions import FieldTest
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.matching.folding import Form
from forwarder.core.matching.rendering import cut_around, hit_of, label_of, seen_by, shown
from forwarder.core.matching.subject import Found
from forwarder.core.matching.values import WallClock
from forwarder.core.yaml.tree import Expanded
from tests.support.conditions import NOW, condition, subject


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[1m\n", '"a\\u001b[1m\\n"'),
        ({"a": 1}, "an object of 1 key"),
        ({}, "{}"),
        ([1, 2], "an array of 2"),
        ([], "[]"),
        (None, "null"),
        (10**100, "1" + "0" * 79 + "…"),
        ("x" * 100, '"' + "x" * 80 + '…"'),
    ],
)
def test_a_value_is_short_and_has_no_control_characters(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("asked", "label"),
    [
        ("payload.a: {gte: 5}", ">= 5"),
        ("payload.a: {between: [1, 2]}", "between 1 and 2"),
        ("payload.a: {length: 3}", "length 3"),
        ("payload.a: {length: {gt: 1, lt: 4}}", "length > 1 and < 4"),
        ("payload.a: {type: [string, number]}", "of type string, number"),
        (r"text: {regex: '\bBTC\b'}", r'has the regex "\bBTC\b"'),
        (r'text: {regex: "\bBTC\b"}', r'has the regex "\x08BTC\x08"'),
        (r'text: {word: "a\n\u200b\U000e0001"}', r'has the word "a\x0a\u200b\U000e0001"'),
        ("timestamp: {within: 90s}", "within 1m30s"),
        ("timestamp: {older_than: 2h}", "older than 2h"),
        ("now: {hours: '09:00-17:00', days: mon-tue}", "within 09:00-17:00 on mon, tue (UTC)"),
        ("payload.a: [1, 'a', b, c, d, e, f]", 'is 1, "a", "b", "c", "d", +2 more'),
        ("text: {word: [btc], ignore_case: false}", 'has the word "btc" (case-sensitive)'),
        ("payload.a: {prefix: [btc], ignore_case: true}", 'begins with "btc" (ignoring case)'),
        ("payload.a: {prefix: btc, ignore_case: true, exact: true}", 'begins with "btc" (ignoring case, exact)'),
        ("text: {word: btc, exact: true}", 'has the word "btc" (exact)'),
        ("text: {equals: btc, exact: true}", 'is "btc"'),
        ("text: {regex: btc}", 'has the regex "btc"'),
        ("text: {regex: btc, fold: true}", 'has the regex "btc" (folded)'),
        ("payload.a: {regex: btc, ignore_case: true}", 'has the regex "btc" (ignoring case)'),
    ],
)
def test_a_test_reads_as_a_phrase(asked: str, label: str) -> None:
    asking = condition(asked)
    assert isinstance(asking, FieldTest)
    (test,) = (*asking.of_node, *asking.of_element)
    assert label_of(test, asking.field) == label


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "5.0s old"), (119, "119.0s old"), (180, "3m old"), (7200, "2h old"), (172800, "2d old"), (-30, "30.0s ahead")],
)
def test_a_time_is_shown_with_its_age(seconds: int, said: str) -> None:
    asking = condition("timestamp: {within: 1s}")
    assert isinstance(asking, FieldTest)
    at = (NOW - timedelta(seconds=seconds)).isoformat()
    assert seen_by(asking.of_element[0], at, subject()).endswith(said)


def test_a_long_text_is_cut_around_what_matched() -> None:
    text = "a" * 200 + "Needle" + "b" * 200
    assert "Needle" in cut_around(text, "needle", subject(), form=Form.CASELESS)
    assert cut_around("needle" + "b" * 200, "needle", subject(), form=Form.CASELESS).startswith('"needle')


def test_a_text_that_folding_makes_longer_or_shorter_is_cut_around_what_matched() -> None:
    for filler in ("\u200b", "ﷺ", "a\u0301", "𝗮"):
        text = filler * 300 + "\uff2eeedle" + filler * 300
        assert "\uff2eeedle" in cut_around(text, "needle", subject(), form=Form.FOLDED)
        assert cut_around(text, "nothing", subject(), form=Form.FOLDED).startswith(f'"{shown(filler)[1:-1]}')


@pytest.mark.parametrize(
    ("asked", "value", "seen"),
    [
        ("text: {word: btc}", "BTC", '"BTC"'),
        ("text: {word: btc}", "B\u200bTC", r'"B\u200bTC", compared as "btc"'),
        ("text: {word: btc}", "it\u2019s\nＢＴＣ", '"it\u2019s\\nＢＴＣ", compared as "it\'s btc"'),
        ("text: {word: btc, exact: true}", "ＢＴＣ", '"ＢＴＣ"'),
        ("text: {word: btc, ignore_case: false}", "ＢＴＣ", '"ＢＴＣ"'),
        ("text: {regex: btc}", "ＢＴＣ", '"ＢＴＣ"'),
        ("text: {regex: btc, fold: true}", "ＢＴＣ", '"ＢＴＣ", compared as "btc"'),
        ("text: {equals: btc}", "ＢＴＣ", '"ＢＴＣ"'),
        ("text: {contains: a}", "ﷺ" * 90, f'"{"ﷺ" * 80}…", compared as "{"صلى الله عليه وسلم" * 4}'),
    ],
)
def test_a_text_is_shown_with_what_was_compared_if_that_looks_different(asked: str, value: str, seen: str) -> None:
    asking = condition(asked)
    assert isinstance(asking, FieldTest)
    assert seen_by(asking.of_element[0], value, subject())[: len(seen)] == seen


@pytest.mark.parametrize(
    ("asked", "value", "hit"),
    [
        ("payload.a: [x, 5]", 5, "5"),
        ("payload.a: [x, y]", "y", '"y"'),
        ("text: {contains: [btc, eth]}", "ETH up", '"eth"'),
        ("text: {wildcard: ['a*', 'b*']}", "bc", '"b*"'),
        ("text: {regex: ['a+', 'b+']}", "bbb", '"b+"'),
        ("text: {regex: ['a+', '^b+$'], fold: true}", "Ｂ\u200bb", '"^b+$"'),
        ("text: {word: [btc, eth]}", "\uff25TH", '"eth"'),
        ("text: {contains: btc}", "btc", ""),
        ("payload.a: {gt: 1}", 2, ""),
        ("source: [fast-x, X]", "x", '"X"'),
    ],
)
def test_of_several_values_the_one_that_matched_is_named(asked: str, value: str | int, hit: str) -> None:
    asking = condition(asked)
    assert isinstance(asking, FieldTest)
    assert hit_of(asking.of_element[0], value, subject(), marker="")[0] == hit


@pytest.mark.parametrize("value", [5, ["b"], "b\ud83d"])
def test_a_value_that_a_regex_cannot_search_has_no_part_that_matched(value: Found) -> None:
    asking = condition("text: {regex: ['a', 'b']}")
    assert isinstance(asking, FieldTest)
    assert hit_of(asking.of_element[0], value, subject(), marker="")[1] == ""


def test_a_test_of_another_kind_is_shown_by_its_class() -> None:
    class OfAProgram:
        def passes(self, _value: Found, _subject: Subject) -> bool:
            return True

    assert label_of(OfAProgram(), NAMED_FIELDS["text"]) == "OfAProgram"


def test_hours_from_a_variable_are_shown_by_its_name() -> None:
    hours = Expanded("09:00-17:00", written="${HOURS}")
    clock = compile_condition({"now": {"hours": hours}}, lambda path, said: pytest.fail(f"{path}: {said}"))
    assert isinstance(clock, FieldTest)
    assert label_of(clock.of_element[0], clock.field) == 'within "${HOURS}"'


def test_a_whole_week_without_hours_is_said() -> None:
    clock = WallClock(hours=(), days=frozenset(range(7)), zone=ZoneInfo("UTC"), zone_name="UTC")
    assert label_of(clock, NAMED_FIELDS["now"]) == "within the week (UTC)"
