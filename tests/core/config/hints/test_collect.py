"""Hints have places, are in the order of the file, and are said once for what several rules share."""

from tests.core.config.support import config_text, load


def test_what_several_rules_share_is_said_once() -> None:
    text = config_text(route='match: &odd {text: {regex: ["\\b", "\\b"]}}', rest="  - {to: bot, match: *odd}")
    assert [[each.split(": ")[0] for each in kind] for kind in load(text).hints] == [
        ["config.yaml:8:33", "config.yaml:8:39"],
    ]


def test_a_condition_on_a_response_is_looked_at_too() -> None:
    text = config_text(
        destination='success: {body: {regex: "\\bok", a: "x\\0", any: [{b: {word: "ok, fine"}}], not: [" no"]}}'
    )
    assert [each.split(": ")[:2] for kind in load(text).hints for each in kind] == [
        ["config.yaml:6:29", "destinations.bot.success.body.regex"],
        ["config.yaml:6:40", "destinations.bot.success.body.a"],
        ["config.yaml:6:64", "destinations.bot.success.body.any[0].b.word"],
        ["config.yaml:6:85", "destinations.bot.success.body.not[0]"],
    ]


def test_numbers_and_closed_sets_of_words_have_no_hints() -> None:
    text = config_text(
        route="match: {kind: post, payload.n: {gt: 1, length: 5, type: string}, author: {list: a}}",
        rest="lists: {a: [b]}",
    )
    assert load(text).hints == ()
