"""Rules that are tried and not saved: what is asked for, and what comes of it."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from forwarder.core.config.problem_places import ConfigProblem
from forwarder.core.routing.explain import Explanation

_Rules = Annotated[str, Meta(max_length=500_000)]


class RuleTrial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event, and the rules to try on it."""

    event: Annotated[str, Meta(max_length=500_000)]
    """The event as JSON text, as it comes on the stream."""
    rules: _Rules | None = None
    """YAML with `routes:`, and `lists:`, `matchers:` and so on as needed; what it leaves out is taken of the active config. `None`: the active config."""
    at: Annotated[datetime, Meta(tz=True)] | None = None
    """When the event is taken to come, for conditions on the time; `None` is now."""


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the rules route the event, or what is wrong with one of them."""

    problems: list[ConfigProblem] = []
    """What is wrong with the rules."""
    event_problem: str | None = None
    """What is wrong with the event."""
    event_id: str | None = None
    explanation: Explanation | None = None
    disabled: tuple[str, ...] = ()
    """The chosen destinations that are disabled."""


class BacktestWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules to compare with what was sent."""

    rules: _Rules | None = None
    """As in `RuleTrial`."""
    since_ms: Annotated[int, Meta(ge=0, le=1 << 53)] = 0
    most: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """So many of the newest events are compared."""
    examples: Annotated[int, Meta(ge=0, le=50)] = 5


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules would have sent of the history, compared with what was sent."""

    problems: list[ConfigProblem] = []
    result: Any = None
    """As `forwarder backtest --json` prints it; `None` if the rules have problems."""
    unavailable: str | None = None
    """Why the history could not be read."""


class RuleRun(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that tries rules has to do: one of both."""

    base: bytes
    """The revision of the active config."""
    outbox: str
    cpu_s: int
    trial: RuleTrial | None = None
    backtest: BacktestWanted | None = None
