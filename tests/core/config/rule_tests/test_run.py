"""What a test of the rules says where it fails, and why."""

from collections.abc import Mapping

import pytest

from forwarder.core.config.rule_tests.run import Result, run_test
from forwarder.core.config.runtime import router_of
from tests.core.config.support import load

CONFIG = """
streams: [{api_key: k}]
destinations: {bot: {url: 'http://127.0.0.1/'}, alerts: {url: 'http://127.0.0.1/'}}
routes:
  - {name: coins, match: {text: {word: btc}}, to: bot}
  - {name: halt, match: {text: {word: stop}}, to: bot, stop: true}
  - {name: off, to: bot, enabled: false}
  - {name: last, match: {text: {word: [btc, stop]}}, to: [bot, alerts]}
unmatched: alerts
"""


def result(text: str, expect: str) -> Result:
    config = load(CONFIG + f"tests: [{{event: {{payload: {{text: {text}}}}}, expect: {expect}}}]")
    (test,) = config.tests
    return run_test(router_of(config), test)


@pytest.mark.parametrize(
    ("text", "expect", "got"),
    [
        ("btc", "{bot: [coins, last], alerts: last}", {"bot": ("coins", "last"), "alerts": ("last",)}),
        ("btc", "[bot, alerts]", {"bot": ("coins", "last"), "alerts": ("last",)}),
        ("stop", "{bot: halt}", {"bot": ("halt",)}),
        ("gm", "{alerts: unmatched}", {"alerts": ("unmatched",)}),
    ],
)
def test_what_is_as_expected_has_no_differences(text: str, expect: str, got: Mapping[str, tuple[str, ...]]) -> None:
    found = result(text, expect)
    assert (found.got, found.differences) == (got, ())


@pytest.mark.parametrize(
    ("text", "expect", "said"),
    [
        ("gm", "nowhere", ['alerts also gets it, by "unmatched"']),
        (
            "gm",
            "[alerts, bot]",
            ["bot does not get it", '"coins" does not match', '"halt" does not match', '"last" does not match'],
        ),
        ("gm", "{alerts: , bot: coins}", ['bot does not get it by "coins"', '"coins" does not match']),
        ("btc", "{bot: [coins], alerts: }", ['bot gets it by "coins", "last", not by "coins"']),
        (
            "stop",
            "{bot: [halt, last]}",
            [
                'bot gets it by "halt", not by "halt", "last"',
                '"last" is not reached, because "halt" matches and has stop: true',
            ],
        ),
        ("gm", "{alerts: , bot: off}", ['bot does not get it by "off"', '"off" is disabled']),
        (
            "stop",
            "{bot: , alerts: unmatched}",
            ['alerts does not get it by "unmatched"', "a route matches it"],
        ),
        (
            "btc",
            "{bot: , alerts: [coins, last]}",
            [
                'alerts gets it by "last", not by "coins", "last"',
                '"coins" matches, but its "to" does not contain alerts',
            ],
        ),
    ],
)
def test_each_difference_is_a_sentence(text: str, expect: str, said: list[str]) -> None:
    assert [difference.said for difference in result(text, expect).differences] == said


def test_a_route_that_does_not_match_is_named_so_that_its_condition_can_be_shown() -> None:
    (_, why) = result("gm", "{alerts: , bot: coins}").differences
    assert why.missing is not None
    assert why.missing.name == "coins"
