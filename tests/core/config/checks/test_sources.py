"""A source that nobody knows is a warning, with the one that may have been meant."""

import pytest

from forwarder.core.config.checks.sources import hint_of_source, warnings_of_sources
from tests.core.config.support import config_text, load

KNOWN = "x, fast-x, telegram, discord, rss, web, forwarder"


def said(match: str, rest: str = "") -> list[str]:
    return list(warnings_of_sources(load(config_text(route=f"match: {match}", rest=rest))))


@pytest.mark.parametrize(
    "match", ["{source: [x, fast-x, forwarder]}", "{source: [X, Telegram]}", "{sid: twitter}", "{payload.source: tg}"]
)
def test_a_source_that_is_known_in_any_case_is_right(match: str) -> None:
    assert said(match) == []


@pytest.mark.parametrize(
    ("match", "value", "hint"),
    [
        ("{source: telegrm}", "telegrm", '; did you mean "telegram"?'),
        ("{source: Twitter}", "Twitter", '; did you mean "x"?'),
        ("{source: [x, TG]}", "TG", '; did you mean "telegram"?'),
        ("{source: {equals: fastx}}", "fastx", '; did you mean "fast-x"?'),
        ("{source: facebook}", "facebook", f"; the known ones are {KNOWN}"),
        ("{any: [{text: {word: gm}}, {not: {all: [{source: tg}]}}]}", "tg", '; did you mean "telegram"?'),
        ("{source: {list: feeds}}", "tg", '; did you mean "telegram"?'),
        ("{matcher: feeds}", "tg", '; did you mean "telegram"?'),
        ("{any: [{source: tg}, {source: tg}]}", "tg", '; did you mean "telegram"?'),
    ],
)
def test_a_source_that_nobody_knows_is_reported_wherever_it_is(match: str, value: str, hint: str) -> None:
    rest = "lists: {feeds: [tg]}\nmatchers: {feeds: {source: tg}}"
    assert said(match, rest) == [f'routes[0] "route 1": "{value}" is not a known source{hint}']


def test_expectations_are_looked_at_and_disabled_routes_are_not() -> None:
    assert said("{source: tg}", "expect: [{name: posts, within: 1h, match: {source: tweets}}]")[1:] == [
        'expect[0] "posts": "tweets" is not a known source; did you mean "x"?'
    ]
    assert list(warnings_of_sources(load(config_text(route="match: {source: tg}\nenabled: false")))) == []


def test_a_value_of_a_variable_is_not_shown() -> None:
    assert said("{source: '${CANARY}'}") == [
        f'routes[0] "route 1": the value of "${{CANARY}}" is not a known source; the known ones are {KNOWN}'
    ]


def test_a_name_that_means_a_source_is_known() -> None:
    assert hint_of_source(" T.ME ") == '; did you mean "telegram"?'
    assert hint_of_source("discrd") == '; did you mean "discord"?'
    assert hint_of_source("mastodon") == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("*", "; for all of them leave out source"),
        ("All", "; for all of them leave out source"),
        ("x, fast-x", "; write a list: [x, fast-x]"),
        ("Telegram|discord", "; write a list: [telegram, discord]"),
        ("x, twitter", ""),
    ],
)
def test_all_sources_and_several_in_one_are_answered(value: str, said: str) -> None:
    assert hint_of_source(value) == said
