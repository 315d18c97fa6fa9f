"""The status of a daemon as lines for a person. Pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec

from forwarder.cli.listing import local, table_lines, wrapped
from forwarder.core.counted import counted
from forwarder.core.dispatch.circuit_breaker import BreakerState
from forwarder.core.dispatch.destination_state import PausedBy
from forwarder.core.durations import spell
from forwarder.core.event import NotAnEvent
from forwarder.core.monitoring.status import (
    Backlog,
    CanaryReport,
    ConfigReport,
    DelaySummary,
    DestinationReport,
    LogReport,
    OutboxReport,
    PauseReport,
    StatusReport,
    StreamReport,
)
from forwarder.core.monitoring.verdict import Verdict
from forwarder.core.streams.state import StreamCondition

_PAUSED_BY = {
    PausedBy.PERSON: "by hand",
    PausedBy.RECEIVER: "because the receiver is gone",
    PausedBy.FAILURES: "after days of failures",
}


_COUNT_NAMES = {"doubles": "duplicates"}
"""The counts that are shown under another name than their key has."""


def verdict_lines(verdict: Verdict, *, width: int) -> Iterator[str]:
    """Yield the verdict, and below it what to do."""
    yield from wrapped(verdict.line, width)
    if verdict.advice:
        yield from wrapped(f"  {verdict.advice}", width)


def lines_of(status: StatusReport, backlog: Backlog | None, *, width: int) -> Iterator[str]:
    """Yield the lines, broken where they are longer than `width`. `backlog` is `None` if the outbox cannot be read."""
    for part in _parts_of(status, backlog):
        if isinstance(part, str):
            yield from wrapped(part, width)
            continue
        head, *rows = table_lines(part.names, part.rows)
        yield head
        start = head.rindex(part.names[-1])
        for row in rows:
            yield from wrapped(row, width, hanging=start if start <= width // 2 else 4)


class _Table(NamedTuple):
    """A table in the status. Its last column may be broken."""

    names: Sequence[str]
    rows: Sequence[Sequence[object]]


def _parts_of(status: StatusReport, backlog: Backlog | None) -> Iterator[str | _Table]:
    yield f"forwarder {status.version}, process {status.pid}, {status.state} since {local(status.started_at)}"
    yield from _config(status.config)
    yield from _warnings(status)
    yield from _streams(status.streams, status.lag_ms)
    yield from _outbox(status.outbox)
    yield from _log(status.log)
    counts = {
        name: number for name, number in msgspec.structs.asdict(status.since_start).items() if isinstance(number, int)
    }
    yield "since the start: " + ", ".join(
        f"{_COUNT_NAMES.get(name, name.replace('_', ' '))} {number:,}" for name, number in counts.items()
    )
    yield from _odd_frames(status.since_start.odd_frames)
    yield from _destinations(status.destinations, backlog)


def _odd_frames(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield how many frames were no events, by kind, but for answers to pings."""
    odd = {kind: number for kind, number in sorted(counts.items()) if number and kind != NotAnEvent.PONG}
    if odd:
        each = ", ".join(f"{kind.replace('_', ' ')} {number:,}" for kind, number in odd.items())
        yield f"odd frames, which are no events and are not forwarded: {each}"


def _config(config: ConfigReport) -> Iterator[str]:
    how = "a saved edit is loaded at once" if config.watched else "loaded by SIGHUP and forwarder reload"
    yield f"config: {config.file} ({config.digest}), active since {local(config.in_force_since)}; {how}"
    if config.needs_restart:
        yield f"  active only after a restart: {', '.join(config.needs_restart)}"
    if (refused := config.refused) is not None:
        yield f"  the last edit was REFUSED at {local(refused.at)}:"
        yield from (f"    {problem}" for problem in refused.problems)
        if refused.more:
            yield f"    and {refused.more:,} more; forwarder check shows all"
    if (hangs := config.hangs) is not None:
        yield (
            f"  A RELOAD HANGS since {local(hangs.since)}: reading {hangs.file} does not end. Does its file system respond? "
            "This config stays active until then"
        )


def _warnings(status: StatusReport) -> Iterator[str]:
    """Yield what a person should look at."""
    if (jump := status.clock_jumped) is not None:
        by = spell(timedelta(seconds=abs(jump.by_s)))
        yield (
            f"THE CLOCK WAS SET {'forward' if jump.by_s > 0 else 'back'} by {by} at {local(jump.at)}. "
            "Queued deliveries are not affected. Check that the clock of this machine is right."
        )
    for reason in dict.fromkeys(status.gap_repair_off.values()):
        names = ", ".join(name for name, why in status.gap_repair_off.items() if why == reason)
        yield f"gaps of {names} are NOT REPAIRED until the next reload or restart: {reason}"
    for name, destination in status.destinations.items():
        if (pause := destination.paused) is not None and pause.by != PausedBy.PERSON:
            yield (
                f"{name} IS PAUSED since {local(pause.since)}: {pause.why}. Its deliveries are kept. "
                f"Once it works again: forwarder resume {name}"
            )


