"""What `check` warns of: rules without effect, and what does not go together."""

import pytest

from forwarder.core.config.advice import warnings_of
from tests.core.config.support import load

HEAD = """
streams: [{api_key: key}]
destinations: {bot: {url: http://127.0.0.1/}, alerts: {url: http://127.0.0.1/}, off: {url: http://127.0.0.1/, enabled: false}}
lists: {whales: [nova, orca]}
matchers: {from whales: {author: {list: whales}}}
unmatched: alerts
routes:
"""


def said(routes: str) -> list[str]:
    return [line for line in warnings_of(load(HEAD + routes)) if line.startswith(("routes", "and"))]


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ("- {to: bot, match: {source: x}}", []),
        (
            "- {to: bot, match: {source: x}, stop: true}\n- {to: bot}\n- {to: off}",
            ['routes[2] "route 3": sends nothing: off is disabled'],
        ),
        (
            "- {to: bot, stop: true}\n- {to: alerts, match: {source: x}}",
            ['routes[1] "route 2": gets no event: all that it matches stops at routes[0] "route 1"'],
        ),
        (
            "- {to: bot, match: {matcher: from whales}, stop: true}\n- {to: alerts, match: {author: '@Orca', text: {word: btc}}}",
            ['routes[1] "route 2": gets no event: all that it matches stops at routes[0] "route 1"'],
        ),
        ("- {to: bot, match: {matcher: from whales}, stop: true}\n- {to: alerts, match: {author: [orca, moby]}}", []),
        (
            "- {to: bot, match: {source: x, not: {source: x}}}",
            ['routes[0] "route 1": can never match: source must and must not be the same'],
        ),
        (
            "- {name: again, to: bot, match: {sid: [1, 2]}}\n- {to: [bot], match: {sid: [2, 1]}}",
            ['routes[1] "route 2": says what routes[0] "again" says already'],
        ),
        ("- {to: bot, match: {sid: 1}}\n- {to: alerts, match: {sid: 1}}", []),
        (
            "- {to: bot, match: {source: [telegrm, x]}}",
            ['routes[0] "route 1": no source of the name "telegrm" is known; did you mean "telegram"?'],
        ),
        ("- {to: bot, match: {source: mastodon}}", []),
    ],
)
def test_rules_without_effect(routes: str, expected: list[str]) -> None:
    assert said(routes) == expected


@pytest.mark.parametrize("routes", [3, 700])
def test_however_many_routes_there_are(routes: int) -> None:
    rules = [
        f"- {{to: bot, stop: true, match: {{sid: {number}, text: {{contains: k{number}}}}}}}"
        for number in range(routes)
    ]
    rules.append("- {to: alerts, match: {sid: 1, text: {contains: ak1b}}}")
    assert said("\n".join(rules)) == [
        f'routes[{routes}] "route {routes + 1}": gets no event: all that it matches stops at routes[1] "route 2"'
    ]


def test_a_thousand_of_a_kind_are_told_in_few_lines() -> None:
    found = said("- {to: bot, stop: true}\n" + "- {to: alerts, match: {source: x}}\n" * 1_000)
    assert len(found) == 21
    assert found[-1] == "and 980 more like the last one"


def test_settings_without_effect() -> None:
    config = load(
        "streams: [{api_key: key}]\nroutes: [{to: bot}]\n"
        "destinations:\n  bot: {url: http://127.0.0.1/, concurrency: 4, backlog_concurrency: 8, compress_from: 1KiB, canary: {every: 1m, within: 1s}}\n"
        "  spare: {url: http://127.0.0.1/}\n"
    )
    assert warnings_of(config) == [
        "destinations.bot.backlog_concurrency: more than concurrency, which is 4, and so no more than that",
        "destinations.bot.compress_from: has no effect without compression",
        "destinations.bot.canary.within: shorter than timeout, so a slow answer counts as none",
        "destinations.spare: no route sends anything there",
    ]


def test_what_stands_behind_a_fragment_is_sent_to_nobody() -> None:
    text = HEAD.replace("bot: {url: http://127.0.0.1/}", "bot: {url: 'http://127.0.0.1/a#/b'}")
    warning = "destinations.bot.url: what stands behind the # is not sent; write %23 where the sign is meant"
    assert warning in warnings_of(load(f"{text}\n  - to: [bot, alerts]"))
    assert warning not in warnings_of(load(f"{HEAD}\n  - to: [bot, alerts]"))
