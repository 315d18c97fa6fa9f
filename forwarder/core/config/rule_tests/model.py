"""What a test of the rules says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from forwarder.core.event import Event
from forwarder.core.matching import Condition

Expected = Mapping[str, tuple[str, ...] | None]
"""Each destination that gets the event, with the routes that choose it in their order; `None` where any may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """An event that arrives at a moment, and what is to become of it."""

    name: str
    event: Event
    at: datetime
    expected: Expected
    bodies: Mapping[str, tuple[str, ...] | Condition] = field(default_factory=dict)
    """For a destination, texts that its body has in it, or a condition on its JSON."""
    line: int = 1
    """Where it stands in its file."""
