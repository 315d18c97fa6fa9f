"""The delivery side: a lane for each destination."""

from collections.abc import Sequence
from datetime import datetime

from forwarder.core.budget import Allowance, Budget
from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.destination import Destination
from forwarder.core.rate import Bucket, Rate
from forwarder.dispatch.courtesy import Courtesy
from forwarder.dispatch.lane import Lane, Observe, Tell

__all__ = ["Dispatcher", "Lane", "Observe", "Tell"]


class Dispatcher:
    """The lanes by the name of their destination, of which a reload replaces single ones, and the budgets that they share."""

    def __init__(self) -> None:
        self.lanes: dict[DestinationName, Lane] = {}
        self.courtesy = Courtesy()
        self._buckets: dict[tuple[DestinationName, Rate], Bucket] = {}
        self._budgets: dict[Allowance, Budget] = {}

    def bucket(self, destination: Destination) -> Bucket | None:
        """Return what is left of the destination's own rate, if it has one. It outlasts a reload, too."""
        rate = destination.rate_limit
        return None if rate is None else self._buckets.setdefault((destination.name, rate), Bucket(rate))

    def budgets(self, allowances: Sequence[Allowance]) -> list[Budget]:
        """Return what is left of these. It outlasts a reload: what was sent before counts."""
        return [self._budgets.setdefault(allowance, Budget(allowance)) for allowance in allowances]

    def offer(self, delivery: Delivery) -> bool:
        """Hand a fresh delivery to its lane; see `Lane.offer`."""
        lane = self.lanes.get(delivery.destination)
        return lane is not None and lane.offer(delivery)

    def look_by(self, destination: DestinationName, at: datetime) -> None:
        """Have the lane of that name, where there is one, ask the outbox at `at` at the latest."""
        if (lane := self.lanes.get(destination)) is not None:
            lane.look_by(at)

    def look(self, destination: DestinationName) -> None:
        """Have the lane of that name, where there is one, ask the outbox again."""
        if (lane := self.lanes.get(destination)) is not None:
            lane.look()

    def look_after_another(self, destination: DestinationName) -> None:
        """The same when the lane before it has let go of what it had."""
        if (lane := self.lanes.get(destination)) is not None:
            lane.look_after_another()
