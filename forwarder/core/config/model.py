"""The config as values, each with its default, its bounds and a description for editors.

What one field can know is checked here; what takes two places of the file (names, files) is in `checks.py`.
The models also take finished values, so that a program can build a config without a file.
"""

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from forwarder.core.config.destination import DestinationConfig
from forwarder.core.config.fields import FilePath, Name, Section, Switch, choice, duration, listed
from forwarder.core.config.preference import PreferField
from forwarder.core.config.scalars import parse_api_key, parse_outbox_url, parse_size, parse_stream_url
from forwarder.core.config.secret import Secret
from forwarder.core.config.transport import NetworksConfig
from forwarder.core.matching import EVERYTHING, Condition
from forwarder.core.preference import Prefer

DROP = "drop"
"""What `unmatched` says when no destination is meant."""


AsCompiled = PlainValidator(lambda compiled: compiled, json_schema_input_type=Any)
"""What `conditions.py` has made of the file."""


class StreamConfig(Section):
    """A connection that events come in on."""

    name: Name = Field(default="main", description="Shown in logs and metrics; two streams need two names.")
    transport: Annotated[Literal["websocket"], choice("websocket", unsupported="sse")] = Field(
        default="websocket", description="How the events come."
    )
    url: Annotated[str, PlainValidator(parse_stream_url, json_schema_input_type=str)] = Field(
        default="wss://scrape.st/ws", description="The address of the stream, ws:// or wss://."
    )
    api_key: Annotated[Secret, PlainValidator(parse_api_key, json_schema_input_type=str)] = Field(
        description="The key of scrape.st, best as ${SCRAPEST_API_KEY}. Or name a file in api_key_file."
    )
    api_key_file: FilePath | None = Field(default=None, description="A file that holds the key, and nothing else.")
    use_fast_x: Switch = Field(default=False, description="Ask for posts of X from the fast source as well.")
    ignore_full_payload: Switch = Field(default=False, description="Ask for events without their full payload.")


class OutboxConfig(Section):
    """Where deliveries wait, and how long what became of them is kept."""

    url: Annotated[str, PlainValidator(parse_outbox_url, json_schema_input_type=str)] | None = Field(
        default=None, description="sqlite:///absolute/path or sqlite:relative/path; left out, a usual place is chosen."
    )
    durability: Annotated[Literal["full", "normal"], choice("full", "normal")] = Field(
        default="full", description="full survives a power loss, normal a crash of the program."
    )
    keep_delivered: Annotated[timedelta, duration("0s", "3650d")] = Field(
        default=timedelta(hours=24), description="How long delivered events are kept, for replay and against doubles."
    )
    keep_dead: Annotated[timedelta, duration("0s", "3650d")] = Field(
        default=timedelta(days=30), description="How long dead letters are kept."
    )
    max_size: Annotated[
        int, PlainValidator(partial(parse_size, low="1MiB", high="1TiB"), json_schema_input_type=str)
    ] = Field(default=2 * 1024**3, description="How large the file may grow; delivered history goes first.")
    dedupe_window: Annotated[timedelta, duration("0s", "7d")] = Field(
        default=timedelta(minutes=30), description="For how long the same event, come again, is dropped; 0s: never."
    )


class AdminConfig(Section):
    """How the commands of this machine reach the daemon."""

    socket: FilePath | None = Field(
        default=None, description="The control socket; left out, it lies beside the outbox. Only its user may connect."
    )


class ReloadConfig(Section):
    """When an edit of the file, or of one that it names, comes into force."""

    watch: Switch = Field(
        default=True, description="true: as soon as it is saved; false: on SIGHUP and by forwarder reload alone."
    )
    require_tests: Switch = Field(
        default=True, description="true: not while one of its tests fails; false: those that fail are logged."
    )


class RouteConfig(Section):
    """A rule: which events go where."""

    name: Name = Field(description='Shown wherever a match is explained. Left out, it is "route 1", "route 2", …')
    match: Annotated[Condition, AsCompiled] = Field(
        default=EVERYTHING, description="Which events are meant. Left out, all are."
    )
    to: Annotated[list[Name], BeforeValidator(listed, json_schema_input_type=str | list[str])] = Field(
        min_length=1, description="The destinations that get the event."
    )
    prefer: PreferField = Field(
        default=Prefer.ALL,
        description="first: of the two events of an X post (fast-x, x) only the one that comes first.",
    )
    stop: Switch = Field(default=False, description="true: an event that matched goes to no route below.")


class Config(Section):
    """The whole file. `lists` and `matchers` are in the conditions that use them; here they are as they were compiled."""

    streams: list[StreamConfig] = Field(min_length=1, description="Where events come from; one is usual.")
    outbox: OutboxConfig = Field(default_factory=OutboxConfig, description="Where deliveries wait.")
    destinations: dict[Name, DestinationConfig] = Field(min_length=1, description="The webhooks, by name.")
    routes: list[RouteConfig] = Field(min_length=1, description="Every matching route delivers.")
    lists: dict[Name, Annotated[tuple[str, ...], AsCompiled]] = Field(
        default_factory=dict, description="Values with a name, for conditions: {list: NAME}."
    )
    matchers: dict[Name, Annotated[Condition, AsCompiled]] = Field(
        default_factory=dict, description="Conditions with a name, for others: {matcher: NAME}."
    )
    admin: AdminConfig = Field(default_factory=AdminConfig, description="The way in for the other commands.")
    reload: ReloadConfig = Field(default_factory=ReloadConfig, description="When an edit comes into force.")
    networks: NetworksConfig = Field(
        default_factory=NetworksConfig, description="Which addresses no destination may have."
    )
    unmatched: Name = Field(default=DROP, description="drop, or the destination of what no route matched.")
    grace_period: Annotated[timedelta, duration("0s", "5m")] = Field(
        default=timedelta(seconds=10), description="How long attempts in flight may take when the daemon stops."
    )
