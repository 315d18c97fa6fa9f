"""Builds the destinations of a config."""

from datetime import timedelta

from msgspec.structs import replace

from forwarder.core.config import Config
from forwarder.core.config.model.destination import DestinationConfig
from forwarder.core.config.model.signing import signing_of
from forwarder.core.config.runtime import high_destinations_of
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.answers import AnswerRules
from forwarder.core.destinations.destination import Destination
from forwarder.core.destinations.service_rules import allowances_of, rules_of, service_of
from forwarder.core.destinations.transport import Tls, Transport
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import RetryPolicy, Rule
from forwarder.core.url import fixed_part, is_url_template, read_url, server_name_of
from forwarder.destinations.formats.build import format_of, url_of


def destinations_of(config: Config) -> list[Destination]:
    """Return the enabled destinations."""
    preferred = high_destinations_of(config)
    return [
        _destination(config, name, settings, has_priority=name in preferred and settings.order is not Order.STRICT)
        for name, settings in config.destinations.items()
        if settings.enabled
    ]


def _destination(config: Config, name: str, settings: DestinationConfig, *, has_priority: bool) -> Destination:
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
        has_priority=has_priority,
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
            max_connection_age=settings.max_connection_age,
        ),
        answers=AnswerRules(
            service=None if is_url_template(url) else service,
            success=None if settings.success is None else settings.success.body,
        ),
        format_=format_of(settings),
    )


def _retry(settings: DestinationConfig, service: str | None) -> RetryPolicy:
    own = settings.retry.statuses
    usual = dict(rules_of(service))
    if is_url_template(settings.url.reveal()) and "4xx" not in own:
        usual["410"] = Rule.DEAD  # only the URL of this event is gone; those of other events may exist
    return replace(
        settings.retry,
        statuses={**usual, **own},
        canary_age=timedelta() if settings.canary is None else settings.canary.every,
    )


def _headers(settings: DestinationConfig) -> dict[str, str]:
    """Return the headers that are the same for all events; the format renders the others."""
    headers = {header: value.reveal() for header, value in settings.headers.items() if not value.is_template}
    return headers if settings.auth is None else {**headers, "Authorization": settings.auth.header.reveal()}
