"""The streams that a config asks for."""

from forwarder.core.config import Config
from forwarder.core.config.model.stream import StreamConfig
from forwarder.streams.sse import SseStream
from forwarder.streams.stream import Stream
from forwarder.streams.transport import transport_of
from forwarder.streams.websocket import WebSocketStream


def streams_of(config: Config) -> list[Stream]:
    """Return the streams of the config, in its order. Call this in a thread: certificates may have to be read."""
    return [_stream(stream) for stream in config.streams]


def _stream(stream: StreamConfig) -> Stream:
    if stream.transport == "public":
        return SseStream(
            name=stream.name,
            url=stream.url,
            api_key=None,
            use_fast_x=stream.use_fast_x,
            max_age=stream.max_connection_age,
            max_frame=stream.max_frame,
            transport=transport_of(stream),
        )
    kind = WebSocketStream if stream.transport == "websocket" else SseStream
    return kind(
        name=stream.name,
        url=stream.url,
        api_key=stream.api_key.reveal(),
        use_fast_x=stream.use_fast_x,
        ignore_full_payload=stream.ignore_full_payload,
        max_age=stream.max_connection_age,
        max_frame=stream.max_frame,
        transport=transport_of(stream),
    )
