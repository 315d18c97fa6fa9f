"""A named webhook: where it is, and how it wants its requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from forwarder.core.breaker import BreakerPolicy
from forwarder.core.budget import Allowance
from forwarder.core.content import Format, raw
from forwarder.core.delivery import DestinationName
from forwarder.core.order import Order
from forwarder.core.rate import Rate
from forwarder.core.retry import RetryPolicy
from forwarder.core.signing import Signing
from forwarder.core.transport import STRAIGHT, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class OnFailure:
    """Who is told when a destination has failed for `after` without a success, and when it works again."""

    to: DestinationName
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPolicy:
    """One event of our own `every` so often, which has to arrive `within` that time."""

    every: timedelta
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Everything a lane must know; equal values mean that nothing about the destination has changed."""

    name: DestinationName
    url: str = field(repr=False)
    """May hold a secret in its path, as Discord's and Slack's do."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    signing: Signing | None = None
    timeout: timedelta
    concurrency: int
    retry: RetryPolicy
    order: Order = Order.NONE
    backlog_concurrency: int | None = None
    """How many of them the backlog may have; `None` is a quarter, at least one."""
    rate_limit: Rate | None = None
    allowances: tuple[Allowance, ...] = ()
    """What the service it belongs to allows; shared with others that have the same."""
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    pause_after: timedelta | None = timedelta(days=5)
    """It pauses itself after nothing but failures for so long; `None`: never."""
    transport: Transport = STRAIGHT
    format_: Format = raw
    """Equal for equal settings, so that a reload leaves an unchanged destination alone."""
