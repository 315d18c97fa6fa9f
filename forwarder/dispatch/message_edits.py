"""Deliveries that edit a message which another delivery to the same destination made: which message, and whether it exists yet."""

from collections import OrderedDict
from datetime import datetime, timedelta

from forwarder.core.delivery import Answered, Delivery, DestinationName, Outcome
from forwarder.core.destinations.content import Editable
from forwarder.core.ports import Outbox

ASK_AGAIN = timedelta(milliseconds=100)
"""How soon to ask again while the other delivery is with a lane, and due or under way."""
_ASK_DISK_AGAIN = timedelta(seconds=2)
"""How soon to ask again while the other delivery waits in the outbox."""
WAITS = "waits for the message that it changes"
_MOST_RECEIPTS = 2_000


class Edits:
    """Knows which message each delivery of a destination made. The outbox knows it as well; the memory saves most of the look-ups."""

    def __init__(self, name: DestinationName, format_: Editable, outbox: Outbox) -> None:
        self._name = name
        self._format = format_
        self._outbox = outbox
        self._receipts: OrderedDict[int, str | None] = OrderedDict()
        """By the number of the event, of deliveries that have ended; `None` where no message came of it."""

    async def waits_until(self, delivery: Delivery, now: datetime) -> datetime | None:
        """Return when the delivery is to be taken again, or `None` if it may be attempted. Where this had to await the outbox, it is not `None`."""
        seq = delivery.edits
        if seq is None or seq in self._receipts:
            return None
        is_known = True
        state = self._outbox.state_of(self._name, seq)
        if state is None:
            is_known = False
            state = await self._outbox.look_up(self._name, seq, now=now)
        if state is not None and state.is_open and state.receipt is None:
            return max(state.due_at, now + (ASK_AGAIN if is_known else _ASK_DISK_AGAIN))
        self._note(seq, None if state is None else state.receipt)
        return None if is_known else now

    def receipt_for(self, delivery: Delivery) -> str | None:
        """Return which message the delivery edits; `None`: it makes one of its own."""
        return None if delivery.edits is None else self._receipts.get(delivery.edits)

    def is_settled(self, outcome: Outcome) -> bool:
        """Whether a refused edit needs no other attempt."""
        return isinstance(outcome, Answered) and self._format.is_settled(outcome.status, outcome.body)

    def receipt_of(self, delivery: Delivery, outcome: Outcome) -> str | None:
        """Return what the receiver calls the message of a delivery that is done, and remember it."""
        found = self._format.receipt(outcome.body) if isinstance(outcome, Answered) else None
        receipt = found or self.receipt_for(delivery)
        self._note(delivery.event_seq, receipt)
        return receipt

    def _note(self, seq: int, receipt: str | None) -> None:
        self._receipts[seq] = receipt
        if len(self._receipts) > _MOST_RECEIPTS:
            self._receipts.popitem(last=False)
