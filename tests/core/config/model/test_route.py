"""A route: disabled ones, and stop and continue."""

import re

import pytest

from forwarder.core.config import RouteConfig
from forwarder.core.config.json_schema import config_schema
from forwarder.core.config.lint import warnings_of
from forwarder.core.config.runtime import router_of
from forwarder.core.event import decode_event
from forwarder.core.routing.router import Router
from tests.core.config.support import config_text, load
from tests.support.conditions import NOW
from tests.support.paths import DOCS

PAGE = DOCS / "reuse.md"


EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


STREAM = "streams: [{api_key: k}]\n"


def destinations(*names: str) -> str:
    return "destinations:\n" + "".join(f"  {name}: {{url: 'http://127.0.0.1/{name}'}}\n" for name in names)


def chosen(router: Router, text: str = "", *, sid: str = "1") -> dict[str, tuple[str, ...]]:
    body = f'{{"source":"x","sid":"{sid}","mid":"2","timestamp":0,"payload":{{"text":"{text}"}}}}'
    return {str(name): routes for name, routes in router.select(decode_event(body.encode()), NOW).chosen.items()}


def test_a_disabled_route_takes_no_event_and_stops_none() -> None:
    router = router_of(load(EXAMPLES[2]))
    assert [route.name for route in router.routes] == ["one account", "rest"]
    assert chosen(router, sid="12") == {"bot": ("one account",)}
    assert chosen(router) == {"bot": ("rest",)}


def test_all_routes_may_be_disabled() -> None:
    config = load(config_text(route="enabled: false", rest="unmatched: bot"))
    assert not config.routes[0].enabled
    assert chosen(router_of(config)) == {"bot": ("unmatched",)}


def test_a_disabled_route_prefers_nothing() -> None:
    text = config_text(destination="on_full: send", route="prefer: first\nenabled: {}")
    assert warnings_of(load(text.replace("{}", "true"))) == []
    assert len(warnings_of(load(text.replace("{}", "false")))) == 1


@pytest.mark.parametrize(
    ("written", "stop"),
    [
        ("", False),
        ("continue: true", False),
        ("continue: false", True),
        ("continue: False\nstop: true", True),
        ("continue: true\nstop: false", False),
        ("continue: ~\nstop: true", True),
        ("continue: false\nstop: ~", True),
    ],
)
def test_continue_is_the_other_word_for_stop(written: str, stop: bool) -> None:
    assert load(config_text(route=written)).routes[0].stop is stop


def test_continue_may_be_said_without_a_file() -> None:
    assert RouteConfig.model_validate({"name": "a", "to": ["b"], "continue": False}).stop


def test_continue_is_a_key_of_the_schema() -> None:
    assert "continue" in config_schema()["$defs"]["RouteConfig"]["properties"]
