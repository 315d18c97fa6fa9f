"""The status of a daemon as lines for a person: one screen, the worst first. Pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from forwarder.cli.listing import local, table_lines, wrapped
from forwarder.cli.listing import shown as shown_text
from forwarder.cli.status_destinations import destination_lines
from forwarder.cli.status_values import StatusLine, age, milliseconds
from forwarder.core.counted import counted
from forwarder.core.durations import spell
from forwarder.core.event import NotAnEvent
from forwarder.core.monitoring.status import (
    Backlog,
    ConfigReport,
    CountersReport,
    DelaySummary,
    HeartbeatReport,
    LogReport,
    OutboxReport,
    StatusReport,
    StreamReport,
    TracingReport,
)
from forwarder.core.monitoring.verdict import HealthLevel, Verdict
from forwarder.core.streams.state import StreamCondition

_COUNT_NAMES = {"doubles": "duplicates"}
"""The counts that are shown under another name than their key has."""
_WORST_FIRST = (HealthLevel.DOWN, HealthLevel.DEGRADED, HealthLevel.OK)


def verdict_lines(verdict: Verdict, *, width: int) -> Iterator[str]:
    """Yield the verdict, and below it what to do."""
    yield from wrapped(verdict.line, width)
    if verdict.advice:
        yield from wrapped(f"  {verdict.advice}", width)


def lines_of(status: StatusReport, backlog: Backlog | None, *, now: datetime, width: int) -> list[StatusLine]:
    """Return the lines, broken where they are longer than `width`; parts in which something is wrong come first.

    `now` is by the wall clock of the machine of the daemon. `backlog` is `None` if the outbox cannot be read.
    """
    parts = [
        list(_warnings(status)),
        list(_streams(status.streams, now)),
        list(destination_lines(status, backlog, now=now, width=width)),
        list(_left_over(backlog)),
        list(_config(status.config)),
        list(_outbox(status.outbox)),
        list(_log(status.log)),
        list(_outside(status.heartbeat, status.tracing)),
        list(_counts(status.since_start, status.lag_ms)),
        [_process(status)],
    ]
    parts.sort(key=lambda part: min((_WORST_FIRST.index(line.level) for line in part), default=0))
    return [
        StatusLine(text, line.level) for part in parts for line in part for text in wrapped(line.text, width)
    ]  # what is in a table has been broken already


def _process(status: StatusReport) -> StatusLine:
    """Return which process it is, since when it runs, and that it ends if it does."""
    state = "" if status.state in {"running", ""} else f"; {status.state}"
    level = HealthLevel.DEGRADED if state else HealthLevel.OK
    started = local(status.started_at)
    return StatusLine(f"forwarder {status.version}, process {status.pid}, running since {started}{state}", level)


def _warnings(status: StatusReport) -> Iterator[StatusLine]:
    """Yield what a person should look at and no other part shows."""
    if (jump := status.clock_jumped) is not None:
        by = spell(timedelta(seconds=abs(jump.by_s)))
        yield StatusLine(
            f"THE CLOCK WAS SET {'forward' if jump.by_s > 0 else 'back'} by {by} at {local(jump.at)}. "
            "Queued deliveries are not affected. Check that the clock of this machine is right.",
            HealthLevel.DEGRADED,
        )
    for reason in dict.fromkeys(status.gap_repair_off.values()):
        names = ", ".join(name for name, why in status.gap_repair_off.items() if why == reason)
        yield StatusLine(
            f"gaps of {names} are NOT REPAIRED until the next reload or restart: {reason}", HealthLevel.DEGRADED
        )


def _streams(streams: Mapping[str, StreamReport], now: datetime) -> Iterator[StatusLine]:
    """Yield the state of the streams, beginning with those that are not open."""
    away = [name for name, stream in streams.items() if stream.condition != StreamCondition.OPEN]
    is_down = len(away) == len(streams)
    if is_down:
        since = max((stream.away_since for stream in streams.values() if stream.away_since), default=None)
        when = f" since {local(since)}" if since else ""
        yield StatusLine(
            f"NO STREAM IS OPEN{when}: events sent now are missed; forwarder gaps shows for how long", HealthLevel.DOWN
        )
    elif away:
        yield StatusLine(
            f"streams: {', '.join(away)} away, but others are open, so no event need be missed", HealthLevel.DEGRADED
        )
    is_race = len(streams) > 1
    names = ("STREAM", "EVENTS", "LAST EVENT", *(("FIRST", "BEHIND", "MISSED") if is_race else ()), "STATE")
    shown = sorted(streams.items(), key=lambda item: item[1].condition == StreamCondition.OPEN)
    rows = [_stream_row(name, stream, now, is_race=is_race) for name, stream in shown]
    head, *lines = table_lines(names, rows)
    yield StatusLine(head)
    for line, (name, stream) in zip(lines, shown, strict=True):
        is_open = stream.condition == StreamCondition.OPEN
        level = HealthLevel.OK if is_open else HealthLevel.DOWN if is_down else HealthLevel.DEGRADED
        yield StatusLine(line, level)
        if details := _stream_details(name, stream):
            yield StatusLine(f"  {shown_text(details)}", level)


def _stream_row(name: str, stream: StreamReport, now: datetime, *, is_race: bool) -> Sequence[object]:
    last = f"{age(stream.last_event, now)} ago" if stream.last_event else "-"
    raced = (_percent(stream.share), _behind(stream), _missed(stream)) if is_race else ()
    return name, f"{stream.events:,}", last, *raced, _stream_state(stream, now)


def _stream_state(stream: StreamReport, now: datetime) -> str:
    since = f" for {age(stream.since, now)}" if stream.since else ""
    match stream.condition:
        case StreamCondition.OPEN:
            return f"open{since}"
        case StreamCondition.YIELDED | StreamCondition.WAITING if stream.fault == "replaced":
            return f"REPLACED{since}"
        case StreamCondition.WAITING:
            return f"AWAY{since}"
        case _:
            return f"connecting{since}"


def _stream_details(name: str, stream: StreamReport) -> str:
    """Return why a stream is not open, and when it is tried again; empty if there is nothing to say."""
    parts = [stream.reason] if stream.reason else []
    match stream.condition:
        case StreamCondition.YIELDED | StreamCondition.WAITING if stream.fault == "replaced":
            now = f"forwarder reconnect {shlex.quote(name)} tries it now"
            parts.append(f"next try {local(stream.next_try_at)}, or {now}")
        case StreamCondition.WAITING:
            parts.append(f"next try {local(stream.next_try_at)}")
        case _:
            pass
    return "; ".join(parts)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _behind(stream: StreamReport) -> str:
    return milliseconds(stream.behind_ms.p50) if stream.copies else "-"


def _missed(stream: StreamReport) -> str:
    away = f" (and {stream.missed_away:,} away)" if stream.missed_away else ""
    return f"{stream.missed_open:,}{away}"


def _left_over(backlog: Backlog | None) -> Iterator[StatusLine]:
    """Yield how many gaps and dead letters there are."""
    if backlog is None:
        return
    gaps = f"{backlog.recent_gaps:,}" if backlog.recent_gaps else "none"
    if backlog.unrepaired_gaps:
        gaps += f", {backlog.unrepaired_gaps:,} NOT REPAIRED (forwarder gaps)"
    dead = sum(backlog.dead.values())
    letters = f"{dead:,} (forwarder dead list)" if dead else "none"
    level = HealthLevel.DEGRADED if backlog.unrepaired_gaps else HealthLevel.OK
    yield StatusLine(f"gaps of the last 24 h: {gaps}; dead letters: {letters}", level)


def _config(config: ConfigReport) -> Iterator[StatusLine]:
    how = "" if config.watched else "; loaded by SIGHUP and forwarder reload"
    yield StatusLine(f"config: {config.file} ({config.digest}), active since {local(config.in_force_since)}{how}")
    if config.needs_restart:
        yield StatusLine(f"  active only after a restart: {', '.join(config.needs_restart)}")
    if (refused := config.refused) is not None:
        yield StatusLine(f"  the last edit was REFUSED at {local(refused.at)}:", HealthLevel.DEGRADED)
        yield from (StatusLine(f"    {problem}", HealthLevel.DEGRADED) for problem in refused.problems)
        if refused.more:
            yield StatusLine(f"    and {refused.more:,} more; forwarder check shows all", HealthLevel.DEGRADED)
    if (hangs := config.hangs) is not None:
        yield StatusLine(
            f"  A RELOAD HANGS since {local(hangs.since)}: reading {hangs.file} does not end. Does its file system respond? "
            "This config stays active until then",
            HealthLevel.DEGRADED,
        )


def _outbox(outbox: OutboxReport) -> Iterator[StatusLine]:
    held = f"; not yet on disk: {counted(outbox.events_in_memory, 'event')}" if outbox.events_in_memory else ""
    delay = outbox.commit_lag_ms
    times = f"time to disk {milliseconds(delay.p50)} median, {milliseconds(delay.p99)} p99"
    level = HealthLevel.OK if outbox.is_ok else HealthLevel.DEGRADED
    yield StatusLine(f"outbox: {outbox.health}; {times}{held}", level)  # the verdict says why


def _log(log: LogReport) -> Iterator[StatusLine]:
    """Yield what is wrong with the log."""
    if log.trouble or log.lines_dropped:
        now = f"CANNOT BE WRITTEN: {log.trouble}; " if log.trouble else ""
        yield StatusLine(
            f"log: {now}{counted(log.lines_dropped, 'line')} dropped since the start; deliveries do not wait for it",
            HealthLevel.DEGRADED if log.trouble else HealthLevel.OK,
        )


def _outside(heartbeat: HeartbeatReport | None, tracing: TracingReport | None) -> Iterator[StatusLine]:
    """Yield what is wrong with the outside monitor and with the collector of traces."""
    if heartbeat is not None and heartbeat.trouble is not None:
        last = "never" if heartbeat.last_ok_at is None else local(heartbeat.last_ok_at)
        yield StatusLine(
            f"heartbeat: FAILS ({shown_text(heartbeat.trouble)}), last accepted: {last}; the monitor may raise the alarm",
            HealthLevel.DEGRADED,
        )
    if tracing is not None and (tracing.trouble is not None or tracing.spans_lost):
        now = "" if tracing.trouble is None else f"CANNOT BE SENT ({shown_text(tracing.trouble)}); "
        yield StatusLine(
            f"traces: {now}{counted(tracing.spans_lost, 'span')} lost since the start; deliveries are not affected",
            HealthLevel.OK if tracing.trouble is None else HealthLevel.DEGRADED,
        )


def _counts(counters: CountersReport, lag_ms: Mapping[str, DelaySummary]) -> Iterator[StatusLine]:
    """Yield what was counted since the start and is not 0."""
    counts = {name: number for name, number in msgspec.structs.asdict(counters).items() if isinstance(number, int)}
    each = (
        f"{_COUNT_NAMES.get(name, name.replace('_', ' '))} {number:,}"
        for name, number in counts.items()
        if number or name == "seen"
    )
    yield StatusLine("since the start: " + ", ".join(each))
    odd = {kind: count for kind, count in sorted(counters.odd_frames.items()) if count and kind != NotAnEvent.PONG}
    if odd:
        frames = ", ".join(f"{kind.replace('_', ' ')} {number:,}" for kind, number in odd.items())
        yield StatusLine(f"odd frames, which are no events and are not forwarded: {frames}")
    if lag_ms:
        lags = (
            f"{source} {milliseconds(lag.p50)} median, {milliseconds(lag.p99)} p99" for source, lag in lag_ms.items()
        )
        yield StatusLine(f"source lag: {'; '.join(lags)}")
