"""The destinations in the status: how each did in the last five minutes, what waits for it, and what is wrong with it. Pure."""

import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from forwarder.cli.listing import local, table_lines, wrapped
from forwarder.cli.listing import shown as shown_text
from forwarder.cli.status_values import StatusLine, age, milliseconds, rate
from forwarder.core.dispatch.circuit_breaker import BreakerState
from forwarder.core.dispatch.destination_state import PausedBy
from forwarder.core.monitoring.condition import DestinationCondition, condition_of
from forwarder.core.monitoring.status import Backlog, CanaryReport, DestinationReport, PauseReport, StatusReport
from forwarder.core.monitoring.verdict import HealthLevel

_PAUSED_BY = {
    PausedBy.PERSON: "by hand",
    PausedBy.RECEIVER: "because the receiver is gone",
    PausedBy.FAILURES: "after days of failures",
}
_NAMES = ("DESTINATION", "5 MIN OK", "P50", "P99", "WAITING", "OLDEST", "DEAD", "STATE")
_MOST = 20
"""Of more destinations than that, those are left out that are well and have nothing waiting and nothing dead."""
_OK = "ok"


class _DestinationRow(NamedTuple):
    """A destination as the table shows it."""

    name: str
    state: str
    rank: int
    """0: something is wrong; 1: something is to be known; 2: nothing."""
    cells: tuple[str, ...]
    is_empty: bool
    """Nothing waits for it, and it has no dead letters."""

    @property
    def level(self) -> HealthLevel:
        """How bad it is what the row says."""
        return HealthLevel.OK if self.rank else HealthLevel.DEGRADED


def destination_lines(
    status: StatusReport, backlog: Backlog | None, *, now: datetime, width: int
) -> Iterator[StatusLine]:
    """Yield a table of the destinations, those first with which something is wrong. A state that is too long has lines of its own."""
    names = {*status.destinations, *status.disabled}
    names |= set() if backlog is None else {*backlog.waiting, *backlog.dead}
    rows = sorted((_row(name, status, backlog, now) for name in names), key=lambda row: (row.rank, row.name))
    shown = [row for row in rows if len(rows) <= _MOST or row.rank < 2 or not row.is_empty]
    head, *lines = table_lines(_NAMES, [(row.name, *row.cells, "") for row in shown])
    yield StatusLine(head)
    start = len(head) - len(_NAMES[-1])
    for line, row in zip(lines, shown, strict=True):
        if start + len(row.state) <= width:
            yield StatusLine(f"{line:<{start}}{row.state}", row.level)
            continue
        yield StatusLine(line, row.level)
        yield from (StatusLine(each, row.level) for each in wrapped(f"  {row.state}", width))
    if len(shown) < len(rows):
        yield StatusLine(f"and {len(rows) - len(shown):,} more, which are ok; nothing waits for them")
    if backlog is None:
        yield StatusLine("the queued deliveries cannot be read now", HealthLevel.DEGRADED)


def _row(name: str, status: StatusReport, backlog: Backlog | None, now: datetime) -> _DestinationRow:
    destination = status.destinations.get(name)
    waiting, dead, oldest = "?", "?", "-"
    if backlog is not None:
        waiting, dead = f"{backlog.waiting.get(name, 0):,}", f"{backlog.dead.get(name, 0):,}"
        oldest = age(backlog.oldest.get(name), now)
    figures = ("-", "-", "-")
    if destination is not None:
        recent = destination.recent
        figures = (rate(recent.success_rate), milliseconds(recent.latency_p50_ms), milliseconds(recent.latency_p99_ms))
    if name in status.disabled and destination is None:
        state, rank = f"disabled; {status.disabled[name]:,} skipped since the start", 1
    else:
        has_waiting = backlog is not None and name in backlog.waiting
        state = destination_state(name, destination, has_waiting=has_waiting)
        is_well = state == _OK or state.startswith(f"{_OK}; canary")
        rank = 0 if destination is not None and condition_of(destination).is_trouble else 2 if is_well else 1
    return _DestinationRow(
        name, shown_text(state), rank, (*figures, waiting, oldest, dead), {waiting, dead} <= {"0", "?"}
    )


def destination_state(name: str, destination: DestinationReport | None, *, has_waiting: bool) -> str:
    """Return the state of a destination in a few words; `None` is one that the daemon does not have."""
    if destination is None:
        return "not in the config"
    parts = []
    if destination.paused is not None:
        parts.append(_pause(name, destination.paused))
    elif destination.ours is not None:
        parts.append(f"cannot be reached from this machine: {destination.ours}")
    elif destination.breaker != BreakerState.CLOSED:
        parts.append(f"DOWN, next probe in {destination.next_probe_in_s or 0:g} s")
    elif condition_of(destination) is DestinationCondition.BEHIND:
        busy = "its rate limit is reached" if destination.limited_for_s else "it takes no more at the same time"
        parts.append(
            f"FALLS BEHIND: {busy}, and deliveries take up to {milliseconds(destination.recent.latency_p99_ms)}"
        )
    if destination.held_for_s:
        parts.append(f"asks to wait another {destination.held_for_s:g} s")
    elif not parts and has_waiting and destination.limited_for_s:
        parts.append(f"ok; rate limited, next in {destination.limited_for_s:g} s")
    if destination.quiet_until is not None:
        parts = [*(parts or [_OK]), f"quiet hours until {local(destination.quiet_until)}"]
    if destination.failing_since is not None:
        last = destination.last_failure or "before the restart"
        parts.append(f"failing since {local(destination.failing_since)}: {last}")
    elif condition_of(destination) is DestinationCondition.REFUSING and not parts:
        parts.append(f"REFUSES EVERYTHING: {destination.last_failure}")
    elif destination.last_failure is not None and destination.paused is None and destination.ours is None:
        parts = [*(parts or [_OK]), f"the last attempt failed: {destination.last_failure}"]
    if destination.canary is not None:
        well = [] if destination.canary.missed else [_OK]
        parts = [*(parts or well), _canary(destination.canary)]
    return "; ".join(parts) or _OK


def _pause(name: str, pause: PauseReport) -> str:
    why = f" ({pause.why})" if pause.why else ""
    by = _PAUSED_BY[PausedBy(pause.by)] if pause.by in set(PausedBy) else f"by {pause.by}"
    until = f" until {local(pause.until)}" if pause.until is not None else ""
    return f"PAUSED {by} since {local(pause.since)}{until}{why}; forwarder resume {shlex.quote(name)} sends again"


def _canary(canary: CanaryReport) -> str:
    last = "none yet" if canary.last_at is None else f"{canary.last_ms or 0:g} ms at {local(canary.last_at)}"
    if canary.missed:
        return f"CANARY MISSED; last canary: {last}"
    return f"canary {'-' if canary.last_at is None else milliseconds(canary.last_ms)}"
