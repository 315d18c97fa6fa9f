"""Conditions that ask a source for what its posts never have. docs/fields.md says which fields each source has."""

import pytest

from forwarder.core.config.checks.absent_fields import why_absent
from tests.support.conditions import condition


def why(text: str) -> str | None:
    return why_absent(condition(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{source: x, channel: 5}", "no post of x has a channel"),
        ("{source: x, title: {exists: true}}", "no post of x has a title"),
        ("{source: [x, fast-x], channel: {regex: a}}", "no post of fast-x or x has a channel"),
        ("{source: [telegram, discord], lang: [en, ja]}", "no post of discord or telegram has a lang"),
        ("{all: [{source: telegram}, {lang: en}]}", "no post of telegram has a lang"),
        ("{source: fast-x, has_media: true}", "no post of fast-x has has_media: true"),
        ("{source: fast-x, kind: [reply, quote]}", "no post of fast-x has kind: quote or reply"),
        ("{source: [x, fast-x], kind: edit}", "no post of fast-x or x has kind: edit"),
        ("{source: rss, has_video: true}", "no post of rss has has_video: true"),
        ("{source: discord, author: nova}", "no post of discord has an author; use author_id or channel"),
        ("{source: Telegram, lang: en}", "no post of telegram has a lang"),
    ],
)
def test_what_no_post_has_is_named(text: str, said: str) -> None:
    assert why(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "{channel: 5}",
        "{source: [x, telegram], channel: 5}",
        "{source: x, channel: {exists: false}}",
        "{source: x, not: {channel: 5}}",
        "{source: x, channel: null}",
        "{source: x, any: [{channel: 5}, {text: {word: gm}}]}",
        "{source: [x, bluesky], channel: 5}",
        "{source: {regex: x}, channel: 5}",
        "{source: fast-x, has_media: false}",
        "{source: fast-x, has_media: [true, false]}",
        "{source: fast-x, kind: [edit, repost]}",
        "{source: x, has_media: true, kind: reply, lang: en}",
        "{source: x, kind: {exists: true}}",
        "{source: fast-x, has_media: {exists: true}}",
        "{source: x, payload.channel: 5}",
        "{source: forwarder, lang: en}",
        "{text: {word: gm}}",
    ],
)
def test_what_a_post_may_have_is_not_reported(text: str) -> None:
    assert why(text) is None
