"""The whole config: its defaults, and that it can be built without a file."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from forwarder.core.config import Config, DestinationConfig, OutboxConfig, RouteConfig, Secret, StreamConfig
from forwarder.core.config.model.root import ReloadConfig
from forwarder.core.dispatch.retry import NAMED_POLICIES, RetryPolicy
from forwarder.core.matching import Subject
from tests.core.config.support import config_text, load
from tests.support.conditions import event

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_what_is_left_out_has_its_default() -> None:
    config = load(config_text())
    assert config.outbox == OutboxConfig()
    assert (config.unmatched, config.grace_period) == ("drop", timedelta(seconds=10))
    (stream,) = config.streams
    assert (stream.name, stream.transport, stream.url) == ("main", "websocket", "wss://scrape.st/ws")
    assert (stream.use_fast_x, stream.ignore_full_payload, stream.api_key_file) == (False, False, None)
    bot = config.destinations["bot"]
    assert (bot.timeout, bot.concurrency, bot.headers, bot.signing) == (timedelta(seconds=5), 16, {}, None)
    assert (bot.enabled, bot.retry) == (True, NAMED_POLICIES["live"])


def test_a_config_can_be_built_without_a_file() -> None:
    config = Config(
        streams=[StreamConfig(api_key=Secret("k"))],
        destinations={
            "a": DestinationConfig(
                url=Secret("http://a/"), timeout=timedelta(seconds=1), retry=RetryPolicy(delays=()), concurrency=2
            )
        },
        routes=[RouteConfig(name="all", to=["a"])],
    )
    assert config.destinations["a"].retry.delays == ()
    assert config.routes[0].match.matches(Subject(event(), NOW))
    with pytest.raises(ValidationError):
        DestinationConfig(url=Secret("http://a/"), timeout=timedelta(hours=1))


def test_a_config_cannot_be_changed() -> None:
    config = load(config_text())
    with pytest.raises(ValidationError):
        config.unmatched = "bot"


def test_an_edit_is_loaded_at_once_and_its_tests_must_pass_unless_the_file_says_otherwise() -> None:
    assert load(config_text()).reload == ReloadConfig(watch=True, require_tests=True)
    written = load(config_text(rest="reload: {watch: false, require_tests: false}")).reload
    assert (written.watch, written.require_tests) == (False, False)
