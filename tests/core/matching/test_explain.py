"""The explanation of a condition agrees with it, says it in the words of the file, and hides what variables hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.event import JSONValue
from forwarder.core.matching import Condition, Names, Subject, compile_condition
from forwarder.core.matching.conditions import AllOf, AnyOf, Matcher, Not
from forwarder.core.matching.explain import Trace, explain, shown_name
from forwarder.core.yaml.tree import Expanded, Scalar, Tree
from tests.support.conditions import condition, subject


def outline(trace: Trace, depth: int = 0) -> list[str]:
    """Return the tree as lines."""
    line = f"{'  ' * depth}{'+' if trace.holds else '-'} {trace.label}"
    line += f" | {trace.seen}" if trace.seen else ""
    line += f" | {trace.hit}" if trace.hit else ""
    return [line, *(below for child in trace.children for below in outline(child, depth + 1))]


EXPLAINED: list[tuple[str, JSONValue, list[str]]] = [
    (
        "{source: [x, fast-x], text: {contains: [btc, eth]}}",
        {"text": "Buy ETH"},
        ["+ all of", '  + source is "x", "fast-x" | "x" | "x"', '  + text contains "btc", "eth" | "Buy ETH" | "eth"'],
    ),
    ("payload.n: [1, '1', true]", {"n": "1"}, ['+ payload.n is 1, "1", true | "1" | 1']),
    ("payload.n: {between: [1, 5]}", {"n": 7}, ["- payload.n between 1 and 5 | 7"]),
    ("payload.n: {length: 2, type: array}", {"n": [1, 2, 3]}, [
        "- payload.n: one value",
        "  - length 2 | an array of 3, of length 3",
        "  + of type array | an array of 3",
    ]),
    ("payload.author.id: x", {"author": {"idd": 1}}, ['- payload.author.id is "x" | the event has no payload.author.id; did you mean payload.author.idd?']),
    ("payload.zzz: x", {"a": {"c": 1}}, ['- payload.zzz is "x" | the event has no payload.zzz']),
    ("payload.tags: {contains: x, prefix: b}", {"tags": ["ax", "bb"]}, [
        "- payload.tags: one value | each holds for a value, but no value passes all of them",
        '  + contains "x" | "ax"',
        '  + begins with "b" | "bb"',
    ]),
    ("payload.tags: [a]", {"tags": []}, ['- payload.tags is "a" | an empty array']),
    ("not: {payload.on: {exists: true}}", {"on": None}, ["+ not", "  - payload.on exists | null"]),
    ("payload.items: {where: {kind: photo, n: {gt: 5}}}", {"items": [{"kind": "photo", "n": 3}, {"kind": "x"}]}, [
        "- payload.items where | none of 2 objects; the first:",
        "  - all of",
        '    + kind is "photo" | "photo"',
        "    - n > 5 | 3",
    ]),
    ("payload.at: {within: 5m}", {"at": "2026-01-01T11:00:00Z"}, [
        '- payload.at within 5m | "2026-01-01T11:00:00Z", 60m old'
    ]),
    ("now: {hours: 09:00-10:00, days: mon-tue, timezone: Asia/Tokyo}", {}, [
        "- now within 09:00-10:00 on mon, tue (Asia/Tokyo) | 2026-01-01T12:00:00+00:00, which is Thu 21:00"
    ]),
    ("text: {regex: 'x{3}', ignore_case: false}", {"text": "a" * 200 + "xxx" + "b" * 200}, [
        f'+ text has the regex "x{{3}}" (case-sensitive) | "…{"a" * 26}xxx{"b" * 51}…"'
    ]),
    ("payload.t: {wildcard: ['*.eth', 'b*c']}", {"t": "bc\x1b[31m\u202ec"}, [
        '+ payload.t has the shape "*.eth", "b*c" | "bc\\u001b[31m\\u202ec" | "b*c"'
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "payload", "lines"), EXPLAINED, ids=[each[0] for each in EXPLAINED])
def test_a_condition_is_reported_in_the_words_of_the_file(text: str, payload: JSONValue, lines: list[str]) -> None:
    assert outline(explain(condition(text), subject(payload))) == lines


def test_of_a_long_list_the_first_are_shown_and_the_one_that_hit() -> None:
    names = Names(lists={"many": tuple(Scalar(f"user{number}") for number in range(317))})
    trace = explain(condition("payload.n: {list: many}", names), subject({"n": "user300"}))
    assert outline(trace) == [
        '+ payload.n is "user0", "user1", "user2", "user3", "user4", +312 more | "user300" | "user300"'
    ]


def compiled(tree: Tree, names: Names | None = None) -> Condition:
    return compile_condition(tree, lambda path, message: pytest.fail(f"{path}: {message}"), names)


@pytest.mark.parametrize(
    ("test", "held", "value"),
    [
        ("equals", "magpie", "magpie"),
        ("contains", "magpie", "a magpie"),
        ("regex", "magp.e", "magpie"),
        ("gt", "77123", 5),
        ("within", "77123s", 3),
        ("length", "77123", "x"),
    ],
)
def test_what_a_variable_holds_is_never_shown(test: str, held: str, value: JSONValue) -> None:
    tree: Tree = {"payload.n": {test: Expanded(held, written="${SECRET}")}}
    payloads: list[JSONValue] = [{"n": value}, {"n": "other"}]
    for payload in payloads:
        (line,) = outline(explain(compiled(tree), subject(payload)))
        label = line.split(" | ")[0]
        assert "${SECRET}" in label
        assert held not in label
    both: Tree = {"payload.n": {"contains": [Scalar("zzz"), Expanded("magpie", written="${SECRET}")]}}
    assert explain(compiled(both), subject({"n": "a magpie"})).hit == '"${SECRET}"'


TEXTS = st.sampled_from(["a", "ab", "A", "ß", "1", "true", "", "\ud800", "a.b"]) | st.text(max_size=3)
VALUES: st.SearchStrategy[JSONValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abn"), below, max_size=3),
    max_leaves=6,
)
SCALARS = st.builds(
    Scalar, st.sampled_from(["a", "ab", "A", "ß", "1", "2", "true", "null", "SS"]), quoted=st.booleans()
)
NUMBERS = st.sampled_from(["0", "1", "2.5"]).map(Scalar)
FIELDS = st.sampled_from(["payload.a", "payload.b", "payload.a.b", "payload.n.a", "text", "source", "sid"])


def lists(values: st.SearchStrategy[Scalar]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=3)


TESTS: st.SearchStrategy[Any] = lists(SCALARS) | st.fixed_dictionaries(
    {},
    optional={
        **{name: lists(SCALARS) for name in ("equals", "contains", "word", "prefix", "suffix", "wildcard", "regex")},
        **dict.fromkeys(("gt", "lte", "length"), NUMBERS),
        "type": lists(st.sampled_from(["string", "array", "null"]).map(Scalar)),
        "within": st.just(Scalar("5m")),
        "where": st.dictionaries(st.sampled_from("abn"), lists(SCALARS), min_size=1, max_size=2),
    },
).filter(bool)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(FIELDS, TESTS, max_size=3)
    | st.builds(lambda wanted: {"payload.a": {"exists": Scalar(wanted)}}, st.sampled_from(["true", "false"])),
    lambda below: (
        st.lists(below, min_size=1, max_size=3)
        | st.builds(
            lambda name, each: {name: each}, st.sampled_from(["any", "all"]), st.lists(below, min_size=1, max_size=3)
        )
        | st.builds(lambda each: {"not": each}, below)
        | st.just({"matcher": Scalar("m")})
    ),
    max_leaves=6,
)


def agree(trace: Trace, of: Condition, seen: Subject) -> None:
    """Every part of the tree holds where its condition matches."""
    assert trace.holds == of.matches(seen)
    match of:
        case AllOf() | AnyOf():
            assert len(trace.children) == len(of.conditions)
            for child, each in zip(trace.children, of.conditions, strict=True):
                agree(child, each, seen)
        case Not() | Matcher():
            agree(trace.children[0], of.condition, seen)


@given(TREES, TREES, st.dictionaries(st.sampled_from(["a", "b", "n", "text"]), VALUES, max_size=4))
def test_an_explanation_agrees_with_the_condition_in_every_part(
    tree: Tree, matcher: Tree, payload: dict[str, JSONValue]
) -> None:
    plain = compiled(matcher, Names(matchers={"m": condition("{sid: '2'}")}))
    of = compiled(tree, Names(matchers={"m": plain}))
    seen = subject(payload)
    trace = explain(of, seen)
    agree(trace, of, seen)
    assert all(line.isprintable() for line in outline(trace))


def test_matchers_that_use_each_other_twice_are_asked_once_each() -> None:
    matchers: dict[str, Condition] = {"m0": condition("payload.a: x")}
    for number in range(1, 60):
        names = Names(matchers=dict(matchers))
        matchers[f"m{number}"] = condition(f"any: [{{matcher: m{number - 1}}}, {{matcher: m{number - 1}}}]", names)
    trace = explain(matchers["m59"], subject({"a": "x"}))  # 2⁵⁹ leaves, if each were evaluated again
    assert trace.holds


def test_a_trace_as_json_leaves_out_what_is_empty() -> None:
    trace = Trace(label="any of", holds=True, children=(Trace(label="a", holds=True, seen='"x"', hit='"x"'),))
    assert trace.as_json() == {
        "label": "any of",
        "holds": True,
        "children": [{"label": "a", "holds": True, "seen": '"x"', "hit": '"x"'}],
    }
    assert Trace(label="a", holds=False).as_json() == {"label": "a", "holds": False}


def test_a_condition_of_another_kind_is_shown_by_its_class() -> None:
    class OfAProgram:
        def matches(self, subject: Subject) -> bool:
            return subject.event.source == "x"

    assert outline(explain(OfAProgram(), subject())) == ["+ OfAProgram"]
    assert outline(explain(Not(OfAProgram()), subject())) == ["- not", "  + OfAProgram"]


@pytest.mark.parametrize(
    ("payload", "lines"),
    [
        ({"a": []}, ["- payload.a where | an empty array"]),
        ({"a": ["x", 5]}, ['- payload.a where | no object: "x", 5']),
        ({"a": ["x", {"n": 1}]}, ["+ payload.a where", "  + n is 1 | 1"]),
    ],
)
def test_an_explanation_of_where_names_the_object_that_matches_or_says_that_there_is_none(
    payload: JSONValue, lines: list[str]
) -> None:
    assert outline(explain(condition("payload.a: {where: {n: 1}}"), subject(payload))) == lines


def test_blocks_without_conditions_say_what_they_match() -> None:
    assert outline(explain(AllOf(()), subject())) == ["+ every event"]
    assert outline(explain(AnyOf(()), subject())) == ["- no event"]


def test_a_name_with_control_characters_is_quoted() -> None:
    assert shown_name("payload.a") == "payload.a"
    assert shown_name("payload.\x1b") == '"payload.\\u001b"'
