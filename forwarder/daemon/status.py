"""The status of the daemon, collected from the parts that know it."""

import os
from datetime import datetime

import msgspec

from forwarder import __version__
from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.histogram import Histogram
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.delivery_figures import DestinationFigures
from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import (
    Backlog,
    ConfigReport,
    CountersReport,
    DestinationReport,
    OutboxReport,
    PauseReport,
    StatusReport,
    TracingReport,
    to_seconds,
)
from forwarder.core.monitoring.verdict import judge
from forwarder.core.monitoring.whole_backlog import whole_backlog
from forwarder.daemon.inbound import Inbound
from forwarder.daemon.reporting import Reporting
from forwarder.daemon.runtime import ActiveRuntime
from forwarder.dispatch.dispatcher import Dispatcher
from forwarder.dispatch.lane import Lane
from forwarder.logs.setup import log_status

_NO_FIGURES = DestinationFigures()


def state_of(*, is_left: bool, is_stopping: bool) -> str:
    """Return the state of the daemon in a word or two; `is_left`: another process has taken over."""
    if is_left:
        return "handing over"
    return "stopping" if is_stopping else "running"


class StatusReporter:
    """Reports the state of everything that runs."""

    def __init__(
        self,
        *,
        started_at: datetime,
        clock: ProcessClock,
        counters: Counters,
        inbound: Inbound,
        dispatcher: Dispatcher,
        reporting: Reporting,
        active: ActiveRuntime,
    ) -> None:
        self._started_at = started_at
        self._clock = clock
        self._counters = counters
        self._inbound = inbound
        self._dispatcher = dispatcher
        self._reporting = reporting
        self._active = active

    def report(
        self, *, state: str, config: ConfigReport, outbox: OutboxReport, tracing: TracingReport | None = None
    ) -> StatusReport:
        """Return the state of this moment; `state` is that of the daemon as a whole."""
        self._inbound.streams.note_heard()
        counters, now = self._counters, self._clock.steady()
        return StatusReport(
            version=__version__,
            pid=os.getpid(),
            started_at=self._started_at.isoformat(timespec="seconds"),
            state=state,
            config=config,
            clock_jumped=self._clock.status(),
            streams=self._inbound.stats.status(),
            gap_repair_off=self._inbound.repair_off(),
            gaps=self._inbound.gaps(),
            lag_ms=self._inbound.stats.lag(),
            routes={route.name: counters.matches[route.name] for route in self._active.routing_table.router.routes},
            destinations={
                str(name): self._destination(lane, now) for name, lane in sorted(self._dispatcher.lanes.items())
            },
            disabled={str(name): counters.skipped_by[name] for name in sorted(self._active.routing_table.disabled)},
            since_start=msgspec.convert(counters.as_fields(), CountersReport),
            log=log_status(),
            outbox=outbox,
            heartbeat=self._reporting.heartbeat.status(),
            tracing=tracing,
        )

    def measured(self, status: StatusReport, backlog: Backlog | None, *, commit_lag: Histogram) -> Measured:
        """Return what metrics are made of: a report of this moment, and the histograms that belong to it."""
        unrepaired = 0 if backlog is None else backlog.unrepaired_gaps
        stats = self._inbound.stats
        totals = {str(name): each.total() for name, each in self._reporting.attempts.figures.by_name.items()}
        return Measured(
            status=status,
            level=judge(status, now=self._clock(), unrepaired_gaps=unrepaired).level,
            backlog=whole_backlog(backlog, status.outbox),
            commit_lag=commit_lag,
            lag=stats.lags(),
            behind=stats.behind(),
            latencies={name: total.latencies for name, total in totals.items()},
            attempts={name: total.attempts for name, total in totals.items()},
        )

    def _destination(self, lane: Lane, now: datetime) -> DestinationReport:
        monitor, name = self._reporting.monitor, lane.destination.name
        known = monitor.state_of(name)
        pause, since = known.pause, known.failing_since
        figures = self._reporting.attempts.figures.by_name.get(name, _NO_FIGURES)
        return DestinationReport(
            **msgspec.structs.asdict(lane.status()),
            paused=None
            if pause is None
            else PauseReport(
                since=pause.since.isoformat(timespec="seconds"),
                by=str(pause.by),
                why=pause.why,
                until=None if pause.until is None else pause.until.isoformat(timespec="seconds"),
            ),
            failing_since=to_seconds(None if since is None else self._clock.wall_of(since)),
            last_failure=monitor.failures.get(name),
            canary=self._reporting.canaries.status(name),
            quiet_until=self._reporting.quiet.quiet_until(name),
            recent=figures.recent(now),
            delivered=figures.delivered,
            failed_attempts=figures.failed,
            postponed=figures.postponed,
            dead=figures.dead,
            expired=figures.expired,
            skipped=self._counters.skipped_by[name],
        )
