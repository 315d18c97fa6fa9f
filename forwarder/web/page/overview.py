"""The rows of the overview: streams and destinations, what is wrong first. Pure."""

import msgspec

from forwarder.core.monitoring.status import Backlog, DestinationReport, StatusReport, StreamReport
from forwarder.web.page.health import HealthMark, HealthWords, health_of_destination, health_of_stream

_ORDER = {HealthMark.BAD: 0, HealthMark.WARN: 1, HealthMark.IDLE: 2, HealthMark.OK: 3}


class StreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stream."""

    name: str
    report: StreamReport
    health: HealthWords
    repair_off: str
    """Why its gaps are not repaired although the config asks for it."""


class DestinationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One destination. What waits and what is dead is `None` where that cannot be read."""

    name: str
    report: DestinationReport
    health: HealthWords
    is_active: bool
    """Whether the daemon has it: what waits for another one is kept."""
    waiting: int | None
    dead: int | None
    oldest: str | None
    """When the oldest event was received that waits."""


def stream_rows(status: StatusReport) -> list[StreamRow]:
    """Return the streams, what is wrong first."""
    rows = [
        StreamRow(
            name=name, report=report, health=health_of_stream(report), repair_off=status.gap_repair_off.get(name, "")
        )
        for name, report in status.streams.items()
    ]
    return sorted(rows, key=lambda row: _ORDER[row.health.mark])


def destination_rows(status: StatusReport, backlog: Backlog | None) -> list[DestinationRow]:
    """Return the destinations, what is wrong first; also those that the config has no more and for which something is kept."""
    waiting, dead = ({}, {}) if backlog is None else (backlog.waiting, backlog.dead)
    rows = [
        _destination_row(name, status.destinations.get(name), backlog)
        for name in dict.fromkeys((*status.destinations, *waiting, *dead))
    ]
    return sorted(rows, key=lambda row: _ORDER[row.health.mark])


def _destination_row(name: str, report: DestinationReport | None, backlog: Backlog | None) -> DestinationRow:
    waiting = None if backlog is None else backlog.waiting.get(name, 0)
    if report is None:
        health = HealthWords(HealthMark.IDLE, "not in the config, or disabled")
    else:
        health = health_of_destination(report, waiting=waiting or 0)
    return DestinationRow(
        name=name,
        report=report or DestinationReport(),
        health=health,
        is_active=report is not None,
        waiting=waiting,
        dead=None if backlog is None else backlog.dead.get(name, 0),
        oldest=None if backlog is None else backlog.oldest.get(name),
    )
