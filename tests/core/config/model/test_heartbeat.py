"""The section `heartbeat`."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError, load_config
from forwarder.core.config.diff import plan
from forwarder.core.config.runtime import heartbeat_of
from forwarder.core.config.shareable import shareable
from tests.core.config.support import load, read_file

REST = """
streams: [{api_key: k}]
destinations: {bot: {url: 'http://127.0.0.1:9/'}}
routes: [{to: bot}]
"""


def test_a_config_without_it_has_no_heartbeat() -> None:
    assert heartbeat_of(load(REST)) is None


def test_it_is_a_minute_apart_and_needs_all_to_be_well_unless_the_config_says_otherwise() -> None:
    usual = heartbeat_of(load(REST + "heartbeat: {url: 'https://hc-ping.com/secret-id'}\n"))
    assert usual is not None
    assert (usual.url, usual.fail_url) == ("https://hc-ping.com/secret-id", None)
    assert (usual.every, usual.timeout) == (timedelta(minutes=1), timedelta(seconds=5))
    assert not usual.is_sent_degraded
    assert "secret-id" not in repr(usual)
    text = (
        "heartbeat: {url_file: /run/credentials/url, fail_url: 'https://kuma.example.com/down', every: 30s, when: up, timeout: 2s, "
        "tls: {verify: false}}\n"
    )
    other = heartbeat_of(load(REST + text))
    assert other is not None
    assert (other.url, other.fail_url) == ("https://example.com/magpie", "https://kuma.example.com/down")
    assert (other.every, other.timeout, other.is_sent_degraded) == (timedelta(seconds=30), timedelta(seconds=2), True)
    assert not other.transport.tls.is_verified


def test_the_urls_are_shown_neither_in_what_an_edit_changes_nor_in_a_bug_report() -> None:
    old = load(REST + "heartbeat: {url: 'https://hc-ping.com/first-id', every: 1m}\n")
    new = load(REST + "heartbeat: {url: 'https://hc-ping.com/second-id', every: 2m}\n")
    assert plan(old, new, started_with=old, waiting={}) == ["heartbeat.url changed", "heartbeat.every 1m → 2m"]
    assert plan(load(REST), new, started_with=old, waiting={}) == ["heartbeat added"]
    assert "second-id" not in str(shareable(new))
    assert "2m" in str(shareable(new))


def test_the_addresses_that_destinations_must_not_have_are_none_for_it_either() -> None:
    text = "networks: {deny: private}\nheartbeat: {url: 'https://hc-ping.com/a'}\n"
    found = heartbeat_of(load(REST.replace("127.0.0.1", "203.0.114.5") + text))
    assert found is not None
    assert found.transport.networks.why_not("10.0.0.1") is not None


def test_a_certificate_that_is_not_valid_is_reported_at_its_place() -> None:
    text = REST + "heartbeat: {url: 'https://hc-ping.com/a', tls: {verify: true}}\n"
    with pytest.raises(ConfigError, match=r"heartbeat\.tls: it has expired"):
        load_config(
            text.encode(),
            name="config.yaml",
            env={},
            read_file=read_file,
            check_tls=lambda _tls: [("ca", "it has expired")],
        )
