"""What of a destination outlasts a restart: that it is paused, and since when it fails. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PausedBy(StrEnum):
    """Who paused a destination. Only a person resumes it."""

    PERSON = "person"
    RECEIVER = "receiver"
    """It answered that it is gone."""
    FAILURES = "failures"
    """Nothing else came for days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Since when, by whom, and why."""

    since: datetime
    by: PausedBy
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a destination stands."""

    pause: Pause | None = None
    failing_since: datetime | None = None
    """The first failure that no success has followed."""
    told_at: datetime | None = None
    """When another destination was told of it."""


NOTHING_KNOWN = Standing()
"""How one stands that works, or that was never tried."""
