"""Conditions: what each means, that no JSON makes one fail, and that the blocks obey logic."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.event import Event, EventId, JSONValue
from forwarder.core.matching import AllOf, AnyOf, Names, Not, Subject, compile_condition
from forwarder.core.matching.compile import ALL_TESTS, BLOCKS, OPTIONS
from forwarder.core.matching.literals import lines_of
from forwarder.core.yaml.tree import Path, Scalar
from tests.support.conditions import NOW, condition, decoded, subject, subject_of, tree
from tests.support.examples import examples
from tests.support.paths import DATA, DOCS

CASES = DATA / "matching.txt"
LISTS = {"whales": (Scalar("nova"), Scalar("@orca")), "coins": (Scalar("btc"), Scalar("eth"))}
NAMES = Names(
    lists=LISTS,
    read_list=lambda name: lines_of({"whales.txt": "# comment\n\n@orca\n  Moby \n"}[name]),
)
NAMES = replace(
    NAMES,
    matchers={
        "from whales": condition("author: {list: whales}", NAMES),
        "loud": condition("text: {suffix: '!!!'}", NAMES),
    },
)


def cases() -> Iterator[tuple[str, str, bool]]:
    asked = ""
    for line in CASES.read_text().splitlines():
        if line[:2] in {"+ ", "- "}:
            yield asked, line[2:], line[0] == "+"
        elif line and line[0] != "#":
            asked = line


@pytest.mark.parametrize(("asked", "about", "expected"), list(cases()))
def test_what_a_condition_means(asked: str, about: str, expected: bool) -> None:
    assert condition(asked, NAMES).matches(subject_of(json.loads(about))) is expected


PAGE = (DOCS / "routing.md").read_text()
ROW = re.compile(r"^\| .+ \| `(?P<asked>.+)` \| `(?P<yes>\{.*\})` \| `(?P<no>\{.*\})` \|$", re.MULTILINE)


@pytest.mark.parametrize(("asked", "yes", "no"), ROW.findall(PAGE))
def test_what_the_page_says_of_each_test_is_so(asked: str, yes: str, no: str) -> None:
    assert condition(asked, NAMES).matches(subject_of(json.loads(yes)))
    assert not condition(asked, NAMES).matches(subject_of(json.loads(no)))


def test_the_page_has_every_test_and_no_row_that_is_not_run() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    assert len(ROW.findall(PAGE)) == len(rows) - 1
    for name in (*ALL_TESTS, *BLOCKS, "matcher", *OPTIONS):
        assert any(f"`{name}`" in row for row in rows), name


def test_there_are_cases_enough() -> None:
    assert len(set(cases())) >= 200
    said = CASES.read_text()
    assert all(f"{name}: " in said for name in ALL_TESTS)


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
        ("payload.a: {contains: a, exact: false}", ("payload.a", "exact"), "write ignore_case: true as well"),
        ("text: {regex: a, fold: true, ignore_case: false}", ("text", "fold"), "folded text has no upper case"),
        ("text: {regex: a, fold: maybe}", ("text", "fold"), "expected true or false"),
        ('text: {contains: "\\u200b"}', ("text", "contains"), "nothing is left of this text"),
        ("text: {contains: a, exakt: true}", ("text", "exakt"), 'did you mean "exact"?'),
        ("text: {contains: {a: b}}", ("text", "contains"), "expected a value, a list of values, {list: NAME}"),
        ("text: [[a]]", ("text", 0), "expected a value"),
        ("text: []", ("text",), "matches nothing"),
        ("text:", ("text",), "the value is missing"),
        ("{matcher: []}", ("matcher",), "an empty list matches nothing; remove it or name a matcher"),
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


def test_arrays_nested_as_deep_as_a_parser_takes_are_walked_through() -> None:
    deep = b"[" * 490 + b'"here"' + b"]" * 490
    nested = decoded(b'{"mid":"1","sid":"2","source":"x","timestamp":3,"payload":{"a":' + deep + b"}}")
    assert condition("payload.a: here").matches(nested)


KEYS = ["a", "b", "c", "at", "author", "entities", "f", "flag", "id", "media", "message", "n", "o", "quote", "s"]
KEYS += [
    "screen_name",
    "tags",
    "text",
    "title",
    "type",
    "urls",
    "v",
    "fields",
    "name",
    "value",
    "a.b",
    "retweeted_tweet",
]
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["btc", "0x" + "4" * 40, "\ud83d", "2026-01-01T12:00:00Z", "9" * 39, "-1", "moon mars", "straße"])
)
json_values = st.recursive(
    leaves,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(KEYS), below, max_size=4),
    max_leaves=15,
)
sources = st.sampled_from(["x", "fast-x", "telegram", "discord", "rss", "forwarder", "new"])
conditions = st.sampled_from(list(dict.fromkeys(asked for asked, _, _ in cases())))
subjects = st.builds(
    lambda source, payload, timestamp: Subject(
        Event(id=EventId(""), source=source, mid="1", sid="2", timestamp=timestamp, payload=payload, body=b""), NOW
    ),
    sources,
    st.dictionaries(st.sampled_from(KEYS), json_values, max_size=8),
    st.floats(),
)


@examples(400)
@given(conditions, conditions, subjects)
def test_matching_is_total_and_the_blocks_obey_logic(asked: str, other_asked: str, about: Subject) -> None:
    one, other = condition(asked, NAMES), condition(other_asked, NAMES)
    holds, other_holds = one.matches(about), other.matches(about)
    assert holds in {True, False}
    assert one.matches(Subject(about.event, about.now)) is holds
    assert Not(Not(one)).matches(about) is holds
    assert AnyOf((one, other)).matches(about) is (holds or other_holds)
    assert AllOf((one, other)).matches(about) is (holds and other_holds)
    assert Not(AnyOf((one, other))).matches(about) is AllOf((Not(one), Not(other))).matches(about)
    assert Not(AllOf((one, other))).matches(about) is AnyOf((Not(one), Not(other))).matches(about)
    assert AllOf((one, AnyOf((one, other)))).matches(about) is holds


# Every condition of the table is read from YAML as a block too: any, all and not mean there what they mean here.


@given(st.sampled_from([asked for asked, _, _ in cases() if asked[0] not in "{["]), subjects)
def test_the_blocks_of_the_file_are_those(asked: str, about: Subject) -> None:
    holds = condition(asked, NAMES).matches(about)
    assert condition(f"not: {{{asked}}}", NAMES).matches(about) is not holds
    assert condition(f"any: [{{{asked}}}, {{sid: nobody}}]", NAMES).matches(about) is holds
    assert condition(f"all: [{{{asked}}}, {{sid: 2}}]", NAMES).matches(about) is holds
    assert condition(f"[{{{asked}}}, {{sid: nobody}}]", NAMES).matches(about) is holds
