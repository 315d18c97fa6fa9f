"""`on_failure`: who gets a notice, and after how long."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.config.model.on_failure import OnFailureConfig
from forwarder.core.config.runtime import backlog_limits_of
from tests.core.config.support import config_text, load


def test_a_failure_lasts_five_minutes_before_a_notice_unless_the_file_says_otherwise() -> None:
    def of_stream(written: str) -> OnFailureConfig | None:
        return load(config_text(stream=f"on_failure: {written}")).streams[0].on_failure

    assert of_stream("{to: bot}") == OnFailureConfig(to="bot", after=timedelta(minutes=5))
    assert of_stream("{to: bot, after: 0s}") == OnFailureConfig(to="bot", after=timedelta())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{after: 1m}", 'the key "to" is missing'),
        ("bot", "expected a mapping"),
        ("{to: bot, after: 8d}", "out of range"),
    ],
)
def test_a_mistake_is_refused(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(config_text(stream=f"on_failure: {written}"))


@pytest.mark.parametrize("written", ["{count: 10}", "{age: 5m}", "{count: 1, age: 1s}"])
def test_a_destination_may_report_its_backlog(written: str) -> None:
    text = config_text(destination=f"on_failure: {{to: spare, backlog: {written}}}")
    config = load(text.replace("routes:", "  spare: {url: http://127.0.0.1:9000/spare}\nroutes:"))
    (limit,) = backlog_limits_of(config)
    assert limit.of == "bot"
    assert limit.count in {1, 10, None}


@pytest.mark.parametrize(
    ("written", "said"), [("{}", "backlog needs count, age or both"), ("{count: 0}", "out of range")]
)
def test_a_backlog_without_a_limit_is_refused(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(config_text(destination=f"on_failure: {{to: bot, backlog: {written}}}"))
