"""The whole config as values. Each field has its default, its bounds and a description for editors and for the reference page.

A rule about one field is checked here; rules about several places of the file (names, files) are in `checks/`.
The models also accept finished values, so that a program can build a config without a file.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, PrivateAttr, WithJsonSchema

from forwarder.core.config.model.admin import AdminConfig
from forwarder.core.config.model.compiled import AsCompiled
from forwarder.core.config.model.destination import DestinationConfig, DestinationSettings
from forwarder.core.config.model.heartbeat import HeartbeatConfig
from forwarder.core.config.model.outbox import OutboxConfig
from forwarder.core.config.model.routing import (
    DROP,
    ExactField,
    GroupsField,
    ListsField,
    MatchersField,
    RoutesEvents,
    RoutesField,
    UnmatchedField,
)
from forwarder.core.config.model.rule_test import RuleTest
from forwarder.core.config.model.stream import ExpectConfig, StreamConfig
from forwarder.core.config.model.tracing import TracingConfig
from forwarder.core.config.model.transport import NetworksConfig
from forwarder.core.config.values.section import FilePath, Name, Section, Switch, duration, one_or_more
from forwarder.core.yaml.sources import ALONE, Sources


class ReloadConfig(Section):
    """When an edit of the config, or of a file that it names, becomes active."""

    watch: Switch = Field(
        default=True, description="true: as soon as the file is saved. false: only by SIGHUP or forwarder reload."
    )
    require_tests: Switch = Field(
        default=True,
        description="true: an edit with a failing test is refused. false: the failing tests are logged and the edit becomes active.",
    )


class Config(RoutesEvents):
    """The whole config. Its `lists`, `matchers` and conditions are compiled."""

    include: Annotated[list[FilePath], one_or_more("file path")] = Field(
        default=[],
        description="Other files, with routes, destinations, groups, lists, matchers and tests for this config. * stands for any characters in a name.",
        examples=[["routes/*.yaml", "destinations.yaml"]],
    )
    include_outside: Switch = Field(
        default=False, description="true: included files may be outside of the folder of the config."
    )
    streams: list[StreamConfig] = Field(min_length=1, description="The streams that events come from. One is usual.")
    expect: list[ExpectConfig] = Field(default=[], description="Events that must arrive regularly.")
    outbox: OutboxConfig = Field(
        default_factory=OutboxConfig, description="Where deliveries are stored, and how long their outcome is kept."
    )
    defaults: DestinationSettings | None = Field(
        default=None,
        description="Settings for all destinations. A destination that has the key itself uses its own value.",
        examples=[{"timeout": "3s", "on_failure": {"to": "alerts"}}],
    )
    destinations: dict[Name, DestinationConfig] = Field(min_length=1, description="The webhooks, by name.")
    groups: GroupsField = Field(default_factory=dict)
    routes: RoutesField
    lists: ListsField = Field(default_factory=dict)
    matchers: MatchersField = Field(default_factory=dict)
    exact: ExactField = False
    tests: Annotated[tuple[RuleTest, ...], AsCompiled, WithJsonSchema({"x-ref": "rule_tests"})] = Field(
        default=(), description="Tests of the rules: events, and where they must go. forwarder test runs them."
    )
    admin: AdminConfig = Field(
        default_factory=AdminConfig, description="How the commands on this machine reach the daemon."
    )
    heartbeat: HeartbeatConfig | None = Field(
        default=None,
        description="An outside monitor that is requested while all is well. It raises the alarm when the requests stop.",
        examples=[{"url": "${HEARTBEAT_URL}", "every": "1m"}],
    )
    tracing: TracingConfig | None = Field(
        default=None,
        description="Traces of events, sent to a collector by OTLP over HTTP. Takes effect at the next start.",
        examples=[{"endpoint": "http://127.0.0.1:4318/v1/traces", "sample": "10%"}],
    )
    reload: ReloadConfig = Field(default_factory=ReloadConfig, description="When an edit of the config becomes active.")
    networks: NetworksConfig = Field(
        default_factory=NetworksConfig, description="The addresses that destinations must not have."
    )
    unmatched: UnmatchedField = DROP
    grace_period: Annotated[timedelta, duration("0s", "5m")] = Field(
        default=timedelta(seconds=10), description="How long running attempts may take when the daemon stops."
    )

    _sources: Sources = PrivateAttr(default_factory=lambda: ALONE)
    _hints: tuple[tuple[str, ...], ...] = PrivateAttr(default=())

    @property
    def sources(self) -> Sources:
        """The files that it is made of."""
        return self._sources

    def note_sources(self, sources: Sources) -> None:
        """Set the files, once they are read."""
        self._sources = sources

    @property
    def hints(self) -> tuple[tuple[str, ...], ...]:
        """Warnings about values of the file, each with its place, by their kinds; none for a config without a file."""
        return self._hints

    def note_hints(self, hints: tuple[tuple[str, ...], ...]) -> None:
        """Set the hints, once the file is read."""
        self._hints = hints
