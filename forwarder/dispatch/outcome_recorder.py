"""Records in the outbox what is decided for a delivery, and in the queue of its lane whether it comes again."""

from datetime import datetime
from typing import assert_never

from forwarder.core.delivery import Attempt, Delivery
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.core.ports import Clock, Outbox
from forwarder.dispatch.lane_queue import LaneQueue
from forwarder.dispatch.message_edits import Edits
from forwarder.dispatch.work_queue import tried


class OutcomeRecorder:
    """Records what is decided for each delivery of a lane."""

    def __init__(self, outbox: Outbox, queue: LaneQueue, *, edits: Edits | None, wall: Clock) -> None:
        self._outbox = outbox
        self._queue = queue
        self._edits = edits
        self._wall = wall

    def record(
        self, delivery: Delivery, attempt: Attempt, decision: Decision, now: datetime, early_due: datetime | None
    ) -> None:
        """Record what follows from an attempt. `early_due` is when the delivery was due, where it was attempted before."""
        match decision:
            case Done():
                receipt = None if self._edits is None else self._edits.receipt_of(delivery, attempt.outcome)
                self._outbox.complete(delivery, attempt, receipt=receipt)
                self._queue.finished(delivery)
            case RetryAt(at=at, is_refusal=is_refusal):
                again = tried(delivery, attempt.number, is_refusal=is_refusal)
                is_kept = self._queue.keep(again, at, now)
                self._outbox.reschedule(delivery, attempt, at=at, keep=is_kept, is_refusal=is_refusal)
            case Postponed(at=at, reason=reason):
                is_kept = self._queue.keep(delivery, early_due or at or now, now)
                self._outbox.postpone(delivery, at=at, reason=reason, keep=is_kept)
            case Dead(reason=reason):
                self._outbox.bury(delivery, attempt, reason=reason)
                self._queue.finished(delivery)
            case Expired(reason=reason):
                self.expire(delivery, attempt, reason=reason)
            case _:
                assert_never(decision)

    def expire(self, delivery: Delivery, attempt: Attempt | None, *, reason: str) -> None:
        """Record that a delivery is too old; `attempt` is the last one, if it was made just now."""
        self._outbox.expire(delivery, attempt, reason=reason, now=self._wall())
        self._queue.finished(delivery)
