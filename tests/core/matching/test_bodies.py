"""Conditions on the body of a response: its text, and the fields of its JSON."""

from datetime import UTC, datetime

import pytest

from forwarder.core.matching.bodies import Body, compile_body
from forwarder.core.matching.compile import Names
from forwarder.core.yaml.tree import Path, Scalar, Tree
from tests.support.conditions import tree as tree_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = Names(lists={"fine": (Scalar("ok"), Scalar("accepted"))})


def matches(written: str, body: bytes) -> bool:
    problems: list[tuple[Path, str]] = []
    condition = compile_body(tree_of(written), lambda path, said: problems.append((path, said)), NAMES)
    assert not problems
    return condition.condition.matches(Body(body, NOW))


@pytest.mark.parametrize(
    ("written", "right", "wrong"),
    [
        ("{errcode: 0}", b'{"errcode":0,"errmsg":"ok"}', b'{"errcode":310000,"errmsg":"keywords not in content"}'),
        ("{errcode: 0}", b'\xef\xbb\xbf {"errcode": 0}\r\n', b"0"),
        ("{errcode: 0}", b'[{"errcode": 0}]', b'{"data":{"errcode":0}}'),
        ("{data.code: [0, 200]}", b'{"data":{"code":200}}', b'{"data":{"code":201}}'),
        ("{code: {lt: 100}, msg: {prefix: succ}}", b'{"code":1,"msg":"success"}', b'{"code":1,"msg":"failure"}'),
        ("{ok: true}", b'{"ok":true,"result":{}}', b'{"ok":false}'),
        ("{error: {exists: false}}", b'{"id":5}', b"ok"),
        ("{error: {exists: false}}", b'{"error":null}', b'{"error":"no"}'),
        ("{not: {errcode: 310000}}", b'{"errcode":0}', b"not JSON"),
        ("{not: {not: {errcode: 0}}}", b'{"errcode":0}', b"not JSON"),
        ("[{errcode: 0}, {StatusCode: 0}]", b'{"StatusCode":0}', b'{"code":9499}'),
        ("{any: [{errcode: 0}, ok]}", b"ok", b"no"),
        ("{any: {errcode: 0, contains: fine}}", b"all fine", b'{"errcode":1}'),
        ("{all: [{errcode: 0}, {data: {exists: true}}]}", b'{"errcode":0,"data":1}', b'{"errcode":0}'),
        ("ok", b" ok\n", b"not ok"),
        ("ok", b"ok", b"OK"),
        ("{equals: ok, ignore_case: true}", b"OK", b"okay"),
        ("{contains: ok, ignore_case: true}", b"OK", "\uff4fk".encode()),
        ("{msg: {contains: ok, ignore_case: true}}", b'{"msg": "OK"}', '{"msg": "\uff4fk"}'.encode()),
        ("1", b"1", b"10"),
        ('[ok, "1"]', b"1", b'["ok"]'),
        ("{contains: ok}", b"this is ok.", b"OK"),
        ("{contains: [accepted, queued]}", b"message queued", b"message lost"),
        ("{not: {contains: Webhook message delivery failed}}", b"1", b"Webhook message delivery failed with error: 429"),
        ("{prefix: ok, suffix: bytes}", b"ok, 15 bytes", b"ok, 15 rows"),
        ("{regex: '^ok( [0-9]+)?$'}", b"ok 15", b"ok x"),
        ("{wildcard: 'id=*'}", b"id=5", b"no id"),
        ("{list: fine}", b"accepted", b"refused"),
        ("{errcode: 0, contains: ok}", b'{"errcode":0,"errmsg":"ok"}', b'{"errcode":0,"errmsg":"no"}'),
        ("{'\"list\"': 5}", b'{"list":5}', b"5"),
        ("{items: {where: {id: 5}}}", b'{"items":[{"id":5}]}', b'{"items":[{"id":6}]}'),
        ("{at: {within: 5m}}", b'{"at":1767225500}', b'{"at":1767220000}'),
    ],
)  # fmt: skip
def test_what_matches(written: str, right: bytes, wrong: bytes) -> None:
    assert matches(written, right)
    assert not matches(written, wrong)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"5", b'"errcode"', b"\xff\xfe", b'{"errcode":', b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5_000],
)
@pytest.mark.parametrize("written", ["{errcode: 0}", "{not: {errcode: 0}}", "{errcode: {exists: false}}"])
def test_without_a_json_object_or_array_no_field_matches(written: str, body: bytes) -> None:
    assert not matches(written, body)


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ('""', (), "an empty text is never the body of a success; write what the body must be"),
        ('[ok, ""]', (1,), "an empty text is never the body of a success; write what the body must be"),
        ("[]", (), "an empty list matches nothing; remove it or write what the body must be"),
        ("{}", (), "no condition here; write a field of the JSON and its value, or a text"),
        ("{any: ok}", ("any",), "expected a list of conditions"),
        ("{all: []}", ("all",), "expected a list of conditions"),
        ("{matcher: whales}", ("matcher",), "a matcher is for events; write the condition on the body here"),
        ("{errcode: {gtx: 1}}", ("errcode", "gtx"), 'unknown test; did you mean "gt"?'),
        ("{not: {data: {gtx: 1}}}", ("not", "data", "gtx"), 'unknown test; did you mean "gt"?'),
        ("{a..b: 1}", ("a..b",), "'a..b' is no path; write key.key, and a key that has a dot in it in double quotes"),
        ("{contains: ''}", ("contains",), "an empty text is contained in every text"),
        ("{list: good}", ("list",), 'there is no list of that name under "lists"; there are: fine'),
        ("{contains: ok, ignore_case: maybe}", ("ignore_case",), "expected true or false"),
        (
            "{ignore_case: true}",
            ("ignore_case",),
            "no test here; tests of the text are equals, contains, word, prefix, suffix, wildcard, regex, list, file",
        ),
    ],
)
def test_mistakes_have_their_place(written: str, path: Path, said: str) -> None:
    problems: list[tuple[Path, str]] = []
    compile_body(tree_of(written), lambda at, message: problems.append((at, message)), NAMES)
    assert problems == [(path, said)]


@pytest.mark.parametrize("tree", [Scalar("ok"), [], {}, {"any": Scalar("x")}, {"matcher": Scalar("x")}])
def test_what_could_not_be_compiled_and_what_is_equal(tree: Tree) -> None:
    first, second = (compile_body(tree, lambda _path, _said: None, NAMES) for _ in range(2))
    assert first == second
    assert first.condition.matches(Body(b"ok", NOW)) == (tree == Scalar("ok"))
