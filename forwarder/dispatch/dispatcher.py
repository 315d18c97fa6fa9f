"""The delivery side: a lane for each destination."""

from collections.abc import Collection

from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.quota import Allowance, ServiceQuota
from forwarder.core.dispatch.token_bucket import Rate, TokenBucket
from forwarder.dispatch.backlog_throttle import BacklogThrottle
from forwarder.dispatch.lane import Lane
from forwarder.dispatch.lane_queue import LaneQueue
from forwarder.dispatch.shared_limits import SharedLimits


class Dispatcher:
    """Holds the lanes by the name of their destination, and the limits that they share. A reload replaces single lanes."""

    def __init__(self) -> None:
        self.lanes: dict[DestinationName, Lane] = {}
        self._throttle = BacklogThrottle()
        self._buckets: dict[tuple[DestinationName, Rate], TokenBucket] = {}
        self._quotas: dict[Allowance, ServiceQuota] = {}

    def limits(self, destination: Destination) -> SharedLimits:
        """Return the limits for a lane of the destination. They outlast a reload: what was sent before still counts."""
        name, rate = destination.name, destination.rate_limit
        return SharedLimits(
            bucket=None if rate is None else self._buckets.setdefault((name, rate), TokenBucket(rate)),
            quotas=[self._quotas.setdefault(each, ServiceQuota(each)) for each in destination.allowances],
            throttle=self._throttle,
        )

    def reserve(self, delivery: Delivery) -> LaneQueue | None:
        """Return the queue of the delivery's lane if it has reserved a place for it; see `LaneQueue.reserve`."""
        lane = self.lanes.get(delivery.destination)
        return lane.queue if lane is not None and lane.queue.reserve(delivery) else None

    def note_pending(self, delivery: Delivery) -> None:
        """Notify the delivery's lane, if there is one, that the outbox has the delivery as pending."""
        if (lane := self.lanes.get(delivery.destination)) is not None:
            lane.queue.note_pending(delivery)

    def look(self, destination: DestinationName) -> None:
        """Have the lane of that name, if there is one, ask the outbox again."""
        if (lane := self.lanes.get(destination)) is not None:
            lane.queue.look()

    def leave_kept(self, destination: DestinationName, event_seqs: Collection[int]) -> None:
        """Have the lane of that name, if there is one, leave to the outbox alone what it keeps for a next attempt of these events."""
        if (lane := self.lanes.get(destination)) is not None:
            lane.queue.leave_kept(event_seqs)

    def look_after_another(self, destination: DestinationName) -> None:
        """Have the lane of that name, if there is one, ask the outbox again: the lane that it replaces has ended."""
        if (lane := self.lanes.get(destination)) is not None:
            lane.queue.look_after_another()
