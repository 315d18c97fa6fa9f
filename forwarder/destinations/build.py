"""Builds the destinations of a config."""

import dataclasses
from datetime import timedelta

from msgspec.structs import replace

from forwarder.core.config import Config
from forwarder.core.config.model.destination import DestinationConfig
from forwarder.core.config.model.signing import signing_of
from forwarder.core.config.runtime import high_destinations_of
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.answers import AnswerRules
from forwarder.core.destinations.destination import Batch, Destination
from forwarder.core.destinations.networks import Networks
from forwarder.core.destinations.service_rules import allowances_of, rules_of, service_of
from forwarder.core.destinations.transport import Tls, Transport
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import RetryPolicy, Rule
from forwarder.core.url import fixed_part, is_url_template, read_url, server_name_of
from forwarder.destinations.formats.build import fixed_url, format_of

_TIMEOUT_OF_APPRISE = timedelta(seconds=30)
"""Some services take several requests for a message, and Apprise waits between them."""

_BATCHES_AT_ONCE = 2
_MOST_ATTEMPTS = 1024


def destinations_of(config: Config) -> list[Destination]:
    """Return the enabled destinations."""
    preferred = high_destinations_of(config)
    return [
        _destination(config, name, settings, has_priority=name in preferred and settings.order is not Order.STRICT)
        for name, settings in config.destinations.items()
        if settings.enabled
    ]


def _destination(config: Config, name: str, settings: DestinationConfig, *, has_priority: bool) -> Destination:
    """Return a destination, with the receiver and what depends on it added to what all destinations have."""
    common = Destination(
        name=DestinationName(name),
        url="",
        timeout=settings.timeout,
        concurrency=settings.concurrency,
        retry=_retry(settings),
        order=settings.order,
        has_priority=has_priority,
        backlog_concurrency=settings.backlog_concurrency,
        rate_limit=settings.rate_limit,
        breaker=settings.breaker,
        pause_after=settings.pause_after,
        format_=format_of(settings),
    )
    if settings.url is not None:
        return _at_url(common, settings, settings.url.reveal(), config.networks.value)
    assert settings.apprise is not None  # noqa: S101 - a config without both is refused
    return dataclasses.replace(
        common,
        apprise=settings.apprise.reveal(),
        concurrency=1,  # what a plugin of Apprise keeps is not made for several threads
        timeout=settings.timeout if "timeout" in settings.model_fields_set else _TIMEOUT_OF_APPRISE,
    )


def _at_url(common: Destination, settings: DestinationConfig, url: str, networks: Networks) -> Destination:
    parts = read_url(fixed_part(url), "http", "https")
    service = service_of(server_name_of(parts.raw_host or ""), settings.format.type)
    chat_id = settings.format.chat_id or parts.query.get("chat_id") or ""
    return dataclasses.replace(
        _batched(common, settings),
        url=fixed_url(url),
        headers=_headers(settings),
        retry=_with_rules(common.retry, service, is_filled=is_url_template(url)),
        allowances=allowances_of(service, url, chat_id=chat_id),
        transport=Transport(
            tls=settings.tls.value if settings.tls is not None else Tls(),
            proxy=settings.proxy,
            socket=settings.socket,
            networks=networks,
            max_connection_age=settings.max_connection_age,
        ),
        answers=AnswerRules(
            service=None if is_url_template(url) else service,
            success=None if settings.success is None else settings.success.body,
        ),
    )


def _batched(common: Destination, settings: DestinationConfig) -> Destination:
    """Return the destination with its signature, and with its batches if it has them: then each attempt is one event of a request."""
    signing = signing_of(settings.signing)
    if settings.batch is None:
        return dataclasses.replace(common, signing=signing)
    count = settings.batch.count
    requests = settings.concurrency if "concurrency" in settings.model_fields_set else _BATCHES_AT_ONCE
    rate = common.rate_limit
    if rate is not None and rate.burst == 1 and rate.spacing_s >= settings.timeout.total_seconds():
        requests = 1  # the one before has ended when the next one is allowed: no event need wait for that outside of the outbox
    return dataclasses.replace(
        common,
        batch=Batch(count=count, within=settings.batch.within, signing=signing),
        concurrency=min(count * requests, _MOST_ATTEMPTS),
        backlog_concurrency=settings.backlog_concurrency or count,
    )


def _retry(settings: DestinationConfig) -> RetryPolicy:
    return replace(
        settings.retry,
        canary_age=timedelta() if settings.canary is None else settings.canary.every,
    )


def _with_rules(policy: RetryPolicy, service: str | None, *, is_filled: bool) -> RetryPolicy:
    """Return the policy with what statuses usually mean at this service, where the config does not say it."""
    usual = dict(rules_of(service))
    if is_filled and "4xx" not in policy.statuses:
        usual["410"] = Rule.DEAD  # only the URL of this event is gone; those of other events may exist
    return replace(policy, statuses={**usual, **policy.statuses})


def _headers(settings: DestinationConfig) -> dict[str, str]:
    """Return the headers that are the same for all events; the format renders the others."""
    headers = {header: value.reveal() for header, value in settings.headers.items() if not value.is_template}
    return headers if settings.auth is None else {**headers, "Authorization": settings.auth.header.reveal()}
