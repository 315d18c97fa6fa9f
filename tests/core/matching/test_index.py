"""The index names the routes that a plain evaluation of every one names, whatever the rules and the event."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.delivery import DestinationName
from forwarder.core.event import JSONValue, decode_event
from forwarder.core.matching import EVERYTHING, NOTHING, Condition, FieldTest, Names, Subject
from forwarder.core.matching.compile import OPTIONS
from forwarder.core.matching.conditions import AllOf, AnyOf, Not
from forwarder.core.matching.fields import field_of
from forwarder.core.matching.folding import Form, fold
from forwarder.core.matching.index import Index
from forwarder.core.matching.texts import Contains, Regex
from forwarder.core.routing.router import Route, Router
from tests.core.matching.patterns import LETTERS, patterns
from tests.support.conditions import NOW, condition, subject
from tests.support.examples import examples

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

words = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=3).map("".join).filter(fold)
quoted = words.map(json.dumps)
values = quoted | st.sampled_from(["1", "1.0", "true", "false", "null", "'1'", "x", "fast-x", "nova", "Ann", "en", "0"])
several = values | st.lists(values, min_size=1, max_size=3).map(lambda many: f"[{', '.join(many)}]")
texts_only = quoted | st.lists(quoted, min_size=1, max_size=3).map(lambda many: f"[{', '.join(many)}]")
shapes = st.lists(st.sampled_from([*LETTERS, "*", "*"]), min_size=1, max_size=4).map("".join).map(json.dumps)


tests = st.one_of(
    st.tuples(st.sampled_from(["equals"]), several),
    st.tuples(st.sampled_from(["contains", "word", "prefix", "suffix"]), texts_only),
    st.tuples(st.just("wildcard"), shapes),
    st.tuples(st.just("regex"), patterns.map(json.dumps)),
    st.sampled_from(
        [("length", "{lte: 3}"), ("type", "string"), ("exists", "true"), ("gt", "1"), ("ignore_case", "true")]
    ),
    st.sampled_from([("exact", "true"), ("exact", "false"), ("fold", "true")]),
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


_FOLDING = {("exact", "false"), ("fold", "true")}
"""Only for tests that ignore case."""


def _field_test(field: str, several_tests: list[tuple[str, str]]) -> str:
    if field in {"source", "kind", "has_media"}:
        return {"source": "source: [x, fast-x]", "kind": "kind: post", "has_media": "has_media: false"}[field]
    named = dict(several_tests)
    if named.get("ignore_case", "true" if field in {"text", "author"} else "false") == "false":
        named = {name: value for name, value in named.items() if (name, value) not in _FOLDING}
    if set(named) <= set(OPTIONS):
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
@examples(400)
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


def test_rules_that_share_both_their_account_and_their_keyword_are_distinguished() -> None:
    conditions = [
        condition(f"{{author: account{number % 40}, text: {{contains: keyword{number // 40}x}}}}")
        for number in range(1600)
    ]
    index = Index(conditions)
    event = subject({"text": "keyword30x", "author": {"screen_name": "account7"}})
    assert list(index._candidates(index._lookup.hits(event))) == [30 * 40 + 7]


def test_a_condition_that_is_in_many_places_is_evaluated_once() -> None:
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
        FieldTest(text, (Contains(written=(), parts=("",), form=Form.FOLDED),)),
        FieldTest(text, (Contains(written=(), parts=(), form=Form.FOLDED),)),
        FieldTest(text, (Regex(written=(), patterns=(), form=Form.CASELESS),)),
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


def test_negations_match_without_being_evaluated_unless_an_atom_of_theirs_is_true() -> None:
    index = Index([condition(f"not: {{text: {{contains: keyword{number}x}}}}") for number in range(50)])
    assert list(index.matching(subject({"text": "nothing"}))) == list(range(50))
    without_7 = [number for number in range(50) if number != 7]
    assert list(index.matching(subject({"text": "a keyword7x"}))) == without_7


def test_conditions_without_atoms_are_always_evaluated_together_with_those_that_were_found() -> None:
    conditions = [*many("sid: keywordN"), condition("payload.n: {gt: 5}"), condition("payload.n: {gt: 7}")]
    index = Index(conditions)
    assert list(index.matching(subject({"n": 6}, sid="keyword3"))) == [3, 50]
    assert list(index.matching(subject({"n": 9}))) == [50, 51]
