"""`on_failure`: who gets a notice, and after how long."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.config.model.on_failure import OnFailureConfig
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
