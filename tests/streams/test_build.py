"""The streams that a config asks for."""

from datetime import timedelta

from forwarder.core.config import load_config
from forwarder.streams.build import streams_of
from forwarder.streams.sse import SseStream
from forwarder.streams.websocket import WebSocketStream

CONFIG = b"""
streams:
  - {name: one, url: "wss://a/ws", api_key: key, use_fast_x: true, max_connection_age: 1h, max_frame: 1MiB}
  - {name: two, transport: sse, url: "https://a/stream", api_key: other, ignore_full_payload: true}
destinations: {bot: {url: "http://b/"}}
routes: [{to: bot}]
"""


def no_file(name: str) -> str:
    raise FileNotFoundError(name)


def test_each_stream_has_its_transport_and_its_settings_in_the_order_of_the_config() -> None:
    config = load_config(CONFIG, name="config.yaml", env={}, read_file=no_file)
    assert streams_of(config) == [
        WebSocketStream(
            name="one",
            url="wss://a/ws",
            api_key="key",
            use_fast_x=True,
            max_age=timedelta(hours=1),
            max_frame=1 << 20,
        ),
        SseStream(name="two", url="https://a/stream", api_key="other", ignore_full_payload=True),
    ]
