"""What the deliveries of a list wait for: asked of the running daemon, once, and only if some of them are not made yet."""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from forwarder.cli.locations import Places
from forwarder.core.history import History, Record

if TYPE_CHECKING:
    from forwarder.core.delivery_waits import DeliveryWaits

_ANSWER_WITHIN = timedelta(seconds=2)
"""A list is not held up for longer by a daemon that does not answer."""
_OPEN = frozenset({"pending", "in_flight"})
NO_DAEMON = "no forwarder answers at the control socket"


class WaitingReasons:
    """Adds to records of deliveries what they wait for, as `waits_for`, with a running daemon and without one."""

    def __init__(self, where: Places, history: History) -> None:
        self._where = where
        self._history = history

    def of_event(self, event: Record) -> Record:
        """Return the record of an event, with the reasons of its deliveries."""
        return event | {"deliveries": [self.of_delivery(each) for each in event["deliveries"]]}

    def of_delivery(self, delivery: Record) -> Record:
        """Return the record of a delivery with its reason; `None` where it waits for nothing, or where that is not known."""
        return delivery | {"waits_for": self._reason(delivery) if delivery["status"] in _OPEN else None}

    def _reason(self, delivery: Record) -> str | None:
        from forwarder.core.delivery_waits import kept_reason  # only where something waits

        waits, silence = self._answer
        if waits is not None:
            return waits.reason(delivery)
        if (kept := kept_reason(delivery)) is not None:
            return kept
        return "the destination is paused" if delivery["destination"] in self._paused else silence

    @cached_property
    def _answer(self) -> "tuple[DeliveryWaits | None, str | None]":
        """What knows it by the status of the daemon; where there is none, what there is to say instead."""
        from forwarder.control.client import control  # a list of what is delivered does not need it
        from forwarder.control.errors import DaemonRefusedError, DaemonSilentError, NoDaemonError
        from forwarder.core.commands import StatusRequest
        from forwarder.core.delivery_waits import DeliveryWaits
        from forwarder.core.monitoring.status import UnreadableStatusError, decode_status

        try:
            with control(self._where.socket, outbox=self._where.outbox) as daemon:
                status = decode_status(daemon.ask(StatusRequest(), within=_ANSWER_WITHIN))
        except (DaemonSilentError, DaemonRefusedError, UnreadableStatusError):
            return None, None
        except NoDaemonError:
            return None, NO_DAEMON
        return DeliveryWaits(self._history, status.destinations, now=datetime.now(UTC)), None

    @cached_property
    def _paused(self) -> dict[str, str]:
        return self._history.paused()
