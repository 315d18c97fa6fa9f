"""The section `tracing`."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError, load_config
from forwarder.core.config.diff import needs_restart, plan
from forwarder.core.routing.sampling import WHOLE
from tests.core.config.support import load, read_file

REST = """
streams: [{api_key: k}]
destinations: {bot: {url: 'http://127.0.0.1:9/'}}
routes: [{to: bot}]
"""
TRACING = (
    "tracing: {endpoint: 'https://traces.example.com/magpie', headers: {x-key: magpie}, sample: 0.5%, timeout: 3s}\n"
)


def test_all_events_are_traced_unless_there_is_a_sample() -> None:
    usual = load(REST + "tracing: {endpoint: 'http://127.0.0.1:4318/v1/traces'}\n").tracing
    assert usual is not None
    assert (usual.share, usual.service, usual.timeout) == (WHOLE, "forwarder", timedelta(seconds=10))
    other = load(REST + TRACING).tracing
    assert other is not None
    assert (other.share, other.headers["x-key"].reveal(), other.timeout) == (50, "magpie", timedelta(seconds=3))
    assert "magpie" not in repr(other)


def test_it_takes_effect_at_the_next_start() -> None:
    old, new = load(REST), load(REST + TRACING)
    assert needs_restart(new, old) == ["tracing"]
    assert plan(old, new, started_with=old, waiting={}) == ["tracing changed: takes effect at the next start"]


def test_without_its_libraries_it_is_a_mistake_at_its_place() -> None:
    def check(text: str) -> None:
        load_config(text.encode(), name="config.yaml", env={}, read_file=read_file, check_tracing=lambda: "not there")

    check(REST)
    with pytest.raises(ConfigError, match=r"config.yaml:5:10: tracing: not there"):
        check(REST + TRACING)
