"""What is said about each error that the models find."""

import pytest

from forwarder.core.config import ConfigError
from tests.core.config.support import config_text, load


def said_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return [f"{problem.line}:{problem.column} {problem.path}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (config_text(destination="timout: 1s"), '6:5 destinations.bot.timout: unknown key; did you mean "timeout"?'),
        (
            config_text(rest="admin: {zzz: 1}"),
            "8:9 admin.zzz: unknown key; the keys are socket, group, listen, token, token_file, tls, behind_proxy, hosts",
        ),
        (
            config_text(rest="defaults: {enabled: false}"),
            '8:12 defaults.enabled: "enabled" is not allowed in defaults; write it in each destination',
        ),
        (
            config_text(destination="retry: {delay: [1s]}"),
            '6:13 destinations.bot.retry.delay: unknown key; did you mean "delays"?',
        ),
        (
            config_text(destination="breaker: {enable: true}"),
            '6:15 destinations.bot.breaker.enable: unknown key; did you mean "enabled"?',
        ),
        (
            config_text().replace("    url: http://127.0.0.1:9000/hook", "    timeout: 1s"),
            '5:5 destinations.bot: the key "url" (or "url_file") is missing',
        ),
        (config_text(rest="expect: [{name: a}]"), '8:10 expect[0]: the key "within" is missing'),
        (
            config_text(destination="headers: a"),
            "6:14 destinations.bot.headers: expected a mapping, got a single value",
        ),
        (
            config_text(destination="on_failure: alerts"),
            "6:17 destinations.bot.on_failure: expected a mapping such as {to: alerts}, got a single value",
        ),
        (config_text(rest="outbox: [a]"), "8:9 outbox: expected a mapping, got a list"),
        (config_text(rest="expect: {}"), "8:9 expect: expected a list, got a mapping"),
        (
            config_text(destination="retry: {delays: []}"),
            "6:21 destinations.bot.retry.delays: it is empty; write at least one element",
        ),
        (
            config_text(destination=f"retry: {{delays: [{', '.join(['1s'] * 51)}]}}"),
            "6:21 destinations.bot.retry.delays: the list has 51 elements; 50 are allowed",
        ),
        (
            config_text(destination="headers: {'a b': c}"),
            "6:15 destinations.bot.headers.(a key that is not shown): not the name of a header; a name consists of letters, digits and hyphens",
        ),
        (
            config_text(destination="timeout: soon"),
            '6:14 destinations.bot.timeout: "soon" is not a duration; write one such as 250ms, 5s, 1h30m or 7d',
        ),
    ],
)
def test_an_error_is_a_sentence_with_its_place(text: str, said: str) -> None:
    assert said_of(text) == [said]


def test_a_missing_key_of_a_stream_is_reported_with_the_reason_why_one_is_needed() -> None:
    (said,) = said_of(config_text().replace("api_key: ${SCRAPEST_API_KEY}", "name: main"))
    assert said.startswith('2:5 streams[0]: the key "api_key" (or "api_key_file") is missing; ')
    assert "public" in said


def test_all_errors_are_reported_in_the_order_of_the_file() -> None:
    found = said_of(config_text(stream="max_frame: 1", destination="timeout: 1", rest="grace_period: 1"))
    assert [each.split(":")[0] for each in found] == ["3", "7", "10"]
