"""Rates, and when a circuit breaker opens."""

from datetime import timedelta

import pytest

from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.token_bucket import Rate
from tests.core.config.support import config_text, load


def test_a_breaker_is_what_the_file_says() -> None:
    written = "breaker: {failures_in_a_row: 3, failure_ratio: 25%, min_attempts: 4, window: 1m}"
    assert load(config_text(destination=written)).destinations["bot"].breaker == BreakerPolicy(
        is_on=True, in_a_row=3, ratio=0.25, min_attempts=4, window=timedelta(minutes=1)
    )
    assert not load(config_text(destination="breaker: {enabled: false}")).destinations["bot"].breaker.is_on


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("50/s", Rate(count=50, per=timedelta(seconds=1), burst=5)),
        ("1000/h", Rate(count=1000, per=timedelta(hours=1), burst=1)),
        ("{rate: 20/m, burst: 7}", Rate(count=20, per=timedelta(minutes=1), burst=7)),
    ],
)
def test_a_rate_has_a_burst_of_a_tenth_of_a_second_unless_it_says_so(written: str, rate: Rate) -> None:
    assert load(config_text(destination=f"rate_limit: {written}")).destinations["bot"].rate_limit == rate
