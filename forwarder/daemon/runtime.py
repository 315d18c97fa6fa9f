"""What the daemon runs by: a config with everything that is built of it, as one value that a reload replaces."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from forwarder.core.config import Config
from forwarder.core.config.runtime import canaries_of, failure_recipients_of, heartbeat_of, routing_table_of
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import CanaryPolicy, Destination, FailureRecipients
from forwarder.core.destinations.heartbeat import Heartbeat
from forwarder.core.routing.table import RoutingTable
from forwarder.destinations.build import destinations_of
from forwarder.gaps.history_client import histories_of
from forwarder.gaps.recorder import StreamGapSettings, gap_settings_of
from forwarder.gaps.repair import RepairSettings
from forwarder.heap import give_back
from forwarder.streams.build import streams_of
from forwarder.streams.stream import Stream


class RuntimeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A config, and what is built of it beforehand: of ten thousand routes that takes longer than the event loop may wait."""

    config: Config
    routing_table: RoutingTable
    destinations: Sequence[Destination]
    """The enabled ones."""
    streams: Sequence[Stream]
    canaries: Mapping[DestinationName, CanaryPolicy]
    recipients: FailureRecipients
    heartbeat: Heartbeat | None
    gap_settings: Mapping[str, StreamGapSettings]
    """By the name of the stream."""
    repair: RepairSettings


def runtime_of(config: Config) -> RuntimeConfig:
    """Build everything that the daemon needs of a config."""
    runtime = RuntimeConfig(
        config=config,
        routing_table=routing_table_of(config),
        destinations=destinations_of(config),
        streams=streams_of(config),
        canaries=canaries_of(config),
        recipients=failure_recipients_of(config),
        heartbeat=heartbeat_of(config),
        gap_settings=gap_settings_of(
            [(each.name, each.api_key.reveal(), each.repairs_gaps) for each in config.streams]
        ),
        repair=RepairSettings(sources=histories_of(config), kept_for=config.outbox.keep_delivered),
    )
    give_back()  # what was made on the way to an index of all routes
    return runtime


class ActiveRuntime:
    """Holds the runtime config that is active. `activate` is the one assignment by which a reload takes effect."""

    def __init__(self, runtime: RuntimeConfig, *, at: datetime) -> None:
        """`at` is the time of the start."""
        self._active = runtime, at

    @property
    def routing_table(self) -> RoutingTable:
        """The routing table that is active: every event is routed by it."""
        return self._active[0].routing_table

    @property
    def config(self) -> Config:
        """The config that is active."""
        return self._active[0].config

    @property
    def runtime(self) -> RuntimeConfig:
        """Everything that is active."""
        return self._active[0]

    @property
    def since(self) -> datetime:
        """Since when it is active."""
        return self._active[1]

    def activate(self, runtime: RuntimeConfig, *, at: datetime) -> None:
        """Have this be what everything reads from now on."""
        self._active = runtime, at


class Follower(Protocol):
    """Has something of its own that depends on the config, and changes it when another one is activated."""

    def follow(self, runtime: RuntimeConfig) -> set[str]:
        """Change to another config, in this turn of the event loop; return what was restarted or ended."""
        ...
