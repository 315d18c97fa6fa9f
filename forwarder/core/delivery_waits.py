"""Adds to the records of deliveries what each waits for, of what the history and the state of the destinations say together. Pure."""

from collections.abc import Mapping
from datetime import datetime

from forwarder.core.history import WAITS, History, Record
from forwarder.core.monitoring.status import DestinationReport
from forwarder.core.monitoring.waiting_reason import waiting_reason

OPEN = frozenset({"pending", "in_flight"})
"""The statuses of deliveries that are not made yet."""


class DeliveryWaits:
    """Says what the deliveries of a list wait for, as their `waits_for`."""

    def __init__(self, history: History, destinations: Mapping[str, DestinationReport], *, now: datetime) -> None:
        """`destinations` are those of the running daemon, as its status has them; `now` is by the wall clock."""
        self._history = history
        self._destinations = destinations
        self._now = now
        self._first: dict[tuple[str, str], int | None] = {}

    def of_event(self, event: Record) -> Record:
        """Return the record of an event, with the reasons of its deliveries."""
        return event | {"deliveries": [self.of_delivery(each) for each in event["deliveries"]]}

    def of_delivery(self, delivery: Record) -> Record:
        """Return the record of a delivery with its reason; `None` where it waits for nothing, or is the next one."""
        return delivery | {"waits_for": self.reason(delivery) if delivery["status"] in OPEN else None}

    def reason(self, delivery: Record) -> str | None:
        """Return what a delivery that is not made yet waits for."""
        return waiting_reason(
            self._destinations.get(delivery["destination"]),
            kept=kept_reason(delivery),
            has_turn=self._has_turn(delivery),
            due_at=datetime.fromisoformat(delivery["due_at"]),
            now=self._now,
        )

    def _has_turn(self, delivery: Record) -> bool:
        destination, key = delivery["destination"], delivery["order_key"]
        if key is None:
            return True
        if (destination, key) not in self._first:
            self._first[destination, key] = self._history.first_in_order(destination, key)
        first = self._first[destination, key]
        return first is None or first >= delivery["event_seq"]


def kept_reason(delivery: Record) -> str | None:
    """Return why the outbox itself keeps a delivery until it is due; `None` where it does not."""
    reason: str | None = delivery["reason"]
    return reason if reason in WAITS.values() else None
