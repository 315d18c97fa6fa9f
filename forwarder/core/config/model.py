"""The config as values, each with its default, its bounds and a description for editors.

What one field can know is checked here; what takes two places of the file (names, files) is in `checks.py`.
The models also take finished values, so that a program can build a config without a file.
"""

from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from forwarder.core.config.destination import DestinationConfig, DestinationSettings
from forwarder.core.config.fields import FilePath, Name, Section, Switch, choice, duration, listed
from forwarder.core.config.notices import OnFailureConfig
from forwarder.core.config.preference import PreferField, check_wait
from forwarder.core.config.rule_tests.model import RuleTest
from forwarder.core.config.scalars import (
    WrongValueError,
    is_null,
    parse_api_key,
    parse_bool,
    parse_group,
    parse_outbox_url,
    parse_size,
    parse_stream_url,
    refuse_public,
    url_of_stream,
)
from forwarder.core.config.secret import Secret
from forwarder.core.config.thinning import LimitConfig, SampleField
from forwarder.core.config.transport import NetworksConfig
from forwarder.core.matching import EVERYTHING, Condition
from forwarder.core.preference import WAIT, Prefer
from forwarder.core.revision import Revision
from forwarder.core.tree import Scalar

DROP = "drop"
"""What `unmatched` says when no destination is meant."""


_AsCompiled = PlainValidator(lambda compiled: compiled)
ListField = Annotated[tuple[str, ...], _AsCompiled, WithJsonSchema({"x-ref": "values"})]
ConditionField = Annotated[Condition, _AsCompiled, WithJsonSchema({"x-ref": "condition"})]
"""Both come as `conditions.py` has made them of the file."""

Destinations = Annotated[
    list[Name], BeforeValidator(listed, json_schema_input_type=str | list[str]), Field(min_length=1)
]


class StreamConfig(Section):
    """A connection that events come in on."""

    name: Name = Field(default="main", description="Shown in logs and metrics; two streams need two names.")
    transport: Annotated[Literal["websocket", "sse"], choice("websocket", "sse"), BeforeValidator(refuse_public)] = (
        Field(default="websocket", description="How the events come: websocket, or sse (private server-sent events).")
    )
    url: Annotated[str, PlainValidator(parse_stream_url, json_schema_input_type=str)] = Field(
        default="",
        description="The address of the stream. Left out, wss://scrape.st/ws, or https://scrape.st/stream for sse.",
        validate_default=True,
    )
    api_key: Annotated[Secret, PlainValidator(parse_api_key, json_schema_input_type=str)] = Field(
        description="The key of scrape.st, best as ${SCRAPEST_API_KEY}. Or name a file in api_key_file."
    )
    api_key_file: FilePath | None = Field(default=None, description="A file that holds the key, and nothing else.")
    use_fast_x: Switch = Field(default=False, description="Ask for posts of X from the fast source as well.")
    ignore_full_payload: Switch = Field(default=False, description="Ask for events without their full payload.")
    max_frame: Annotated[
        int, PlainValidator(partial(parse_size, low="64KiB", high="256MiB"), json_schema_input_type=str)
    ] = Field(default=16 * 1024**2, description="A longer event ends the connection, which is made again at once.")
    max_connection_age: Annotated[timedelta, duration("1m", "30d")] | None = Field(
        default=None, description="A connection so old is renewed: the new one opens before the old one closes."
    )
    expect_event_within: Annotated[timedelta, duration("10s", "30d")] | None = Field(
        default=None, description="No event for so long is a warning, and the connection is renewed."
    )
    gap_repair: Switch = Field(
        default=False, description="Fetch what was missed while away from the history of the tracked X accounts."
    )
    on_failure: OnFailureConfig | None = Field(
        default=None, description="Whom to tell when the stream is away or silent, and when it is back."
    )

    @field_validator("url", mode="after")
    @classmethod
    def _url_fits(cls, url: str, info: ValidationInfo) -> str:
        return url_of_stream(url, info.data.get("transport", "websocket"))


