"""What `check` says about the public stream: what its events lack, and the rules that none of them meets."""

import pytest

from forwarder.core.config.checks.public_stream import warnings_of_public
from tests.core.config.support import load

MISSING = (
    "streams[0].transport: public: this stream is for trying forwarder out. It has fast-x, telegram and discord, and no x events. "
    "Of each event only the first 100 characters come: a rule cannot match what is after them, which mostly includes the author and the "
    "link. There is no sid, and gaps are not repaired. Whole events need an api_key"
)


def said(match: str = "{}", *, second: str = "", rest: str = "") -> list[str]:
    text = f"streams:\n  - {{name: tryout, transport: public}}\n{second}\ndestinations: {{bot: {{url: http://a/}}}}\n"
    condition = f", match: {match}" if match != "{}" else ""
    return list(warnings_of_public(load(f"{text}routes:\n  - {{to: bot{condition}}}\n{rest}")))


def test_it_says_what_is_missing() -> None:
    assert said() == [MISSING]
    assert load("streams: [{api_key: k}]\ndestinations: {bot: {url: http://a/}}\nroutes: [{to: bot}]").hints is not None


def test_a_config_without_it_has_no_such_warning() -> None:
    config = load(
        "streams: [{api_key: k}]\ndestinations: {bot: {url: http://a/}}\nroutes: [{to: bot, match: {source: x}}]"
    )
    assert list(warnings_of_public(config)) == []


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ("{source: [x, rss]}", "which has fast-x, telegram and discord only"),
        ("{text: gm, sid: '12'}", "whose events have no sid"),
        ("{truncated: false}", "whose events are all truncated"),
    ],
)
def test_a_route_that_gets_nothing_from_it_is_reported(match: str, why: str) -> None:
    assert said(match)[1:] == [f'routes[0] "route 1": it gets no event: the only stream is the public one, {why}']
    assert len(said(match, second="  - {api_key: k}")) == 2


@pytest.mark.parametrize("match", ["{source: [x, fast-x]}", "{truncated: true}", "{any: [{source: x}, {text: gm}]}"])
def test_a_route_that_may_get_something_is_not(match: str) -> None:
    assert said(match) == [MISSING]


def test_next_to_a_stream_with_a_key_posts_come_twice() -> None:
    assert said(second="  - {api_key: k}")[1:] == [
        (
            'streams[0].transport: public: a post that "main" brings too comes twice, whole and cut; add truncated: false to the routes '
            "that should send whole events only"
        )
    ]


def test_without_a_window_for_duplicates_its_repetitions_are_delivered() -> None:
    assert said(rest="outbox: {dedupe_window: 0s}")[1:] == [
        (
            "outbox.dedupe_window: 0s: the public stream repeats its last five events on each new connection, and they are delivered "
            "again; write 30m"
        )
    ]
