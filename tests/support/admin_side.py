"""The control socket and HTTP before the parts of a daemon."""

from forwarder.configfile import read
from forwarder.daemon.admin_side import AdminParts, AdminSide
from forwarder.daemon.housekeeping import ServiceStatus
from forwarder.daemon.reload import ConfigSource, Reloader
from forwarder.daemon.status import StatusReporter
from forwarder.monitoring.live_feed import LiveFeed
from forwarder.systemd import ServiceManager
from forwarder.upgrade.handover import Handover
from tests.support.daemon_parts import DaemonParts


def admin_of(parts: DaemonParts) -> AdminSide:
    """Return what answers for these parts."""
    loaded = read.load(parts.file)
    reloader = Reloader(
        ConfigSource(file=parts.file, loaded=loaded, load=read.load),
        active=parts.active,
        followers=[parts.inbound, parts.reporting, parts.outbound],
        signals=parts.signals,
        waiting=dict,
        service=ServiceStatus(ServiceManager({}), parts.counters),
        clock=parts.clock,
    )
    reporter = StatusReporter(
        started_at=parts.clock(),
        clock=parts.clock,
        counters=parts.counters,
        inbound=parts.inbound,
        dispatcher=parts.dispatcher,
        reporting=parts.reporting,
        active=parts.active,
    )
    return AdminSide(
        AdminParts(
            active=parts.active,
            outbox=parts.outbox,
            outbox_path=parts.outbox_path,
            tracing=lambda: None,
            outbound=parts.outbound,
            streams=parts.streams.group,
            reloader=reloader,
            handover=Handover(
                outbox_path=parts.outbox_path,
                outbox=parts.outbox,
                streams=parts.streams.group,
                active=parts.active,
                service=ServiceManager({}),
                stopped=parts.signals.stopped,
                upgrade_wanted=parts.signals.upgrade_wanted,
            ),
            reporter=reporter,
            live=LiveFeed(parts.clock),
            stopped=parts.signals.stopped,
        )
    )
