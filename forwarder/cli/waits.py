"""What the deliveries of a list wait for: asked of the running daemon, once, and only if some of them are not made yet."""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from forwarder.cli.locations import Places
from forwarder.core.history import WAITS, History, Record

if TYPE_CHECKING:
    from forwarder.core.monitoring.status import StatusReport

_ANSWER_WITHIN = timedelta(seconds=2)
"""A list is not held up for longer by a daemon that does not answer."""
_OPEN = frozenset({"pending", "in_flight"})
NO_DAEMON = "no forwarder answers at the control socket"


class WaitingReasons:
    """Adds to records of deliveries what they wait for, as `waits_for`."""

    def __init__(self, where: Places, history: History) -> None:
        self._where = where
        self._history = history
        self._first: dict[tuple[str, str], int | None] = {}

    def of_event(self, event: Record) -> Record:
        """Return the record of an event, with the reasons of its deliveries."""
        return event | {"deliveries": [self.of_delivery(each) for each in event["deliveries"]]}

    def of_delivery(self, delivery: Record) -> Record:
        """Return the record of a delivery with its reason; `None` where it waits for nothing, or where that is not known."""
        return delivery | {"waits_for": self._reason(delivery) if delivery["status"] in _OPEN else None}

    def _reason(self, delivery: Record) -> str | None:
        from forwarder.core.monitoring.waiting_reason import waiting_reason  # only where something waits

        reason, name = delivery["reason"], delivery["destination"]
        kept = reason if reason in WAITS.values() else None
        status, silence = self._answer
        if status is None:
            if kept is None and name in self._paused:
                return "the destination is paused"
            return kept or silence
        return waiting_reason(
            status.destinations.get(name),
            kept=kept,
            has_turn=self._has_turn(delivery),
            due_at=datetime.fromisoformat(delivery["due_at"]),
            now=datetime.now(UTC),
        )

    @cached_property
    def _answer(self) -> "tuple[StatusReport | None, str | None]":
        """The status of the daemon; where there is none, what there is to say instead."""
        from forwarder.control.client import control  # a list of what is delivered does not need it
        from forwarder.control.errors import DaemonRefusedError, DaemonSilentError, NoDaemonError
        from forwarder.core.commands import StatusRequest
        from forwarder.core.monitoring.status import UnreadableStatusError, decode_status

        try:
            with control(self._where.socket, outbox=self._where.outbox) as daemon:
                return decode_status(daemon.ask(StatusRequest(), within=_ANSWER_WITHIN)), None
        except (DaemonSilentError, DaemonRefusedError, UnreadableStatusError):
            return None, None
        except NoDaemonError:
            return None, NO_DAEMON

    @cached_property
    def _paused(self) -> dict[str, str]:
        return self._history.paused()

    def _has_turn(self, delivery: Record) -> bool:
        key = delivery["destination"], delivery["order_key"]
        if key[1] is None:
            return True
        if key not in self._first:
            self._first[key] = self._history.first_in_order(*key)
        first = self._first[key]
        return first is None or first >= delivery["event_seq"]