def _streams(streams: Mapping[str, StreamReport], lag_ms: Mapping[str, DelaySummary]) -> Iterator[str | _Table]:
    """Yield the state of the streams, beginning with what is wrong."""
    away = [name for name, stream in streams.items() if stream.condition != StreamCondition.OPEN]
    if len(away) == len(streams):
        since = max((stream.away_since for stream in streams.values() if stream.away_since), default=None)
        when = f" since {local(since)}" if since else ""
        yield f"NO STREAM IS OPEN{when}: events sent now are missed; forwarder gaps shows for how long"
    elif away:
        yield f"streams: {', '.join(away)} away, but others are open, so no event need be missed"
    is_race = len(streams) > 1
    names = ("STREAM", "TRANSPORT", "EVENTS", *(("FIRST", "BEHIND", "MISSED") if is_race else ()), "STATE")
    rows = []
    for name, stream in streams.items():
        raced = (_percent(stream.share), _behind(stream), _missed(stream)) if is_race else ()
        rows.append((name, stream.transport, f"{stream.events:,}", *raced, _stream_state(name, stream)))
    yield _Table(names, rows)
    if lag_ms:
        each = (f"{source} {_ms(lag.p50)} median, {_ms(lag.p99)} p99" for source, lag in lag_ms.items())
        yield f"source lag: {'; '.join(each)}"


def _ms(duration_ms: float) -> str:
    """Return a duration, from a second on in seconds."""
    return f"{duration_ms:g} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _behind(stream: StreamReport) -> str:
    return _ms(stream.behind_ms.p50) if stream.copies else "-"


def _missed(stream: StreamReport) -> str:
    away = f" (and {stream.missed_away:,} away)" if stream.missed_away else ""
    return f"{stream.missed_open:,}{away}"


def _stream_state(name: str, stream: StreamReport) -> str:
    """Return the state of a stream in a few words."""
    since = f" since {local(stream.since)}" if stream.since else ""
    last = f"; last event {local(stream.last_event)}" if stream.last_event else ""
    reason = f": {stream.reason}" if stream.reason else ""
    match stream.condition:
        case StreamCondition.OPEN:
            return f"open{since}{last}{reason}"
        case StreamCondition.YIELDED | StreamCondition.WAITING if stream.fault == "replaced":
            now = f"forwarder reconnect {shlex.quote(name)} tries it now"
            return (
                f"REPLACED by another connection{since}{reason}; next try {local(stream.next_try_at)}, or {now}{last}"
            )
        case StreamCondition.WAITING:
            return f"AWAY{since}{reason}; next try {local(stream.next_try_at)}{last}"
        case _:
            return f"connecting{since}{reason}{last}"


def _outbox(outbox: OutboxReport) -> Iterator[str]:
    delay = outbox.commit_lag_ms
    yield f"outbox: {outbox.health}" + (f" ({outbox.trouble})" if outbox.trouble else "")
    yield (
        f"  not yet on disk: {counted(outbox.events_in_memory, 'event')}; time to disk {_ms(delay.p50)} median, {_ms(delay.p99)} p99"
    )


def _log(log: LogReport) -> Iterator[str]:
    """Yield what is wrong with the log."""
    if log.trouble or log.lines_dropped:
        now = f"CANNOT BE WRITTEN: {log.trouble}; " if log.trouble else ""
        yield f"log: {now}{counted(log.lines_dropped, 'line')} dropped since the start; deliveries do not wait for it"


def _destinations(destinations: Mapping[str, DestinationReport], backlog: Backlog | None) -> Iterator[str | _Table]:
    if backlog is None:
        yield "the queued deliveries cannot be read now"
        return
    rows = [
        (
            name,
            backlog.waiting.get(name, 0),
            backlog.dead.get(name, 0),
            destination_state(name, destinations.get(name), has_waiting=name in backlog.waiting),
        )
        for name in sorted({*destinations, *backlog.waiting, *backlog.dead})
    ]
    yield _Table(("DESTINATION", "WAITING", "DEAD", "STATE"), rows)


def destination_state(name: str, destination: DestinationReport | None, *, has_waiting: bool) -> str:
    """Return the state of a destination in a few words; `None` is one that the daemon does not have."""
    if destination is None:
        return "not in the config, or disabled"
    parts = []
    if destination.paused is not None:
        parts.append(_pause(name, destination.paused))
    elif destination.ours is not None:
        parts.append(f"cannot be reached from this machine: {destination.ours}")
    elif destination.breaker != BreakerState.CLOSED:
        parts.append(f"DOWN, next probe in {destination.next_probe_in_s or 0:g} s")
    if destination.held_for_s:
        parts.append(f"asks to wait another {destination.held_for_s:g} s")
    elif not parts and has_waiting and destination.limited_for_s:
        parts.append(f"ok; rate limited, next in {destination.limited_for_s:g} s")
    if destination.quiet_until is not None:
        parts = [*(parts or ["ok"]), f"quiet hours until {local(destination.quiet_until)}"]
    if destination.failing_since is not None:
        last = destination.last_failure or "before the restart"
        parts.append(f"failing since {local(destination.failing_since)}: {last}")
    elif destination.last_failure is not None and destination.paused is None and destination.ours is None:
        parts = [*(parts or ["ok"]), f"the last attempt failed: {destination.last_failure}"]
    if destination.canary is not None:
        if destination.canary.missed:
            parts.append("CANARY MISSED")
        parts = [*(parts or ["ok"]), f"last canary: {_last(destination.canary)}"]
    return "; ".join(parts) or "ok"


def _pause(name: str, pause: PauseReport) -> str:
    why = f" ({pause.why})" if pause.why else ""
    by = _PAUSED_BY[PausedBy(pause.by)] if pause.by in set(PausedBy) else f"by {pause.by}"
    until = f" until {local(pause.until)}" if pause.until is not None else ""
    return f"PAUSED {by} since {local(pause.since)}{until}{why}; forwarder resume {shlex.quote(name)} sends again"


def _last(canary: CanaryReport) -> str:
    return "none yet" if canary.last_at is None else f"{canary.last_ms or 0:g} ms at {local(canary.last_at)}"
