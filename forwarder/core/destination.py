"""A named webhook: where it is, and how it wants its requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from forwarder.core.content import Format, raw
from forwarder.core.delivery import DestinationName
from forwarder.core.retry import RetryPolicy
from forwarder.core.transport import STRAIGHT, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Everything a lane must know; equal values mean that nothing about the destination has changed."""

    name: DestinationName
    url: str = field(repr=False)
    """May hold a secret in its path, as Discord's and Slack's do."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    signing_keys: tuple[bytes, ...] = field(default=(), repr=False)
    timeout: timedelta
    concurrency: int
    retry: RetryPolicy
    transport: Transport = STRAIGHT
    format_: Format = raw
    """Equal for equal settings, so that a reload leaves an unchanged destination alone."""
