"""A destination: a named webhook with its URL, its format and its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.answers import BY_STATUS, AnswerRules
from forwarder.core.destinations.content import Format, raw
from forwarder.core.destinations.signing import Signing
from forwarder.core.destinations.transport import STRAIGHT, Transport
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.quota import Allowance
from forwarder.core.dispatch.retry import RetryPolicy
from forwarder.core.dispatch.token_bucket import Rate


class OnFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Who is notified when a destination has failed for `after` without a success, and when it works again."""

    to: DestinationName
    after: timedelta


class FailureRecipients(msgspec.Struct, frozen=True, kw_only=True):
    """Who is notified when a destination fails, as the config says it."""

    of_destination: Mapping[DestinationName, OnFailure] = msgspec.field(default_factory=dict)
    """Whom each destination names, where it names somebody."""
    all: Sequence[OnFailure] = ()
    """Everybody who is notified of a failure of anything, each once."""


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """Who also gets what has waited for a destination for longer than `after`."""

    of: str
    to: str
    after: timedelta


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """How several events are sent in one request."""

    count: int
    within: timedelta
    signing: Signing | None = None
    """Signs the whole request. The destination itself has none then."""


class BacklogLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait for a destination before somebody is notified."""

    of: DestinationName
    count: int | None
    age: timedelta | None


class CanaryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When canaries are sent: one every `every`, to be delivered within `within`."""

    every: timedelta
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Everything that a lane needs to know about a destination. Equal values mean that a reload has not changed it."""

    name: DestinationName
    url: str = field(repr=False)
    """The URL. It may contain a secret in its path, as Discord's and Slack's URLs do. Empty where Apprise sends."""
    apprise: str = field(default="", repr=False)
    """The URL of a service that Apprise sends to, in place of `url`. A secret."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    signing: Signing | None = None
    timeout: timedelta
    concurrency: int
    retry: RetryPolicy
    order: Order = Order.NONE
    has_priority: bool = False
    """Whether a route with `priority: high` sends here."""
    backlog_concurrency: int | None = None
    """How many of the concurrent requests may be for the backlog. `None` means a quarter, at least one."""
    rate_limit: Rate | None = None
    allowances: tuple[Allowance, ...] = ()
    """The rate limits of the service, shared with other destinations of the same service."""
    batch: Batch | None = None
    """`None`: each event has a request of its own."""
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    pause_after: timedelta | None = timedelta(days=5)
    """How long all attempts may fail before the destination is paused automatically. `None` means never."""
    transport: Transport = STRAIGHT
    answers: AnswerRules = BY_STATUS
    """What its answers mean, beyond their status."""
    format_: Format = raw
    """The format, equal for equal settings, so that a reload does not restart an unchanged destination."""
