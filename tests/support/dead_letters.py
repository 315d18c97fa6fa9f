"""An outbox with many dead letters."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from forwarder.core.delivery import Answered, Attempt, DeliveryStatus, DestinationName, new_delivery
from forwarder.core.event import decode_event
from forwarder.core.ledger import LedgerEntry
from forwarder.outbox.open import open_outbox
from tests.support.page_scene import event


async def fill_with_dead_letters(folder: Path, count: int) -> None:
    """Store dead letters of the destination `bot`: every hundredth is by `rare`, and every tenth has a reason of its own."""
    now = datetime.now(UTC)
    name = DestinationName("bot")
    async with open_outbox(folder / "outbox.db") as outbox:
        for number in range(count):
            author = "rare" if number % 100 == 0 else "common"
            received = decode_event(event(number, f"post {number}", author))
            seq = outbox.new_seq()
            accepted = now - timedelta(seconds=count - number)
            delivery = new_delivery(received, name, ("posts",), event_seq=seq, accepted_at=accepted)
            outbox.enqueue(
                received,
                seq,
                {DeliveryStatus.IN_FLIGHT: [delivery]},
                entry=LedgerEntry.MATCHED,
                now=accepted,
                read_at=0.0,
            )
            reason = "HTTP 410: gone" if number % 10 == 0 else "HTTP 400: no such channel"
            tried = Attempt(
                number=1, started_at=now, duration=timedelta(milliseconds=5), outcome=Answered(status=400, excerpt="no")
            )
            outbox.bury(delivery, tried, reason=reason)
