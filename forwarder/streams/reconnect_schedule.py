"""When the next try of a stream is due: after a try that failed, or a connection that ended."""

from collections.abc import Callable

import msgspec

from forwarder.clocks.boot_time import boot_time
from forwarder.core.streams.reconnect_policy import ReconnectPolicy
from forwarder.streams import faults
from forwarder.streams.connection import StreamConnection
from forwarder.streams.faults import FaultKind, StreamFaultError

_SUSPECT_AFTER = 3
"""After so many connections in a row that are closed as soon as they open, the key is the likely cause."""


class NextTry(msgspec.Struct, frozen=True):
    """Says why a stream is tried next, and when."""

    fault: StreamFaultError
    """Why it is needed."""
    wait_s: float
    """How long to wait before it."""
    gives_way: bool
    """Another connection has replaced ours so often that the stream is left to it, except for a try now and then."""


class ReconnectSchedule:
    """Decides when one stream is tried again, from all its tries and connections so far."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """`chance` returns numbers from 0 to 1."""
        self._policy = ReconnectPolicy(chance)
        self._next: NextTry | None = None
        self._closed_at_once = 0

    @property
    def is_path_new(self) -> bool:
        """Whether the path is not known to be down for long: then a try should be short."""
        return self._policy.is_path_new

    def note_reached(self, connections: int = 1) -> None:
        """Count connections that the server has accepted."""
        self._policy.note_reached(boot_time(), connections)

    def note_failure(self, fault: StreamFaultError, connection: StreamConnection) -> None:
        """Schedule the next try, after a try that failed or a connection that ended."""
        connections = fault.connections
        fault = self._likely_fault(fault, connection)
        wait_s = self._policy.wait_s(
            fault.wait_kind,
            now_s=boot_time(),
            lasted_s=connection.lasted_s,
            was_useful=connection.has_brought,
            connections=connections,
        )
        gives_way = fault.kind is FaultKind.REPLACED and self._policy.gives_way
        self._next = NextTry(fault, max(wait_s, fault.minimum_wait.total_seconds()), gives_way)

    def take(self) -> NextTry | None:
        """Return the next try, once; `None` if nothing has failed since."""
        next_try, self._next = self._next, None
        return next_try

    def clear(self) -> None:
        """Forget the next try: a connection is open."""
        self._next = None

    def forgive(self) -> None:
        """Forget earlier failures: a person asks for a new connection."""
        self._policy.forgive()

    def _likely_fault(self, fault: StreamFaultError, connection: StreamConnection) -> StreamFaultError:
        """Return the fault, or that of a bad key after it has looked like that three times in a row."""
        if connection.opened_at is None:
            return fault
        self._closed_at_once = self._closed_at_once + 1 if fault.may_be_key else 0
        if self._closed_at_once >= _SUSPECT_AFTER:
            return faults.key_refused(f"closed as soon as it was open, {self._closed_at_once} times in a row")
        return fault
