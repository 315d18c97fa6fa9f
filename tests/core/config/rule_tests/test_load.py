"""Tests of the rules in a file of their own."""

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.config.model.rule_test import RuleTest
from forwarder.core.config.rule_tests.load import load_tests
from forwarder.core.matching import Condition
from tests.core.config.support import load
from tests.support.conditions import subject

CONFIG = load(
    """
streams: [{api_key: k}]
destinations: {bot: {url: 'http://127.0.0.1/'}}
lists: {coins: [btc]}
matchers: {long: {text: {contains: long}}}
routes: [{name: all, to: bot}, {to: bot}]
"""
)
FILES = {"event.json": '{"sid": "7", "payload": {"text": "gm", "lang": "en"}}', "words.txt": "moon\n"}


def read(name: str) -> str:
    if name == "latin.json":
        return b"\xe4".decode()
    if name not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[name]


def of_file(text: str) -> tuple[RuleTest, ...]:
    return load_tests(
        text.encode(), name="a_test.yaml", config=CONFIG, env={"WORD": "gm"}, read_file=read, read_list=read
    )


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        of_file(text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("exact", [True, False])
def test_a_condition_on_a_body_is_as_exact_as_the_config(exact: bool) -> None:
    text = "tests: [{event: {}, expect: bot, body: {bot: {payload.text: {word: gm, ignore_case: true}}}}]"
    config = CONFIG.model_copy(update={"exact": exact})
    (test,) = load_tests(text.encode(), name="t.yaml", config=config, env={}, read_file=read, read_list=read)
    body = test.bodies["bot"]
    assert isinstance(body, Condition)
    about = subject().within({"payload": {"text": "\uff47m"}})
    assert body.matches(about) is not exact


def test_they_know_the_names_of_the_config() -> None:
    (test,) = of_file(
        """
tests:
  - event: {file: event.json, payload: {text: "${WORD}"}}
    expect: {bot: [all, route 2]}
    body: {bot: {payload.text: {list: coins}, matcher: long, source: {file: words.txt}}}
"""
    )
    assert (test.name, test.event.sid, test.event.payload) == ("test 1", "7", {"text": "gm", "lang": "en"})
    assert test.expected == {"bot": ("all", "route 2")}
    assert test.line == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tests: [", ["a_test.yaml:2:1: not valid YAML: while parsing a flow node"]),
        ("[a]", ["a_test.yaml:1:1: expected a mapping with the key tests"]),
        (
            "test: []\nother: 1",
            [
                'a_test.yaml:1:1: test: unknown key; did you mean "tests"?',
                "a_test.yaml:2:1: other: unknown key; a test file has the key tests and no other",
            ],
        ),
        (
            "tests: [{event: {file: none.json}, expect: bot}, {event: {file: latin.json}, expect: bot}]",
            [
                'a_test.yaml:1:24: tests[0].event.file: cannot read "none.json": No such file or directory',
                'a_test.yaml:1:65: tests[1].event.file: "latin.json" is not UTF-8 text',
            ],
        ),
    ],
)
def test_what_is_wrong_is_reported_at_its_place(text: str, expected: list[str]) -> None:
    found = said(text)
    assert len(found) == len(expected)
    for line, begin in zip(found, expected, strict=True):
        assert line.startswith(begin), line


@pytest.mark.parametrize("text", ["tests:", "tests: []", "{}"])
def test_there_may_be_none(text: str) -> None:
    assert of_file(text) == ()
