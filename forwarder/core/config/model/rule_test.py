"""A test of the rules, as the config describes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from forwarder.core.event import Event
from forwarder.core.matching import Condition

Expected = Mapping[str, tuple[str, ...] | None]
"""Each destination that must get the event, with the routes that choose it in their order; `None` for any routes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """A test of the rules: an event, when it arrives, and where it must go."""

    name: str
    event: Event
    at: datetime
    expected: Expected
    bodies: Mapping[str, tuple[str, ...] | Condition] = field(default_factory=dict)
    """For a destination, the texts that its body must contain, or a condition on its JSON."""
    line: int = field(default=1, compare=False)
    """The line of the test in its file. A test that is only on another line is the same test."""
    file: str = field(default="", compare=False)
    """The included file that the test is in; empty for the config, and for a file of tests."""
