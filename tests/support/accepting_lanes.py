"""Lanes without receivers, for tests of what ingest stores and hands over."""

from datetime import datetime

from forwarder.core.delivery import Delivery


class AcceptingLanes:
    """Lanes that have room for everything, and keep what they are handed."""

    def __init__(self, *, may_wait: bool = False) -> None:
        """`may_wait`: deliveries may be stored as pending, to be claimed when their wait is over."""
        self._may_wait = may_wait
        self.reserved: list[Delivery] = []
        """What has a place, and was neither started nor cancelled."""
        self.taken: list[Delivery] = []
        """What was started, in this order."""
        self.looks: list[datetime] = []
        """When the outbox is to be asked for what waits."""

    def reserve(self, delivery: Delivery) -> "AcceptingLanes | None":
        if delivery.waits_until is not None:
            return None
        self.reserved.append(delivery)
        return self

    def start(self, delivery: Delivery) -> None:
        self.reserved.remove(delivery)
        self.taken.append(delivery)

    def cancel(self, delivery: Delivery) -> None:
        self.reserved.remove(delivery)

    def note_pending(self, delivery: Delivery) -> None:
        assert self._may_wait
        assert delivery.waits_until is not None
        self.looks.append(delivery.waits_until)
