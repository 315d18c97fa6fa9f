"""`outbox`: where deliveries are stored, and for how long."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError, OutboxConfig
from tests.core.config.support import config_text, load


def outbox(written: str) -> OutboxConfig:
    return load(config_text(rest=f"outbox: {{{written}}}")).outbox


def test_every_setting_is_what_the_file_says() -> None:
    found = outbox("durability: normal, keep_delivered: 0s, keep_dead: 1d, max_size: 1GiB, dedupe_window: 1h")
    assert found == OutboxConfig(
        durability="normal",
        keep_delivered=timedelta(),
        keep_dead=timedelta(days=1),
        max_size=1024**3,
        dedupe_window=timedelta(hours=1),
    )


def test_by_default_events_survive_a_power_cut_and_duplicates_are_dropped() -> None:
    assert outbox("") == OutboxConfig()
    assert (OutboxConfig().durability, OutboxConfig().dedupe_window) == ("full", timedelta(minutes=30))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("durability: none", 'outbox.durability: expected full or normal, got "none"'),
        ("max_size: 2TiB", "outbox.max_size: .* out of range; 1MiB to 1TiB"),
        ("dedupe_window: 8d", "outbox.dedupe_window: .* out of range; 0s to 7d"),
        ("max_size: 1MiB", "outbox.max_size: too small for an event of 16MiB"),
    ],
)
def test_a_value_out_of_its_bounds_is_refused(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        outbox(written)
