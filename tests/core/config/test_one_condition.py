"""A condition on its own means what it means below `match:`, and its mistakes have a place."""

from datetime import UTC, datetime

import pytest

from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.one_condition import condition_of
from forwarder.core.config.routing_only import load_routing
from forwarder.core.event import decode_event
from forwarder.core.matching import Subject
from forwarder.core.yaml.problems import ConfigError
from tests.core.config.support import config_text, read_file

EVENT = decode_event(
    b'{"mid":"1","sid":"2","source":"x","timestamp":1,'
    b'"payload":{"text":"\xef\xbd\x82\xef\xbd\x94\xef\xbd\x83 to the moon","author":{"screen_name":"nova"}}}'
)
RULES = "matchers:\n  whales: {author: nova}\nlists:\n  coins: [btc, eth]\n"


def config(*, exact: bool = False) -> RoutingConfig:
    text = config_text(rest=RULES + ("exact: true" if exact else ""))
    return load_routing(text.encode(), name="config.yaml", env={}, read_list=read_file)


def matches(text: str, *, exact: bool = False) -> bool:
    condition = condition_of(text, config(exact=exact), name="--match", read_list=read_file)
    return condition.matches(Subject(EVENT, datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("text", "is_matched"),
    [
        ("source: x", True),
        ("source: [telegram, rss]", False),
        ("{author: nova, text: {contains: moon}}", True),
        ("source: x\nnot: {author: nova}", False),
        ("[source: rss, author: nova]", True),
        ("whales", True),
        ("matcher: whales", True),
        ("text: {word: {list: coins}}", True),
        ("author: {file: /lists/fine.txt}", True),
    ],
)
def test_it_is_written_as_in_a_route(text: str, is_matched: bool) -> None:
    assert matches(text) is is_matched


def test_it_folds_texts_as_the_routes_of_the_config_do() -> None:
    assert matches("text: {word: btc}")
    assert not matches("text: {word: btc}", exact=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sorce: x", '--match:1:8: sorce: unknown field; did you mean "source"?'),
        ("whale", 'or the name of a matcher of the config; did you mean "whales"?'),
        ("nothing", 'expected a condition such as "source: x", or the name of a matcher of the config'),
        ("", "the condition is missing"),
        ("# x", "the condition is missing"),
        ("~", "the condition is missing"),
        ("source: [x", "--match:1:11: not valid YAML"),
        ("source: x\nsource: y", "source"),
        ("author: ${SECRET}", "SECRET"),
        ("text: {regex: '('}", "--match:1:"),
    ],
)
def test_a_mistake_has_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        matches(text)
    assert message in str(raised.value)
