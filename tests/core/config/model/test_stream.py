"""A stream, and the events that are expected of any stream."""

from datetime import timedelta

import pytest

from forwarder.core.config import ConfigError, StreamConfig
from forwarder.core.config.model.stream import ExpectConfig
from forwarder.core.matching import EVERYTHING
from tests.core.config.support import CANARY, config_text, load
from tests.support.conditions import subject


def stream(lines: str = "") -> StreamConfig:
    return load(config_text(stream=lines)).streams[0]


def test_the_url_is_by_default_that_of_the_transport() -> None:
    assert stream().url == "wss://scrape.st/ws"
    assert stream("transport: sse").url == "https://scrape.st/stream"
    assert stream("transport: sse\nurl: http://127.0.0.1:9/a").url == "http://127.0.0.1:9/a"


@pytest.mark.parametrize("lines", ["transport: sse\nurl: wss://a/", "url: https://a/"])
def test_a_url_of_the_other_transport_is_refused(lines: str) -> None:
    with pytest.raises(ConfigError, match=r"streams\[0\].url: transport: (sse|websocket) needs a URL with"):
        stream(lines)


def of_public(lines: str = "") -> StreamConfig:
    text = f"streams:\n  - transport: public\n{lines}\ndestinations: {{bot: {{url: http://a/}}}}\nroutes: [{{to: bot}}]"
    return load(text).streams[0]


def test_the_public_stream_needs_no_key_and_repairs_no_gaps() -> None:
    found = of_public()
    assert (found.url, found.use_fast_x, found.is_public, found.repairs_gaps) == (
        "https://scrape.st/stream", True, True, False
    )  # fmt: skip
    assert found.api_key.reveal() == ""
    assert not of_public("    use_fast_x: false").use_fast_x
    assert of_public("    use_fast_x:").use_fast_x
    assert (stream().is_public, stream().repairs_gaps, stream("gap_repair: false").repairs_gaps) == (False, True, False)


def test_only_the_public_stream_needs_no_key() -> None:
    for given in ("name: a", "transport: sse", "api_key: null"):
        with pytest.raises(ConfigError, match=r"is missing"):
            load(f"streams: [{{{given}}}]\ndestinations: {{bot: {{url: http://a/}}}}\nroutes: [{{to: bot}}]")
    with pytest.raises(ConfigError, match=r"streams\[0\].api_key: the public stream needs no key"):
        stream("transport: public")


def test_what_a_stream_may_say_of_its_connections() -> None:
    found = stream("max_frame: 1MiB\nmax_connection_age: 24h\nexpect_event_within: 1h\ngap_repair: true")
    assert (found.max_frame, found.gap_repair) == (1024**2, True)
    assert (found.max_connection_age, found.expect_event_within) == (timedelta(days=1), timedelta(hours=1))
    plain = stream()
    assert (plain.max_connection_age, plain.expect_event_within, plain.gap_repair) == (None, None, True)


def test_the_key_is_a_secret() -> None:
    assert stream().api_key.reveal() == f"{CANARY}-key"
    assert CANARY not in repr(stream())


def expectation(written: str) -> ExpectConfig:
    return load(config_text(rest=f"expect: [{written}]")).expect[0]


def test_an_expectation_is_of_every_event_or_of_those_that_match() -> None:
    assert expectation("{name: any, within: 10s}").match == EVERYTHING
    coins = expectation("{name: coins, within: 6h, match: {author: nova}, on_failure: {to: bot}}")
    assert coins.within == timedelta(hours=6)
    assert coins.match.matches(subject({"author": {"screen_name": "nova"}}))
    assert not coins.match.matches(subject({"author": {"screen_name": "orca"}}))
    assert coins.on_failure is not None
    assert coins.on_failure.to == "bot"
