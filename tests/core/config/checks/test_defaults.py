"""Defaults: what each destination gets that does not have the key itself."""

import re
from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError, load_config
from forwarder.core.config.model.destination import DestinationConfig, DestinationSettings
from forwarder.core.config.values.section import keys_of
from forwarder.core.event import decode_event
from forwarder.core.routing.router import Router
from forwarder.core.yaml.node_builder import MAX_NODES
from tests.core.config.support import ENV, config_text, load, read_file
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


def to_of(text: str) -> list[list[str]]:
    return [route.to for route in load(text).routes]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_documentation_is_valid(example: str) -> None:
    assert load(example).destinations


def test_defaults_hold_where_the_destination_says_nothing() -> None:
    config = load(EXAMPLES[0])
    bot, archive, alerts = (config.destinations[name] for name in ("bot", "archive", "alerts"))
    assert (bot.timeout, archive.timeout, alerts.timeout) == tuple(timedelta(seconds=each) for each in (3, 20, 3))
    assert [list(each.headers) for each in (bot, archive, alerts)] == [["X-From"], ["X-Team"], ["X-From"]]
    assert [each.signing is None for each in (bot, archive, alerts)] == [False, True, False]
    assert bot.signing == alerts.signing
    assert [each.on_failure and each.on_failure.to for each in (bot, archive, alerts)] == ["alerts", "alerts", None]


def test_every_key_may_be_a_default_but_what_is_of_each_destination_alone() -> None:
    assert keys_of(DestinationConfig).keys() - keys_of(DestinationSettings) == {
        "url",
        "url_file",
        "apprise",
        "apprise_file",
        "enabled",
    }


def test_a_config_with_defaults_is_the_one_that_is_written_out() -> None:
    keys = "{timeout: 1s, order: sid, retry: {delays: [1s]}, canary: {every: 10m, within: 1m}}"
    short = load(STREAM + f"defaults: {keys}\n" + destinations("a", "b") + "routes: [{to: a}]")
    long = load(
        STREAM + f"x-a: &a {keys}\n" + destinations("a", "b").replace("{url", "{<<: *a, url") + "routes: [{to: a}]"
    )
    assert short.destinations == long.destinations
    assert short.defaults is not None


def test_defaults_may_stand_last_and_be_merged_themselves() -> None:
    text = "x-a: &a {timeout: 1s}\n" + config_text(rest="defaults: {<<: *a, concurrency: 2}")
    bot = load(text).destinations["bot"]
    assert (bot.timeout, bot.concurrency) == (timedelta(seconds=1), 2)


def test_what_a_destination_merges_goes_before_the_defaults() -> None:
    text = "x-a: &a {timeout: 1s}\n" + config_text(destination="<<: *a", rest="defaults: {timeout: 2s, concurrency: 2}")
    bot = load(text).destinations["bot"]
    assert (bot.timeout, bot.concurrency) == (timedelta(seconds=1), 2)


def test_an_anchor_is_not_changed_by_the_defaults_of_the_destination_it_is_at() -> None:
    text = f"""{STREAM}
destinations:
  a: &a {{url: "http://127.0.0.1/"}}
  b: *a
defaults: {{on_failure: {{to: b}}}}
routes: [{{to: a}}]
"""
    a, b = load(text).destinations.values()
    assert a.on_failure is not None
    assert a.on_failure.to == "b"
    assert b.on_failure is None


def test_a_default_on_failure_by_a_variable_is_left_out_at_the_destination_it_names() -> None:
    text = STREAM + "defaults: {on_failure: {to: '${WHO}'}}\n" + destinations("a", "b") + "routes: [{to: a}]"
    a, b = load(text, {"WHO": "b"}).destinations.values()
    assert a.on_failure is not None
    assert b.on_failure is None


def test_a_secret_file_of_the_defaults_is_read_once() -> None:
    read: list[str] = []

    def reading(path: str) -> str:
        read.append(path)
        return read_file(path)

    text = EXAMPLES[0].replace("signing: ~", "").encode()
    load_config(text, name="config.yaml", env=ENV, read_file=reading)
    assert read == ["/run/credentials/secret"]


def test_a_mistake_in_the_defaults_is_reported_once_however_many_destinations_there_are() -> None:
    names = [f"d{number}" for number in range(50)]
    text = (
        STREAM
        + destinations(*names)
        + "routes: [{to: d1}]\ndefaults: {timeout: 3, headers: {A: '${NOT_SET}'}, format: disc}"
    )
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert [problem.path for problem in caught.value.problems] == [
        "defaults.timeout",
        "defaults.headers.A",
        "defaults.format",
    ]


def test_defaults_that_come_to_too_much_are_refused() -> None:
    headers = ", ".join(f"X-{number}: a" for number in range(1_000))
    names = [f"d{number}" for number in range(MAX_NODES // 1_000 // 2)]
    text = STREAM + f"defaults: {{headers: {{{headers}}}}}\n" + destinations(*names) + "routes: [{to: d1}]\n"
    with pytest.raises(
        ConfigError, match=rf"^config.yaml:2:1: defaults: more than {MAX_NODES} values, where defaults count"
    ):
        load(text)


def test_a_destination_that_is_no_mapping_gets_no_defaults() -> None:
    with pytest.raises(ConfigError) as caught:
        load(STREAM + "defaults: {timeout: 1s}\ndestinations: {bot: 5}\nroutes: [{to: bot}]")
    assert str(caught.value) == "config.yaml:3:21: destinations.bot: expected a mapping, got a single value"
