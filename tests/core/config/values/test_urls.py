"""The URLs of webhooks and of the outbox."""

import pytest

from forwarder.core.config import (
    ConfigError,
)
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.config.values.urls import parse_stream_url, url_of_stream
from forwarder.core.yaml.tree import Scalar
from tests.core.config.support import config_text, load


@pytest.mark.parametrize(
    "url", ["sqlite:outbox.db", "sqlite:var/outbox.db", "sqlite:///outbox.db", "sqlite:/outbox.db"]
)
def test_an_outbox_may_be_a_path(url: str) -> None:
    assert load(config_text(rest=f"outbox: {{url: '{url}'}}")).outbox.url == url


def test_an_outbox_may_be_an_absolute_path_as_sqlalchemy_writes_it() -> None:
    found = load(config_text(rest="outbox: {url: 'sqlite:////var/lib/outbox.db'}")).outbox.url
    assert found == "sqlite:///var/lib/outbox.db"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////",
        "sqlite://///a.db",
        "sqlite:",
        "sqlite:///",
        "sqlite://",
        "sqlite::memory:",
        "sqlite://host/a.db",
        "postgres://a/b",
        "outbox.db",
        "",
    ],
)
def test_an_outbox_is_nothing_else(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected sqlite:///absolute/path or sqlite:relative/path"):
        load(config_text(rest=f"outbox: {{url: '{url}'}}"))


@pytest.mark.parametrize(
    "url", ["http://", "http://:80/", "http://a b/", "http://[::1", "http://h:0/", "//h/", "ftp://h/", ""]
)
def test_a_webhook_needs_a_scheme_and_a_host(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^config.yaml:5:10: destinations.bot.url: "):
        load(config_text().replace("http://127.0.0.1:9000/hook", f"'{url}'"))


@pytest.mark.parametrize(
    ("url", "transport", "expected"),
    [
        ("", "websocket", "wss://scrape.st/ws"),
        ("", "sse", "https://scrape.st/stream"),
        ("ws://127.0.0.1:9/a", "websocket", "ws://127.0.0.1:9/a"),
        ("http://127.0.0.1:9/a", "sse", "http://127.0.0.1:9/a"),
    ],
)
def test_the_url_of_a_stream_fits_its_transport(url: str, transport: str, expected: str) -> None:
    assert url_of_stream(parse_stream_url(url if not url else Scalar(url)), transport) == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://a/b", "transport: websocket needs a URL with wss:// or ws://; https:// needs transport: sse"),
        ("ftp://a/b", "transport: websocket needs a URL with wss:// or ws://"),
    ],
)
def test_a_url_of_another_transport_is_refused(url: str, said: str) -> None:
    with pytest.raises(WrongValueError, match=f"^{said}$"):
        url_of_stream(url, "websocket")


@pytest.mark.parametrize("url", ["", "scrape.st/ws", "ftp://scrape.st/ws", "wss://a b/"])
def test_a_stream_needs_a_url_of_its_schemes(url: str) -> None:
    with pytest.raises(WrongValueError):
        parse_stream_url(Scalar(url, quoted=True))
