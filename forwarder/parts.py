"""What a config asks for, as the parts the daemon is built of."""

from forwarder.core.config import Config
from forwarder.core.config.destination import DestinationConfig
from forwarder.core.delivery import DestinationName
from forwarder.core.destination import Destination
from forwarder.core.routing import Route, Router
from forwarder.core.signing import decode_secret
from forwarder.destinations.formats.build import format_of, url_of
from forwarder.streams.websocket import WebSocketStream


def destinations_of(config: Config) -> list[Destination]:
    """Return the enabled destinations."""
    return [
        Destination(
            name=DestinationName(name),
            url=url_of(settings),
            headers={header: value.reveal() for header, value in settings.headers.items()},
            signing_keys=_signing_keys(settings),
            timeout=settings.timeout,
            concurrency=settings.concurrency,
            retry=settings.retry,
            format_=format_of(settings),
        )
        for name, settings in config.destinations.items()
        if settings.enabled
    ]


def _signing_keys(settings: DestinationConfig) -> tuple[bytes, ...]:
    return tuple(decode_secret(secret.reveal()) for secret in settings.signing.secret) if settings.signing else ()


def disabled_in(config: Config) -> frozenset[DestinationName]:
    """Return the names of the others."""
    return frozenset(DestinationName(name) for name, settings in config.destinations.items() if not settings.enabled)


def router_of(config: Config) -> Router:
    """Return the walk over the routes."""
    return Router(
        routes=[
            Route(
                name=route.name,
                condition=route.match,
                to=tuple(DestinationName(name) for name in route.to),
                stop=route.stop,
            )
            for route in config.routes
        ],
        unmatched=None if config.unmatched == "drop" else DestinationName(config.unmatched),
    )


def streams_of(config: Config) -> list[WebSocketStream]:
    """Return the streams to hold."""
    return [
        WebSocketStream(
            name=stream.name,
            url=stream.url,
            api_key=stream.api_key.reveal(),
            use_fast_x=stream.use_fast_x,
            ignore_full_payload=stream.ignore_full_payload,
        )
        for stream in config.streams
    ]