class ExpectConfig(Section):
    """Events that are expected to come, over any stream: of a list of accounts, say."""

    name: Name = Field(description="Shown in the log and in messages.")
    match: ConditionField = Field(default=EVERYTHING, description="Which events are meant. Left out, all are.")
    within: Annotated[timedelta, duration("10s", "30d")] = Field(
        description="None of them for so long is a warning, and the streams are renewed."
    )
    on_failure: OnFailureConfig | None = Field(default=None, description="Whom to tell of it, and when one came again.")


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
        default=None,
        description="The control socket; left out, control.sock in systemd's runtime directory, or beside the outbox.",
    )
    group: Annotated[str, PlainValidator(parse_group, json_schema_input_type=str)] | None = Field(
        default=None,
        description="A group whose members may use the socket too; left out, only root and the daemon's own user may.",
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
    match: ConditionField = Field(default=EVERYTHING, description="Which events are meant. Left out, all are.")
    to: Destinations = Field(description="The destinations, or groups of them, that get the event.")
    prefer: PreferField = Field(
        default=Prefer.ALL,
        description="Of the two events of an X post (fast-x, x): all, the first to come, or the full one (x).",
    )
    wait: Annotated[timedelta, duration("100ms", "10m")] = Field(
        default=WAIT, description="prefer: full: how long fast-x waits for x; then it is sent."
    )
    stop: Switch = Field(default=False, description="true: an event that matched goes to no route below.")
    continue_: Switch | None = Field(
        default=None, alias="continue", description="The other word for stop: false is stop: true."
    )
    enabled: Switch = Field(
        default=True, description="false: as if the route were not there; it is checked all the same."
    )

    sample: SampleField | None = Field(
        default=None, description="The share of the matching posts that is sent, such as 10%; always the same ones."
    )
    limit: LimitConfig | None = Field(
        default=None, description="How many of the matching posts are sent in a span of time, such as 5/10m."
    )

    @model_validator(mode="before")
    @classmethod
    def _continue_is_no_stop(cls, data: object) -> object:
        """Say `stop` for `continue` where it stands alone."""
        if not isinstance(data, dict) or "continue" not in data or not is_null(data.get("stop", Scalar(""))):
            return data
        try:
            return {**data, "stop": not parse_bool(data["continue"])}
        except WrongValueError:  # told at its own field
            return data

    @field_validator("continue_", mode="after")
    @classmethod
    def _continue_fits(cls, goes_on: bool | None, info: ValidationInfo) -> bool | None:
        if goes_on is not None and goes_on == info.data.get("stop"):
            word = str(goes_on).lower()
            raise WrongValueError(f"stop: {word} and continue: {word} contradict each other; leave one of them out")
        return goes_on

    @field_validator("wait", mode="after")
    @classmethod
    def _wait_has_a_meaning(cls, wait: timedelta, info: ValidationInfo) -> timedelta:
        return check_wait(wait, info.data)


class Config(Section):
    """The whole file. `lists` and `matchers` are in the conditions that use them; here they are as they were compiled."""

    streams: list[StreamConfig] = Field(min_length=1, description="Where events come from; one is usual.")
    expect: list[ExpectConfig] = Field(default=[], description="Events whose absence is a warning.")
    outbox: OutboxConfig = Field(default_factory=OutboxConfig, description="Where deliveries wait.")
    defaults: DestinationSettings | None = Field(
        default=None, description="What each destination has that does not say otherwise: any key but url and enabled."
    )
    destinations: dict[Name, DestinationConfig] = Field(min_length=1, description="The webhooks, by name.")
    groups: dict[Name, Destinations] = Field(
        default={}, description="Names for several destinations, for the to of a route and for other groups."
    )
    routes: list[RouteConfig] = Field(min_length=1, description="Every matching route delivers.")
    lists: dict[Name, ListField] = Field(
        default_factory=dict, description="Values with a name, for conditions: {list: NAME}."
    )
    matchers: dict[Name, ConditionField] = Field(
        default_factory=dict, description="Conditions with a name, for others: {matcher: NAME}."
    )
    tests: Annotated[tuple[RuleTest, ...], _AsCompiled, WithJsonSchema({"x-ref": "rule_tests"})] = Field(
        default=(), description="Events, and where each is to go; forwarder test runs them."
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
    _revision: Revision | None = PrivateAttr(default=None)

    @property
    def revision(self) -> Revision | None:
        """The routing part of the file, to be kept with the events it was in force for; `None` where there was no file."""
        return self._revision

    def note_revision(self, revision: Revision) -> None:
        """Say what file this was made of."""
        self._revision = revision
