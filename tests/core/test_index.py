"""The index names the routes that a plain evaluation of every one names, whatever the rules and the event."""

import json
import sys
from collections.abc import Iterator

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forwarder.core.delivery import DestinationName
from forwarder.core.event import JSONValue, decode_event
from forwarder.core.matching import EVERYTHING, NOTHING, Condition, FieldTest, Names, Subject
from forwarder.core.matching.compile_tests import regex_options
from forwarder.core.matching.conditions import AllOf, AnyOf, Not
from forwarder.core.matching.fields import field_of
from forwarder.core.matching.index import Index
from forwarder.core.matching.literal_pieces import _STABLE, pieces_of
from forwarder.core.matching.texts import Contains, Regex
from forwarder.core.routing import Route, Router
from tests.support.conditions import NOW, condition, subject

# Few letters, so that parts of one text stand in another; and those whose case changes their length or their company.
LETTERS = [
    "a",
    "B",
    "b",
    "S",
    "ß",
    "\u017f",
    "İ",
    "\u0131",
    "K",
    "ﬁ",
    "Σ",
    "ς",
    "ш",
    "Ш",
    "東",
    "😀",
    "e\u0301",
    "\u0301",
    " ",
    "?",
    "1",
    "-",
    "\x00",
]
MATCHERS = {
    "nova": "author: [nova, ann]",
    "words": "text: {contains: [ab, ß]}",
    "either": "[{matcher: nova}, {source: telegram}]",
    "neither": "not: {matcher: either}",
    "odd": "payload.likes: {gt: 3}",
}
NAMES = Names()
for _name, _text in MATCHERS.items():
    NAMES = Names(matchers={**NAMES.matchers, _name: condition(_text, NAMES)})

words = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3).map("".join)
quoted = words.map(json.dumps)
values = quoted | st.sampled_from(["1", "1.0", "true", "false", "null", "'1'", "x", "fast-x", "nova", "Ann", "en", "0"])
several = values | st.lists(values, min_size=1, max_size=3).map(lambda many: f"[{', '.join(many)}]")
texts_only = quoted | st.lists(quoted, min_size=1, max_size=3).map(lambda many: f"[{', '.join(many)}]")
shapes = st.lists(st.sampled_from([*LETTERS, "*", "*"]), min_size=1, max_size=4).map("".join).map(json.dumps)


def _alternatives(parts: list[str]) -> str:
    return f"({'|'.join(parts)})"


pattern_parts = st.recursive(
    st.sampled_from(
        [
            "a",
            "B",
            "s",
            "ß",
            "k",
            "ш",
            "東",
            ".",
            "[ab]",
            "[^a]",
            r"\w",
            r"\b",
            "^",
            "$",
            r"\?",
            r"\d",
            r"\x61",
            r"\-",
            r"[[:alpha:]\]]",
            r"\pL",
            "(?s)",
        ]
    ),
    lambda below: (
        st.lists(below, min_size=1, max_size=4).map("".join)
        | st.lists(below, min_size=1, max_size=3).map(_alternatives)
        | st.tuples(
            below.map(lambda within: f"(?:{within})") | st.sampled_from(["a", "ß", "[ab]", "."]),
            st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "+?", "??"]),
        ).map("".join)
    ),
    max_leaves=6,
)


def is_regex(pattern: str) -> bool:
    try:
        re2.compile(pattern, regex_options(ignore_case=True))
    except re2.error:
        return False
    return True


patterns = pattern_parts.filter(is_regex)
tests = st.one_of(
    st.tuples(st.sampled_from(["equals"]), several),
    st.tuples(st.sampled_from(["contains", "word", "prefix", "suffix"]), texts_only),
    st.tuples(st.just("wildcard"), shapes),
    st.tuples(st.just("regex"), patterns.map(json.dumps)),
    st.sampled_from(
        [("length", "{lte: 3}"), ("type", "string"), ("exists", "true"), ("gt", "1"), ("ignore_case", "true")]
    ),
    st.sampled_from([("ignore_case", "false"), ("between", "[0, 2]"), ("older_than", "5m"), ("where", "{id: 1}")]),
)
fields = st.sampled_from(
    [
        "text",
        "author",
        "source",
        "kind",
        "sid",
        "payload.a",
        "payload.a.b",
        "payload.likes",
        "payload.tags.id",
        "has_media",
    ]
)


def _field_test(field: str, several_tests: list[tuple[str, str]]) -> str:
    if field in {"source", "kind", "has_media"}:
        return {"source": "source: [x, fast-x]", "kind": "kind: post", "has_media": "has_media: false"}[field]
    named = dict(several_tests)
    if set(named) == {"ignore_case"}:
        named["exists"] = "true"
    return f"{field}: {{{', '.join(f'{name}: {value}' for name, value in named.items())}}}"


