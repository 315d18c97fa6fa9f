"""When an open connection is to be renewed: because of its age, or because nothing is received on it."""

from datetime import timedelta

import msgspec

from forwarder.clocks.boot_time import boot_time
from forwarder.streams.connection import StreamConnection

QUIET_AFTER = timedelta(seconds=30)
"""forwarder sends a ping every 20 s. If no answer comes within 10 s, the connection is probably dead, and another one is opened
alongside it. If it is alive after all, nothing is lost."""
LEAST_AGE_S = 10.0
"""How long a connection is kept at least, even if its token is valid for less: an open stream outlives its token."""
_LATE_S = 0.01
"""Added to each wait, so that the connection is due when the wait is over."""
_BUSY_LOOK_S = 1.0
"""How long to wait at least while a frame is being taken: until then silence has no meaning."""


class RenewalReason(msgspec.Struct, frozen=True):
    """Why a connection is to be renewed."""

    sentence: str
    is_suspect: bool = False
    """The connection may be dead."""


def reason_to_renew(connection: StreamConnection, max_age: timedelta | None) -> RenewalReason | None:
    """Return why an open connection is to be renewed now; `None` if it is not."""
    now = boot_time()
    if now >= min(_ends(connection, max_age), default=now + 1):
        return RenewalReason("it has reached its maximum age")
    if now - connection.heard_at >= QUIET_AFTER.total_seconds() and not connection.is_taking:
        return RenewalReason(f"nothing was received for {QUIET_AFTER.total_seconds():g} s", is_suspect=True)
    return None


def next_look_s(connection: StreamConnection, max_age: timedelta | None) -> float:
    """Return in how many seconds `reason_to_renew` may have another answer."""
    due = min([connection.heard_at + QUIET_AFTER.total_seconds(), *_ends(connection, max_age)])
    return max(due - boot_time(), _BUSY_LOOK_S if connection.is_taking else 0.0) + _LATE_S


def _ends(connection: StreamConnection, max_age: timedelta | None) -> list[float]:
    """Return the moments at which the connection is renewed in any case."""
    if connection.opened_at is None:
        return []
    ends = [] if max_age is None else [connection.opened_at + max_age.total_seconds()]
    if connection.ends_at is not None:
        ends.append(max(connection.ends_at, connection.opened_at + LEAST_AGE_S))
    return ends
