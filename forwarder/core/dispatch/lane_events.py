"""What a lane reports of its destination, apart from single attempts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder.core.delivery import Delivery
from forwarder.core.dispatch.destination_state import FailureStretch, Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """An attempt failed after successes, or as the first one."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedForLonger:
    """The stretch of failures has grown so much that it is to be stored."""

    stretch: FailureStretch


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchEnded:
    """The receiver refused one event, or asked for a lower rate: it works, although nothing was delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """An attempt was delivered after failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOpened:
    """So many attempts failed that only probes are made."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerClosed:
    """A probe was answered: everything that waits is due at once."""

    after: timedelta | None
    """How long the destination was down; `None` where it was only probed as a precaution, after a start or a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottledByReceiver:
    """The receiver asked to be sent nothing for a while."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOutageBegan:
    """Nothing can be sent because of a fault on this machine."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOutageEnded:
    """The fault on this machine is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedItself:
    """The destination is paused: nothing is sent until a person resumes it, and everything is kept."""

    pause: Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChanged:
    """The receiver has another address, which is used from now on, until the lane ends."""

    address: str
    """What to write in the config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredUnsent:
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