leaves = st.builds(_field_test, fields, st.lists(tests, min_size=1, max_size=3)) | st.sampled_from(
    [
        "payload.likes: [1, 'true']",
        "payload.likes: ['1', true]",
        *(f"matcher: {name}" for name in MATCHERS),
        "matcher: [nova, words]",
        "now: {hours: 09:00-17:00}",
        "payload.a: {where: {b: {contains: a}}}",
        "timestamp: {within: 1h}",
    ]
)


def _mapping(parts: list[str]) -> str:
    return "{all: [" + ", ".join(f"{{{part}}}" for part in parts) + "]}"


def _list(parts: list[str]) -> str:
    return "{any: [" + ", ".join(f"{{{part}}}" for part in parts) + "]}"


def _unbraced(text: str) -> str:
    return text.removeprefix("{").removesuffix("}")


rules = st.recursive(
    leaves,
    lambda below: (
        st.lists(below, min_size=1, max_size=3).map(_mapping).map(_unbraced)
        | st.lists(below, min_size=1, max_size=3).map(_list).map(_unbraced)
        | below.map(lambda within: f"not: {{{within}}}")
    ),
    max_leaves=4,
)


def _compiled(text: str) -> Condition:
    return condition(f"{{{text}}}", NAMES)


compiled = rules.map(_compiled) | st.sampled_from([EVERYTHING, NOTHING])
scalars = st.lists(st.sampled_from([*LETTERS, "\ud83d", "\udc00"]), max_size=6).map("".join) | st.sampled_from(
    [None, True, False, 0, 1, 1.0, 2, 5, "1", "true", "nova", "Ann", 10**30]
)
json_values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "id"]), below, max_size=2),
    max_leaves=6,
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "text": scalars,
        "message": scalars,
        "a": json_values,
        "likes": json_values,
        "tags": st.lists(st.fixed_dictionaries({"id": scalars}), max_size=2),
        "author": st.fixed_dictionaries({"screen_name": scalars, "id": scalars}),
    },
)


def seen(payload: JSONValue, source: str = "x", sid: str = "2") -> Subject:
    value = {"mid": "1", "sid": sid, "source": source, "timestamp": 1767268000000, "payload": payload}
    return Subject(decode_event(json.dumps(value).encode()), NOW)


subjects = st.builds(
    seen, payloads, st.sampled_from(["x", "fast-x", "telegram", "rss"]), st.sampled_from(["1", "a", "ß"])
)


def plain(routes: list[Route], event: Subject) -> Iterator[Route]:
    for route in routes:
        if route.condition.matches(event):
            yield route
            if route.stop:
                return


BULK = [condition(f"{{author: a{number % 3}, text: {{contains: [b{number}, s]}}}}") for number in range(40)]


@given(
    st.lists(st.tuples(compiled, st.booleans()), min_size=1, max_size=40), st.lists(subjects, min_size=1, max_size=5)
)
@settings(deadline=None, max_examples=400)
def test_the_index_names_what_a_plain_evaluation_names(
    written: list[tuple[Condition, bool]], events: list[Subject]
) -> None:
    # Repeated, so that there are enough of them for an index, and atoms that many rules share.
    conditions = [*(each for each, _ in written), *BULK, *(each for each, _ in reversed(written))]
    stops = [*(stop for _, stop in written), *([False] * 40), *(stop for _, stop in written)]
    for is_with_stops in (False, True):
        routes = [
            Route(name=str(number), condition=each, to=(DestinationName("bot"),), stop=stop and is_with_stops)
            for number, (each, stop) in enumerate(zip(conditions, stops, strict=True))
        ]
        router = Router(routes=routes)
        for event in events:
            found = [route.name for route in router.matching(event)]
            assert found == [route.name for route in plain(routes, event)]


def many(make: str, count: int = 50) -> list[Condition]:
    return [condition(make.replace("N", str(number))) for number in range(count)]


@pytest.mark.parametrize(
    "make",
    [
        "author: accountN",
        "text: {contains: keywordN}",
        "text: {contains: keywordN, ignore_case: false}",
        "text: {regex: 'keywordN +is'}",
        "{author: account7, text: {word: keywordN}}",
        "{author: accountN, text: {contains: is}}",
        "{source: x, kind: post, text: {prefix: 'keywordN '}}",
        "{payload.flag: true, not: {author: nova}, author: [accountN, aN]}",
        "any: [{author: accountN}, {text: {wildcard: '*keywordN*'}}]",
        "payload.likes: N",
    ],
)
def test_of_many_rules_few_are_evaluated(make: str) -> None:
    index = Index(many(make))
    event = subject({"text": "keyword7 is here", "author": {"screen_name": "account7"}, "likes": 7})
    candidates = index._candidates(index._lookup.hits(event))
    assert candidates == [7]


