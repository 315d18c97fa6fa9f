"""What is written once and meant in several places: defaults, groups, routes that rest."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.config import Config, ConfigError, RouteConfig, load_config
from forwarder.core.config.advice import warnings_of
from forwarder.core.config.destination import DestinationConfig, DestinationSettings
from forwarder.core.config.fields import keys_of
from forwarder.core.config.nodes import MAX_NODES
from forwarder.core.event import decode_event
from forwarder.core.routing import Router
from forwarder.parts import router_of
from tests.core.config.support import ENV, config_text, load, read_file
from tests.support.conditions import NOW

DOCS = Path(__file__).parents[3] / "docs" / "reuse.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
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
    assert keys_of(DestinationConfig).keys() - keys_of(DestinationSettings) == {"url", "url_file", "enabled"}


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


def test_an_anchor_is_not_changed_by_the_defaults_of_the_destination_it_stands_at() -> None:
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


def test_an_on_failure_of_its_own_may_not_name_itself() -> None:
    text = config_text(destination="on_failure: {to: bot}", rest="defaults: {on_failure: {to: bot}}")
    with pytest.raises(
        ConfigError, match=r"^config.yaml:6:22: destinations.bot.on_failure.to: a destination that fails"
    ):
        load(text)


def test_a_secret_file_of_the_defaults_is_read_once() -> None:
    read: list[str] = []

    def reading(path: str) -> str:
        read.append(path)
        return read_file(path)

    text = EXAMPLES[0].replace("signing: ~", "").encode()
    load_config(text, name="config.yaml", env=ENV, read_file=reading)
    assert read == ["/run/credentials/secret"]


def test_a_mistake_in_the_defaults_is_told_once_however_many_destinations_there_are() -> None:
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
        ConfigError, match=rf"^config.yaml:2:1: defaults: more than {MAX_NODES} values, counted in full"
    ):
        load(text)


def test_a_group_is_its_destinations_each_once_in_the_order_written() -> None:
    groups = "groups: {desk: [b, c], all: [desk, a, night], night: [c, a]}\n"
    text = STREAM + destinations("a", "b", "c") + groups
    assert to_of(text + "routes: [{to: desk}, {to: [c, desk]}, {to: all}, {to: [night, b]}]") == [
        ["b", "c"],
        ["c", "b"],
        ["b", "c", "a"],
        ["c", "a", "b"],
    ]


def test_what_the_file_says_of_groups_is_kept() -> None:
    config = load(STREAM + destinations("a", "b") + "groups: {desk: [a, b], night: desk}\nroutes: [{to: night}]")
    assert config.groups == {"desk": ["a", "b"], "night": ["desk"]}


def test_an_event_goes_once_to_what_it_reaches_by_two_groups() -> None:
    router = router_of(load(EXAMPLES[1]))
    assert chosen(router, "urgent") == {
        "bot": ("urgent", "rest"),
        "alerts": ("urgent", "rest"),
        "archive": ("rest",),
    }


def test_groups_that_come_to_too_much_are_refused_before_they_are_made() -> None:
    names = [f"d{number}" for number in range(2_000)]
    groups = f"groups:\n  all: [{', '.join(names)}]\n" + "".join(f"  g{number}: all\n" for number in range(2_000))
    text = STREAM + destinations(*names) + groups + "routes: [{to: all}]\n"
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert [problem.message for problem in caught.value.problems] == [
        f"more than {MAX_NODES} destinations, each group counted where it is named"
    ]


def test_a_chain_of_groups_may_be_as_deep_as_anything_else() -> None:
    chain = "".join(f"  g{number}: g{number + 1}\n" for number in range(49))
    text = STREAM + destinations("a") + f"groups:\n{chain}  g49: a\nroutes: [{{to: g0}}]"
    assert to_of(text) == [["a"]]
    with pytest.raises(ConfigError, match="nested more than 50 deep"):
        load(text.replace("groups:", "groups:\n  g: g0"))


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
    assert "continue" in Config.model_json_schema()["$defs"]["RouteConfig"]["properties"]
