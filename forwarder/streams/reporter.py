"""What happens to a stream, as its state, the gap record and the log show it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from forwarder.clocks.boot_time import boot_time
from forwarder.core.streams.state import StreamCondition
from forwarder.streams.connection import StreamConnection
from forwarder.streams.context import StreamContext
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.reconnect_schedule import NextTry

_ERRORS = frozenset({FaultKind.KEY_REFUSED, FaultKind.REDIRECTED, FaultKind.REPLACED, FaultKind.BLOCKED})
"""Faults that a person has to fix."""

_REPEATED_AFTER_S = 60.0
_REPEATED_AT_MOST_EVERY_S = 3600.0
"""A fault that goes on is reported again after a minute, then after 2, 4, … minutes, and then each hour."""
_REASONS = 8
"""How many reasons of one kind of fault are told apart: a text that differs each time is no news."""
_AT_ONCE_S = 1.0
"""A next try that is this soon needs no line after the one that says that the connection has ended."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Repeated:
    """A fault that has been reported, and how often it has come since."""

    since: datetime
    due_s: float
    """When it is reported again, in seconds of the boot clock."""
    pause_s: float = _REPEATED_AFTER_S
    count: int = 0


class StreamReporter:
    """Writes into the state, the gap record and the log that one stream is connected, disconnected or waiting."""

    def __init__(self, context: StreamContext) -> None:
        self._context = context
        self._state = context.state
        self._repeated: dict[tuple[FaultKind, str], _Repeated] = {}
        """Of the time since a connection was last open."""
        self._ended_by: StreamFaultError | None = None
        """The fault that was reported as the end of a connection."""

    def connected(self) -> None:
        """Report that a connection is open."""
        self._state.connections += 1
        self._context.gaps.note_open(self._state.name, self._context.clock())
        self._set(StreamCondition.OPEN)
        self._repeated.clear()
        log.info("stream.connected", stream=self._state.name)

    def heard(self, connection: StreamConnection) -> None:
        """Write into the state when something was last received."""
        self._state.last_heard = self._context.wall_time(connection.heard_at)

    def disconnected(self, connection: StreamConnection, fault: StreamFaultError) -> None:
        """Report that the present connection has ended, which begins a gap."""
        log.warning(
            "stream.disconnected",
            stream=self._state.name,
            kind=fault.kind,
            reason=fault.sentence,
            lasted_s=round(connection.lasted_s, 1),
        )
        self._context.gaps.note_away(
            self._state.name,
            began=self._context.wall_time(connection.certain_until),
            noticed=self._context.clock(),
            reason=fault.sentence,
        )
        self._set(StreamCondition.CONNECTING, fault)
        self._ended_by = fault

    def failed(self, fault: StreamFaultError) -> None:
        """Count a try that failed, or a connection that ended."""
        self._state.ends[str(fault.kind)] += 1

    def waiting(self, next_try: NextTry, *, is_active: bool) -> None:
        """Report when the next try is due. `is_active`: events come by an older connection meanwhile."""
        fault = next_try.fault
        if is_active:
            self._state.reason = f"it cannot be renewed: {fault.sentence}"
        else:
            away = StreamCondition.WAITING if next_try.wait_s else StreamCondition.CONNECTING
            self._set(StreamCondition.YIELDED if next_try.gives_way else away, fault)
            self._state.next_try_at = self._context.clock() + timedelta(seconds=next_try.wait_s)
        next_try_in_s = round(next_try.wait_s, 1)
        if next_try.gives_way:
            log.error(
                "stream.yielded",
                stream=self._state.name,
                reason=fault.sentence,
                next_try_in_s=next_try_in_s,
                note="forwarder leaves the stream to the other connection and tries again every quarter of an hour; "
                f"to try now: forwarder reconnect {self._state.name}",
            )
            return
        is_error = fault.kind in _ERRORS
        if fault is self._ended_by and next_try.wait_s <= _AT_ONCE_S and not is_error:
            return
        repeated = self._repeats(fault)
        if repeated is None:
            return
        level = log.error if is_error else log.warning
        level(
            "stream.unavailable",
            stream=self._state.name,
            kind=fault.kind,
            reason=fault.sentence,
            next_try_in_s=next_try_in_s,
            **repeated,
        )

    def _repeats(self, fault: StreamFaultError) -> dict[str, object] | None:
        """Return what to add to the report of a fault that has come before; `None` if it is not to be reported now."""
        now_s = boot_time()
        key = (fault.kind, fault.sentence)
        if key not in self._repeated and sum(kind is fault.kind for kind, _ in self._repeated) >= _REASONS:
            key = (fault.kind, "")
        known = self._repeated.get(key)
        if known is None:
            self._repeated[key] = _Repeated(since=self._context.clock(), due_s=now_s + _REPEATED_AFTER_S)
            return {}
        known.count += 1
        if now_s < known.due_s:
            return None
        known.pause_s = min(known.pause_s * 2, _REPEATED_AT_MOST_EVERY_S)
        known.due_s = now_s + known.pause_s
        return {"repeated": known.count, "since": known.since.isoformat(timespec="seconds")}

    def _set(self, condition: StreamCondition, fault: StreamFaultError | None = None) -> None:
        reason, kind = ("", None) if fault is None else (fault.sentence, str(fault.kind))
        self._state.change(condition, reason=reason, fault=kind, now=self._context.clock())
