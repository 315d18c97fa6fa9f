"""What a config asks for, as the parts the daemon is built of."""

from dataclasses import dataclass, replace
from datetime import timedelta

from forwarder.core.config import Config
from forwarder.core.config.destination import DestinationConfig
from forwarder.core.config.model import StreamConfig
from forwarder.core.config.signing import signing_of
from forwarder.core.delivery import DestinationName
from forwarder.core.destination import CanaryPolicy, Destination, OnFailure
from forwarder.core.order import Order
from forwarder.core.preference import OnFull
from forwarder.core.retry import RetryPolicy, Rule
from forwarder.core.revision import Revision
from forwarder.core.routing import Route, Router
from forwarder.core.services import allowances_of, rules_of, service_of
from forwarder.core.transport import Tls, Transport
from forwarder.core.url import fixed_part, is_url_template, read_url, server_name_of
from forwarder.destinations.formats.build import format_of, url_of
from forwarder.streams.history import HistorySource
from forwarder.streams.sse import SseStream
from forwarder.streams.stream import Stream
from forwarder.streams.websocket import WebSocketStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a reload replaces, built beforehand: of ten thousand routes it takes longer than the loop may stand still."""

    router: Router
    disabled: frozenset[DestinationName]
    orders: dict[DestinationName, Order]
    on_full: dict[DestinationName, OnFull]
    destinations: list[Destination]
    streams: list[Stream]
    revision: Revision | None


def parts_of(config: Config) -> Parts:
    """Return all of it."""
    return Parts(
        router=router_of(config),
        disabled=disabled_in(config),
        orders=orders_of(config),
        on_full=on_full_of(config),
        destinations=destinations_of(config),
        streams=streams_of(config),
        revision=config.revision,
    )


def destinations_of(config: Config) -> list[Destination]:
    """Return the enabled destinations."""
    return [_destination(config, name, settings) for name, settings in config.destinations.items() if settings.enabled]


def _destination(config: Config, name: str, settings: DestinationConfig) -> Destination:
    url = settings.url.reveal()
    parts = read_url(fixed_part(url), "http", "https")
    service = service_of(server_name_of(parts.raw_host or ""), settings.format.type)
    chat_id = settings.format.chat_id or parts.query.get("chat_id") or ""
    return Destination(
        name=DestinationName(name),
        url=url_of(settings),
        headers=_headers(settings),
        signing=signing_of(settings.signing),
        timeout=settings.timeout,
        concurrency=settings.concurrency,
        retry=_retry(settings, service),
        order=settings.order,
        backlog_concurrency=settings.backlog_concurrency,
        rate_limit=settings.rate_limit,
        allowances=allowances_of(service, url, chat_id=chat_id),
        breaker=settings.breaker,
        pause_after=settings.pause_after,
        transport=Transport(
            tls=settings.tls.value if settings.tls is not None else Tls(),
            proxy=settings.proxy,
            socket=settings.socket,
            networks=config.networks.value,
        ),
        format_=format_of(settings),
    )


def orders_of(config: Config) -> dict[DestinationName, Order]:
    """Return the order of each destination that keeps one."""
    return {
        DestinationName(name): settings.order
        for name, settings in config.destinations.items()
        if settings.order is not Order.NONE
    }


def on_full_of(config: Config) -> dict[DestinationName, OnFull]:
    """Return what becomes at each destination of a full text whose first word it has."""
    return {DestinationName(name): settings.on_full for name, settings in config.destinations.items()}


def on_failure_of(config: Config, name: DestinationName) -> OnFailure | None:
    """Return who is told when a destination fails, if anybody is; the destination may be gone from the config."""
    settings = config.destinations.get(name)
    if settings is None or settings.on_failure is None or not config.destinations[settings.on_failure.to].enabled:
        return None
    return OnFailure(to=DestinationName(settings.on_failure.to), after=settings.on_failure.after)


def all_on_failure_of(config: Config) -> list[OnFailure]:
    """Return everybody who is told of a failure of anything, each once: whom else to tell where a destination names nobody."""
    found = [
        *(each.on_failure for each in config.destinations.values()),
        *(each.on_failure for each in config.streams),
        *(each.on_failure for each in config.expect),
    ]
    named = {each.to: each for each in reversed(found) if each is not None and config.destinations[each.to].enabled}
    return [OnFailure(to=DestinationName(each.to), after=each.after) for each in reversed(named.values())]


def canaries_of(config: Config) -> dict[DestinationName, CanaryPolicy]:
    """Return the canaries of the enabled destinations that have one."""
    return {
        DestinationName(name): settings.canary.value()
        for name, settings in config.destinations.items()
        if settings.enabled and settings.canary is not None
    }


def _retry(settings: DestinationConfig, service: str | None) -> RetryPolicy:
    own = settings.retry.statuses
    usual = dict(rules_of(service))
    if is_url_template(settings.url.reveal()) and "4xx" not in own:
        usual["410"] = Rule.DEAD  # gone is what this event's URL leads to; others may lead elsewhere
    return replace(
        settings.retry,
        statuses={**usual, **own},
        canary_age=timedelta() if settings.canary is None else settings.canary.every,
    )


def _headers(settings: DestinationConfig) -> dict[str, str]:
    headers = {header: value.reveal() for header, value in settings.headers.items()}
    return headers if settings.auth is None else {**headers, "Authorization": settings.auth.header.reveal()}


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
                prefer=route.prefer,
                wait=route.wait,
                sample=route.sample,
                limit=None if route.limit is None else route.limit.value(route.to),
            )
            for route in config.routes
            if route.enabled
        ],
        unmatched=None if config.unmatched == "drop" else DestinationName(config.unmatched),
    )


def streams_of(config: Config) -> list[Stream]:
    """Return the streams to hold."""
    return [_stream(stream) for stream in config.streams]


def _stream(stream: StreamConfig) -> Stream:
    kind = WebSocketStream if stream.transport == "websocket" else SseStream
    return kind(
        name=stream.name,
        url=stream.url,
        api_key=stream.api_key.reveal(),
        use_fast_x=stream.use_fast_x,
        ignore_full_payload=stream.ignore_full_payload,
        max_age=stream.max_connection_age,
        max_frame=stream.max_frame,
    )


def histories_of(config: Config) -> dict[str, HistorySource]:
    """Return where the gaps of each stream are repaired from, of those that want it."""
    return {
        stream.name: HistorySource(
            stream=stream.name,
            url=stream.url,
            api_key=stream.api_key.reveal(),
            ignores_full=stream.ignore_full_payload,
        )
        for stream in config.streams
        if stream.gap_repair
    }
