"""What a lane shares with other lanes."""

from collections.abc import Sequence

import msgspec

from forwarder.core.dispatch.quota import ServiceQuota
from forwarder.core.dispatch.token_bucket import TokenBucket
from forwarder.dispatch.backlog_throttle import BacklogThrottle


class SharedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Holds the limits of a lane that also count what other lanes send, or what the lane before a reload has sent."""

    bucket: TokenBucket | None = None
    """The destination's own rate limit, if it has one; it outlasts a reload."""
    quotas: Sequence[ServiceQuota] = ()
    """What the services behind the destination allow, for all destinations together that use them."""
    throttle: BacklogThrottle = msgspec.field(default_factory=BacklogThrottle)
    """What the backlogs of all lanes leave to fresh deliveries."""
