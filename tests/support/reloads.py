"""A reloader of one config file, with nothing that follows its config."""

from pathlib import Path

from forwarder.clocks.wall_clock import utc_now
from forwarder.configfile.read import load
from forwarder.core.monitoring.counters import Counters
from forwarder.daemon.housekeeping import ServiceStatus
from forwarder.daemon.reload import ConfigSource, Reloader
from forwarder.daemon.runtime import ActiveRuntime, runtime_of
from forwarder.daemon.signals import DaemonSignals
from forwarder.systemd import ServiceManager


def reloader_of(file: Path) -> Reloader:
    """Return a reloader whose active config is the one in the file now."""
    source = ConfigSource(file=file, loaded=load(file), load=load)
    return Reloader(
        source,
        active=ActiveRuntime(runtime_of(source.config), at=utc_now()),
        followers=[],
        signals=DaemonSignals(),
        waiting=dict,
        service=ServiceStatus(ServiceManager({}), Counters()),
        clock=utc_now,
    )
