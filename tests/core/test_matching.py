"""Conditions: what each means, that no JSON makes one fail, and that the blocks obey logic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.event import JSONValue, decode_event
from forwarder.core.matching import AllOf, AnyOf, Condition, Not, Subject, compile_condition
from forwarder.core.tree import Path
from tests.support.conditions import NOW, condition, subject, tree

POST = subject(
    {
        "text": "GM, $BTC to 0x52908400098527886E0F7030069857D2E4169EE7",
        "author": {"screen_name": "nova", "id": "44"},
        "likes": 5,
        "ratio": 1.5,
        "retweeted_tweet": True,
        "quote": None,
        "tags": [{"text": "a"}, {"text": "b"}],
        "big": 9007199254740993,
    },
    sid="0777",
)


def decoded(frame: bytes) -> Subject:
    return Subject(decode_event(frame), NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("source: x", True),
        ("source: [telegram, x]", True),
        ("source: X", False),
        ("sid: 0777", True),
        ("sid: 777", False),
        ("sid: 511", False),
        ("mid: [2, 1]", True),
        ("text: {contains: gm}", True),
        ("text: {contains: [zzz, $btc]}", True),
        ("text: {contains: gm, ignore_case: false}", False),
        ("text: {contains: GM, ignore_case: false}", True),
        (r"text: {regex: '\b0x[0-9a-f]{40}\b'}", True),
        (r"text: {regex: '\b0x[0-9a-f]{40}\b', ignore_case: false}", False),
        ("text: {regex: [nothing, '^gm']}", True),
        ("text: {contains: gm, regex: nothing}", False),
        ("payload.author.screen_name: nova", True),
        ("payload.author.screen_name: {equals: [x, nova]}", True),
        ("payload.author.screen_name: Nova", False),
        ("payload.author.screen_name: {equals: Nova, ignore_case: true}", True),
        ("payload.author.id: 44", True),
        ("payload.author.id: '44'", True),
        ("payload.author: nova", False),
        ("payload.likes: 5", True),
        ("payload.likes: 5.0", True),
        ("payload.likes: '5'", False),
        ("payload.likes: {contains: 5}", False),
        ("payload.likes: {regex: 5}", False),
        ("payload.ratio: 1.5", True),
        ("payload.retweeted_tweet: true", True),
        ("payload.retweeted_tweet: 1", False),
        ("payload.retweeted_tweet: 'true'", False),
        ("payload.quote: null", True),
        ("payload.missing: null", False),
        ("payload.tags.text: b", True),
        ("payload.tags.text: c", False),
        ("payload.big: 9007199254740993", True),
        ("payload.big: 9007199254740992", False),
        ("{source: x, mid: 9}", False),
        ("[{source: y}, {mid: 1}]", True),
        ("any: [{source: y}, {mid: 1}]", True),
        ("any: {source: y, mid: 1}", True),
        ("all: [{source: x}, {mid: 1}]", True),
        ("all: {source: x, mid: 2}", False),
        ("not: {source: x}", False),
        ("not: {source: x, mid: 9}", True),
        ("not: [{source: y}, {mid: 1}]", False),
        ("not: {any: [{source: y}, {not: {mid: 1}}]}", True),
        ("{}", True),
    ],
)
def test_what_a_condition_means(text: str, expected: bool) -> None:
    assert condition(text).matches(POST) is expected


@pytest.mark.parametrize(
    ("payload", "source"),
    [
        ({"text": "hello"}, "x"),
        ({"message": "hello"}, "telegram"),
        ({"content": "hello"}, "discord"),
        ({"title": "hello"}, "rss"),
    ],
)
def test_text_reads_the_same_over_all_sources(payload: JSONValue, source: str) -> None:
    assert condition("text: hello").matches(subject(payload, source=source))
    assert not condition("text: hello").matches(subject({"other": "hello"}, source=source))


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("txt: a", ("txt",), 'unknown field; did you mean "text"?'),
        ("payload: a", ("payload",), "unknown field"),
        ("payload..a: a", ("payload..a",), "unknown field"),
        ("text: {contians: a}", ("text", "contians"), 'unknown test; did you mean "contains"?'),
        ("text: {}", ("text",), "no test here"),
        ("text: {ignore_case: perhaps, contains: a}", ("text", "ignore_case"), "expected true or false"),
        ("text: {contains: ''}", ("text", "contains"), "contained in every text"),
        ("text: {contains: {a: b}}", ("text", "contains"), "expected a value, a list of values, {list: NAME}"),
        ("text: [[a]]", ("text", 0), "expected a value"),
        ("text: []", ("text",), "matches nothing"),
        ("text:", ("text",), "the value is missing"),
        ("text: {regex: '('}", ("text", "regex"), "not a valid regex: missing )"),
        ("text: {regex: '(?=a)'}", ("text", "regex"), "look-around is not supported"),
        (r"text: {regex: '(a)\1'}", ("text", "regex"), "back-references are not supported"),
        ("any: []", ("any",), "matches nothing"),
        ("any: x", ("any",), "expected a list of conditions"),
        ("not: [x]", ("not", 0), "expected a mapping of fields"),
        ("x", (), "expected a mapping of fields"),
    ],
)
def test_a_mistake_is_reported_with_its_path_and_matches_nothing(text: str, path: Path, said: str) -> None:
    problems: list[tuple[Path, str]] = []
    compile_condition(tree(text), lambda at, message: problems.append((at, message)))
    assert len(problems) == 1
    assert problems[0][0] == path
    assert said in problems[0][1]


def test_half_a_surrogate_pair_is_no_obstacle() -> None:
    odd = decoded(rb'{"mid":"1","sid":"2","source":"x","timestamp":3,"payload":{"text":"rocket \ud83d"}}')
    assert condition("text: {regex: rocket}").matches(odd)
    assert condition("text: {contains: rocket}").matches(odd)


def test_a_regex_that_would_take_exponential_time_elsewhere_is_quick() -> None:
    assert not condition("text: {regex: '(a+)+$'}").matches(subject({"text": "a" * 100_000 + "!"}))


def test_arrays_nested_as_deep_as_a_parser_takes_are_walked_through() -> None:
    deep = b"[" * 490 + b'"here"' + b"]" * 490
    nested = decoded(b'{"mid":"1","sid":"2","source":"x","timestamp":3,"payload":{"a":' + deep + b"}}")
    assert condition("payload.a: here").matches(nested)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from("abtext"), below, max_size=4),
    max_leaves=12,
)
conditions = st.sampled_from(
    [
        "text: {contains: a}",
        "text: [a, b]",
        "payload.a: [1, true, null, x]",
        "payload.a.b: {regex: 'x|1'}",
        "payload.t.e: {equals: 0}",
        "source: x",
    ]
).map(condition)


@given(conditions, st.dictionaries(st.sampled_from(["a", "t", "text", "message"]), json_values))
def test_matching_is_total_and_the_blocks_obey_logic(one: Condition, payload: dict[str, JSONValue]) -> None:
    seen = subject(payload)
    holds = one.matches(seen)
    assert Not(Not(one)).matches(seen) is holds
    other = condition("payload.a: 1")
    assert AnyOf((one, other)).matches(seen) is (holds or other.matches(seen))
    assert AllOf((one, other)).matches(seen) is (holds and other.matches(seen))
    assert Not(AnyOf((one, other))).matches(seen) is AllOf((Not(one), Not(other))).matches(seen)
