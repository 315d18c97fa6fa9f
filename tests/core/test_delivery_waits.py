"""What deliveries wait for, of the history and the state of the destinations."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from forwarder.core.delivery_waits import DeliveryWaits
from forwarder.core.history import KEPT_BY_QUIET, History
from forwarder.core.monitoring.status import DestinationReport, PauseReport

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAUSED = DestinationReport(paused=PauseReport(since="2026-01-01T11:00:00+00:00", by="person"))


class Orders:
    """A history that knows which event is the first of each order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def first_in_order(self, destination: str, order_key: str) -> int | None:
        self.asked.append((destination, order_key))
        return {"7": 3, "8": None}[order_key]


def record(
    seq: int = 3, *, status: str = "in_flight", key: str | None = None, reason: str | None = None
) -> dict[str, Any]:
    return {
        "destination": "bot",
        "event_seq": seq,
        "status": status,
        "order_key": key,
        "reason": reason,
        "due_at": "2026-01-01T11:59:00.000+00:00",
    }


def waits(destination: DestinationReport | None = None, orders: Orders | None = None) -> DeliveryWaits:
    history = cast("History", Orders() if orders is None else orders)
    return DeliveryWaits(history, {"bot": DestinationReport() if destination is None else destination}, now=NOW)


def test_an_event_has_the_reasons_of_its_deliveries() -> None:
    event = {"event_id": "e", "deliveries": [record(), record(status="delivered")]}
    shown = waits(PAUSED).of_event(event)
    assert [each["waits_for"] for each in shown["deliveries"]] == ["the destination is paused", None]
    assert shown["event_id"] == "e"
    assert "waits_for" not in event["deliveries"][0]  # the record itself is not changed


@pytest.mark.parametrize(
    ("seq", "key", "expected"), [(3, "7", None), (4, "7", "waits for its turn"), (4, "8", None), (4, None, None)]
)
def test_only_the_first_of_an_order_has_its_turn(seq: int, key: str | None, expected: str | None) -> None:
    reason = waits().reason(record(seq, key=key))
    assert (reason or "").startswith(expected or "")
    assert (reason is None) is (expected is None)


def test_the_first_of_an_order_is_looked_up_once() -> None:
    orders = Orders()
    found = waits(orders=orders)
    for seq in range(3, 9):
        found.of_delivery(record(seq, key="7"))
    assert orders.asked == [("bot", "7")]


def test_what_the_outbox_keeps_says_so_and_a_destination_that_is_gone_too() -> None:
    assert waits(PAUSED).reason(record(status="pending", reason=KEPT_BY_QUIET)) == KEPT_BY_QUIET
    gone = DeliveryWaits(cast("History", Orders()), {}, now=NOW)
    assert gone.reason(record(reason="HTTP 503")) == "the running config has no enabled destination of this name"
