"""A destination: its headers, its order, and what fits together."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError, DestinationConfig
from forwarder.core.dispatch.ordering import Order
from tests.core.config.support import CANARY, config_text, load


def destination(lines: str) -> DestinationConfig:
    return load(config_text(destination=lines)).destinations["bot"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "headers: {X-A: a, x-a: b}",
            "destinations.bot.headers: X-A and x-a are the same header, because header names ignore case; remove one",
        ),
        ("order: mid", 'destinations.bot.order: expected none, sid or strict, got "mid"'),
        (
            "compression: gzip\nformat: discord",
            "compression is supported for the formats raw, text and template, not for discord; remove it",
        ),
        (
            "compression: gzip\nheaders: {content-encoding: a}",
            "compression sets the header Content-Encoding, which is also in headers; remove one of them",
        ),
        ("compression: brotli", 'destinations.bot.compression: expected gzip or zstd, got "brotli"'),
        ("concurrency: 0", "destinations.bot.concurrency: .* out of range; 1 to 1024 are allowed"),
        ("timeout: 6m", "destinations.bot.timeout: .* out of range; 100ms to 5m are allowed"),
    ],
)
def test_a_mistake_is_refused(lines: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        destination(lines)


def test_every_order_can_be_written() -> None:
    assert [destination(f"order: {order}").order for order in Order] == list(Order)
    assert destination("").order is Order.NONE


def test_bodies_are_compressed_from_a_size_on() -> None:
    found = destination("compression: zstd\ncompress_from: 1KiB\nformat: raw")
    assert (found.compression, found.compress_from) == ("zstd", 1024)
    assert (destination("").compression, destination("").compress_from) == (None, 8 * 1024)


def test_how_long_failures_last_before_it_is_paused() -> None:
    assert destination("").pause_after == timedelta(days=5)
    assert destination("pause_after: 1h").pause_after == timedelta(hours=1)
    assert destination("pause_after: never").pause_after is None


def test_neither_its_url_nor_its_headers_are_shown() -> None:
    found = load(
        config_text(destination="headers: {Authorization: '${BOT_TOKEN}'}").replace(
            "127.0.0.1:9000/hook", f"a/{CANARY}"
        )
    ).destinations["bot"]
    assert found.url is not None
    assert found.url.reveal() == f"http://a/{CANARY}"
    assert found.headers["Authorization"].reveal() == f"{CANARY}-token"
    assert CANARY not in repr(found)
