"""The canary of a destination: how often, and how soon it must arrive."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.destinations.destination import CanaryPolicy
from tests.core.config.support import config_text, load


def policy(written: str) -> CanaryPolicy:
    canary = load(config_text(destination=f"canary: {written}")).destinations["bot"].canary
    assert canary is not None
    return canary.value()


@pytest.mark.parametrize(
    ("written", "every", "within"),
    [
        ("{every: 10m}", 600, 60),
        ("{every: 1m}", 60, 30),
        ("{every: 2m}", 120, 60),
        ("{every: 10m, within: 5m}", 600, 300),
    ],
)
def test_a_canary_arrives_within_a_minute_or_half_the_time_to_the_next(written: str, every: int, within: int) -> None:
    assert policy(written) == CanaryPolicy(every=timedelta(seconds=every), within=timedelta(seconds=within))


@pytest.mark.parametrize("within", ["10m", "11m"])
def test_a_canary_arrives_before_the_next_one(within: str) -> None:
    with pytest.raises(ConfigError, match="within must be shorter than every, so that each canary arrives before the"):
        policy(f"{{every: 10m, within: {within}}}")
