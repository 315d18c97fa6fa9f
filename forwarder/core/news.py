"""What a lane has to tell of its destination, apart from single attempts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from forwarder.core.delivery import Delivery
from forwarder.core.standing import FailureStretch, Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """An attempt failed after successes, or first of all."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedForLonger:
    """The stretch of failures has grown so much that it is worth keeping."""

    stretch: FailureStretch


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchEnded:
    """The receiver refused an event for itself, or said that we come too often: it lives, though nothing was delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """An attempt was delivered after failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOpened:
    """So much failed that only probes are made."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerClosed:
    """A probe was answered: everything that waited is due at once."""

    after: timedelta | None
    """How long it was down; `None` where it was probed as a precaution, after a start or a pause, and answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The receiver wants nothing for a while."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OursBegan:
    """Nothing can be sent, by no fault of the receiver."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OursEnded:
    """It can be again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedItself:
    """Nothing is sent until a person resumes it; everything is kept."""

    pause: Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class TooOld:
    """A delivery expired before its next attempt."""

    delivery: Delivery
    reason: str


News = (
    Failing
    | FailedForLonger
    | StretchEnded
    | Working
    | BreakerOpened
    | BreakerClosed
    | Held
    | OursBegan
    | OursEnded
    | PausedItself
    | TooOld
)
