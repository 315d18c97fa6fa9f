"""What a lane reports of its destination, apart from single attempts."""

from datetime import datetime, timedelta

import msgspec

from forwarder.core.delivery import Delivery
from forwarder.core.dispatch.destination_state import FailureStretch, Pause


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt failed after successes, or as the first one."""

    reason: str


class FailedForLonger(msgspec.Struct, frozen=True, kw_only=True):
    """The stretch of failures has grown so much that it is to be stored."""

    stretch: FailureStretch


class StretchEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The receiver refused one event, or asked for a lower rate: it works, although nothing was delivered."""


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt was delivered after failures."""


class BreakerOpened(msgspec.Struct, frozen=True, kw_only=True):
    """So many attempts failed that only probes are made."""

    reason: str


class BreakerClosed(msgspec.Struct, frozen=True, kw_only=True):
    """A probe was answered: everything that waits is due at once."""

    after: timedelta | None
    """How long the destination was down; `None` where it was only probed as a precaution, after a start or a pause."""


class ThrottledByReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """The receiver asked to be sent nothing for a while."""

    until: datetime
    reason: str


class LocalOutageBegan(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing can be sent because of a fault on this machine."""

    reason: str


class LocalOutageEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The fault on this machine is gone."""


class PausedItself(msgspec.Struct, frozen=True, kw_only=True):
    """The destination is paused: nothing is sent until a person resumes it, and everything is kept."""

    pause: Pause


class AddressChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The receiver has another address, which is used from now on, until the lane ends."""

    address: str
    """What to write in the config."""


class ExpiredUnsent(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery expired before its next attempt."""

    delivery: Delivery
    reason: str


LaneEvent = (
    AddressChanged
    | Failing
    | FailedForLonger
    | StretchEnded
    | Recovered
    | BreakerOpened
    | BreakerClosed
    | ThrottledByReceiver
    | LocalOutageBegan
    | LocalOutageEnded
    | PausedItself
    | ExpiredUnsent
)
