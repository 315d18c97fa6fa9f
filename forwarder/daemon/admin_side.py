"""What people and machines reach the daemon by: the control socket, and HTTP where the config asks for it. Both report and do the same."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec

from forwarder.control.server import open_control_socket
from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import Backlog, StatusReport, TracingReport
from forwarder.daemon.backlog_reader import BacklogReader
from forwarder.daemon.control import ControlHandler
from forwarder.daemon.metrics import DaemonMetrics
from forwarder.daemon.outbound import Outbound
from forwarder.daemon.reload import Reloader
from forwarder.daemon.runtime import ActiveRuntime
from forwarder.daemon.status import StatusReporter, state_of
from forwarder.daemon.web import WebParts, start_web
from forwarder.monitoring.live_feed import LiveFeed
from forwarder.outbox.store import OutboxStore
from forwarder.streams.group import StreamGroup
from forwarder.upgrade.handover import Handover


class AdminParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the daemon that are reported and changed."""

    active: ActiveRuntime
    outbox: OutboxStore
    outbox_path: Path
    outbound: Outbound
    streams: StreamGroup
    reloader: Reloader
    handover: Handover
    reporter: StatusReporter
    live: LiveFeed
    tracing: Callable[[], TracingReport | None]
    stopped: asyncio.Event
    """Whether the daemon stops."""


class AdminSide:
    """Answers what is asked of the daemon from outside."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts
        self._backlog = BacklogReader(parts.outbox_path)
        self._metrics = DaemonMetrics(self._measure, self._backlog)
        self._handler = ControlHandler(
            parts.outbox,
            outbound=parts.outbound,
            streams=parts.streams,
            reloader=parts.reloader,
            handover=parts.handover,
            status=self.report,
            metrics=self._metrics,
        )

    def report(self) -> StatusReport:
        """Return the state of this moment."""
        parts = self._parts
        return parts.reporter.report(
            state=state_of(is_left=parts.handover.is_left, is_stopping=parts.stopped.is_set()),
            config=parts.reloader.status(),
            outbox=parts.outbox.health(),
            tracing=parts.tracing(),
        )

    def open_socket(self, path: Path) -> AbstractAsyncContextManager[None]:
        """Listen at the control socket for the length of the block."""
        group = self._parts.active.config.admin.group
        return open_control_socket(path, self._handler.handle, open_watch=self._parts.live.open_watch, group=group)

    def start_web(self, group: asyncio.TaskGroup) -> "list[asyncio.Task[None]]":
        """Start to serve HTTP where the config says so; return the task, if there is one."""
        parts = self._parts
        web = WebParts(
            status=self.report,
            backlog=self._backlog,
            metrics=self._metrics,
            outbox=parts.outbox_path,
            active=parts.active,
            reloader=parts.reloader,
            change=self._handler.handle,
            live=parts.live,
        )
        return start_web(parts.active.config.admin, group, web)

    def _measure(self, waiting: Backlog | None) -> Measured:
        return self._parts.reporter.measured(self.report(), waiting, commit_lag=self._parts.outbox.commit_lag())
