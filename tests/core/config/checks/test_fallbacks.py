"""`fallback`: whom it may name, and when it comes too late."""

import pytest

from forwarder.core.config import Config, ConfigError
from forwarder.core.config.runtime import fallbacks_of
from tests.core.config.support import load

ALERTS = "{url: http://127.0.0.1:9000/alerts}"


def config(bot: str = "", *, alerts: str = ALERTS, rest: str = "") -> Config:
    return load(
        f"streams: [{{api_key: k}}]\ndestinations:\n  bot: {{url: http://127.0.0.1:9000/hook, {bot}}}\n  alerts: {alerts}\n"
        f"routes: [{{to: [bot, alerts]}}]\n{rest}"
    )


@pytest.mark.parametrize("written", ["alerts", "{to: alerts}", "{to: alerts, after: 10m}"])
def test_a_fallback_may_be_a_name(written: str) -> None:
    (found,) = fallbacks_of(config(f"fallback: {written}"))
    assert (found.of, found.to, found.after.total_seconds()) == ("bot", "alerts", 600)


@pytest.mark.parametrize("written", ["bot", "{to: bot}"])
def test_a_default_is_left_out_where_it_would_be_the_destination_itself(written: str) -> None:
    found = fallbacks_of(config(rest=f"defaults: {{fallback: {written}}}"))
    assert [(each.of, each.to) for each in found] == [("alerts", "bot")]


@pytest.mark.parametrize(
    ("bot", "alerts", "said"),
    [
        ("fallback: bot", ALERTS, "cannot be its own fallback"),
        ("fallback: alert", ALERTS, '"alert" is not a destination; did you mean "alerts"?'),
        ("fallback: everyone", ALERTS, '"everyone" is a group; name one destination'),
        ("fallback: alerts", "{url: http://127.0.0.1/, enabled: false}", '"alerts" is disabled and gets nothing'),
        ("fallback: {after: 1m}", ALERTS, 'the key "to" is missing'),
        ("fallback: {to: alerts, after: 1h}, retry: {delays: [1s], max_age: 1h}", ALERTS, 'retry.max_age of "bot"'),
        ("fallback: {to: alerts, after: 1h}", "{url: http://127.0.0.1/, retry: {delays: [1s], max_age: 1m}}", 'retry.max_age of "alerts"'),
    ],
)  # fmt: skip
def test_a_fallback_that_cannot_work_is_refused(bot: str, alerts: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        config(bot, alerts=alerts, rest="groups: {everyone: [bot, alerts]}")
    assert said in str(error.value)


def test_a_fallback_of_what_is_disabled_is_left_alone() -> None:
    off = config(
        "fallback: alerts, enabled: false, retry: {delays: [1s], max_age: 1s}",
        alerts="{url: http://127.0.0.1/, enabled: false}",
    )
    assert not fallbacks_of(off)


def test_without_destinations_there_is_nothing_to_check() -> None:
    with pytest.raises(ConfigError):
        load("streams: [{api_key: k}]\ndestinations: []\nroutes: [{to: bot}]")