def test_rules_that_share_both_their_account_and_their_keyword_are_told_apart() -> None:
    conditions = [
        condition(f"{{author: account{number % 40}, text: {{contains: keyword{number // 40}x}}}}")
        for number in range(1600)
    ]
    index = Index(conditions)
    event = subject({"text": "keyword30x", "author": {"screen_name": "account7"}})
    assert list(index._candidates(index._lookup.hits(event))) == [30 * 40 + 7]


def test_a_condition_that_stands_in_many_places_is_evaluated_once() -> None:
    asked = 0

    class Counted:
        def matches(self, _subject: Subject) -> bool:
            nonlocal asked
            asked += 1
            return True

    index = Index([Counted()] * 100)
    assert list(index.matching(subject())) == list(range(100))
    assert asked == 1


def test_one_is_not_true() -> None:
    conditions = [condition("payload.a: [1, 'true']"), condition("payload.a: ['1', true]")]
    router = Router(routes=[Route(name=str(n), condition=each, to=()) for n, each in enumerate(conditions)])
    assert [route.name for route in router.matching(subject({"a": True}))] == ["1"]
    assert [route.name for route in router.matching(subject({"a": 1}))] == ["0"]


def test_an_empty_part_and_an_empty_list_are_no_obstacle() -> None:
    text = field_of("text")
    assert text is not None
    conditions: list[Condition] = [
        FieldTest(text, (Contains(written=(), parts=("",), ignore_case=True),)),
        FieldTest(text, (Contains(written=(), parts=(), ignore_case=True),)),
        FieldTest(text, (Regex(written=(), patterns=(), ignore_case=True),)),
        AllOf(()),
        AnyOf(()),
        Not(AnyOf(())),
        Not(AllOf(())),
        *many("text: {contains: keywordN}"),
    ]
    assert list(Index(conditions).matching(subject({"text": "a"}))) == [0, 3, 5]


def test_a_very_long_text_with_odd_characters_is_searched() -> None:
    conditions = many("text: {contains: [keyword Nx, 'zz😀N']}")
    event = seen({"text": "\x00\ud83d a" * 200_000 + "KEYWORD 7x"})
    assert list(Index(conditions).matching(event)) == [7]


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        (r"\b0x[0-9a-f]{40}\b", {"0x"}),
        (r"airdrop\s+in \d+ days", {"airdrop"}),
        (r"(?:btc|eth)/usd", {"/usd"}),
        (r"\b(listing|launch)\b.*", {"listing", "launch"}),
        (r"a|b?", None),
        (r"(?i)Word", {"word"}),
        (r"wor?d+s", {"wo"}),
        (r"wo(rd)*x{2}yz", {"xyz"}),
        (r"what\?", {"what"}),
        (r"[\]\w]+", None),
        (r"\Qa.b\E", None),
        ("\u041c\u041e\u0421\u041a\u0412\u0410", {"\u043c\u043e\u0441\u043a\u0432\u0430"}),
    ],
)
def test_what_a_regex_needs(pattern: str, pieces: set[str] | None) -> None:
    assert pieces_of(pattern, ignore_case=True) == (None if pieces is None else frozenset(pieces))


def test_a_regex_that_ignores_case_by_itself_needs_nothing_where_case_matters() -> None:
    assert pieces_of("(?i)word", ignore_case=False) is None
    assert pieces_of("(?s)Word", ignore_case=False) == frozenset({"Word"})


@given(
    patterns,
    st.booleans(),
    st.lists(st.sampled_from([*LETTERS, "s", "S", "k", "x", "\ud83d"]), max_size=8).map("".join),
)
@example("ß", True, "ẞ")
@example("k", True, "\u212a")
@settings(deadline=None, max_examples=1000)
def test_what_a_regex_needs_is_in_every_text_it_is_found_in(pattern: str, ignore_case: bool, text: str) -> None:
    pieces = pieces_of(pattern, ignore_case=ignore_case)
    compiled = re2.compile(pattern, regex_options(ignore_case=ignore_case))
    if pieces is not None and compiled.search(text.encode("utf-8", "replace")) is not None:
        within = text.casefold() if ignore_case else text
        assert any(piece in within for piece in pieces)


def test_re2_and_casefold_agree_on_the_characters_that_pieces_are_made_of() -> None:
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1)))).encode()
    alone = []
    for character in (chr(code) for first, last in _STABLE for code in range(first, last + 1)):
        if character.upper() == character.lower() == character.casefold():
            alone.append(character)
            continue
        found = re2.compile(re2.escape(character), regex_options(ignore_case=True)).findall(everything)
        assert {each.decode().casefold() for each in found} == {character.casefold()}
    pattern = re2.compile(f"[{''.join(map(re2.escape, alone))}]", regex_options(ignore_case=True))
    assert [each.decode() for each in pattern.findall(everything)] == sorted(alone)
