"""The config as values, each with its default, its bounds and a description for editors.

What one field can know is checked here; what takes two places of the file (names, files) is in `checks.py`.
The models also take finished values, so that a program can build a config without a file.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainValidator,
    model_validator,
)
from pydantic_core import core_schema

from forwarder.core.config.problems import did_you_mean
from forwarder.core.config.scalars import (
    WrongValueError,
    is_null,
    parse_api_key,
    parse_bool,
    parse_choice,
    parse_duration,
    parse_file_path,
    parse_header_name,
    parse_header_value,
    parse_int,
    parse_name,
    parse_outbox_url,
    parse_signing_secret,
    parse_size,
    parse_stream_url,
    parse_webhook_url,
    show,
)
from forwarder.core.config.secret import Secret
from forwarder.core.matching import EVERYTHING, Condition
from forwarder.core.retry import NAMED_POLICIES, RetryPolicy
from forwarder.core.tree import Scalar

DROP = "drop"
"""What `unmatched` says when no destination is meant."""


def _listed(value: object) -> object:
    """Return a lone value as a list of one."""
    return [value] if isinstance(value, str | Secret) else value


def _distinct_names(headers: dict[str, Secret]) -> dict[str, Secret]:
    lowered: dict[str, str] = {}
    for name in headers:
        first = lowered.setdefault(name.lower(), name)
        if first != name:
            raise WrongValueError(f"{first} and {name} are the same header; case does not matter in their names")
    return headers


def _retry_policy(_source: object, handler: Any) -> core_schema.CoreSchema:  # noqa: ANN401 - pydantic's own type is private
    """Read the schedule as the file writes it, and keep the policy that it means."""

    def resolve(value: object, read: core_schema.ValidatorFunctionWrapHandler) -> RetryPolicy:
        return value if isinstance(value, RetryPolicy) else RetryPolicy(delays=tuple(read(value).delays))

    return core_schema.no_info_wrap_validator_function(resolve, handler(RetrySchedule))


Name = Annotated[str, PlainValidator(parse_name, json_schema_input_type=str)]
Switch = Annotated[bool, PlainValidator(parse_bool, json_schema_input_type=bool)]
FilePath = Annotated[str, PlainValidator(parse_file_path, json_schema_input_type=str)]
Header = Annotated[str, PlainValidator(parse_header_name, json_schema_input_type=str)]
HeaderValue = Annotated[Secret, PlainValidator(parse_header_value, json_schema_input_type=str)]
SigningSecret = Annotated[Secret, PlainValidator(parse_signing_secret, json_schema_input_type=str)]


def _duration(low: str, high: str) -> PlainValidator:
    return PlainValidator(partial(parse_duration, low=low, high=high), json_schema_input_type=str)


def _choice(*allowed: str, unsupported: str = "") -> PlainValidator:
    def parse(value: object) -> str:
        return parse_choice(value, *allowed, unsupported=unsupported)

    return PlainValidator(parse, json_schema_input_type=Literal[allowed])


class Section(BaseModel):
    """A mapping of the file with a fixed set of keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: object) -> object:
        """Drop known keys that hold nothing (`timeout:`), so that their default holds or their absence is told."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if key not in cls.model_fields or not is_null(value)}


class StreamConfig(Section):
    """A connection that events come in on."""

    name: Name = Field(default="main", description="Shown in logs and metrics; two streams need two names.")
    transport: Annotated[Literal["websocket"], _choice("websocket", unsupported="sse")] = Field(
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
    durability: Annotated[Literal["full", "normal"], _choice("full", "normal")] = Field(
        default="full", description="full survives a power loss, normal a crash of the program."
    )
    keep_delivered: Annotated[timedelta, _duration("0s", "3650d")] = Field(
        default=timedelta(hours=24), description="How long delivered events are kept, for replay and against doubles."
    )
    keep_dead: Annotated[timedelta, _duration("0s", "3650d")] = Field(
        default=timedelta(days=30), description="How long dead letters are kept."
    )
    max_size: Annotated[
        int, PlainValidator(partial(parse_size, low="1MiB", high="1TiB"), json_schema_input_type=str)
    ] = Field(default=2 * 1024**3, description="How large the file may grow; delivered history goes first.")
    dedupe_window: Annotated[timedelta, _duration("0s", "7d")] = Field(
        default=timedelta(minutes=30), description="For how long the same event, come again, is dropped; 0s: never."
    )


class AdminConfig(Section):
    """How the commands of this machine reach the daemon."""

    socket: FilePath | None = Field(
        default=None, description="The control socket; left out, it lies beside the outbox. Only its user may connect."
    )


class SigningConfig(Section):
    """Signatures as in Standard Webhooks."""

    secret: Annotated[list[SigningSecret], BeforeValidator(_listed, json_schema_input_type=str | list[str])] = Field(
        min_length=1, description="whsec_… or, while rotating, a list of them; or name a file in secret_file."
    )
    secret_file: FilePath | None = Field(default=None, description="A file that holds one secret, and nothing else.")


class RetrySchedule(Section):
    """A schedule of its own, or the name of a known one."""

    delays: list[Annotated[timedelta, _duration("0s", "7d")]] = Field(
        min_length=1, max_length=50, description="The wait after each failure; after the last one it is given up."
    )

    @model_validator(mode="before")
    @classmethod
    def _resolve_name(cls, data: object) -> object:
        if not isinstance(data, Scalar):
            return data
        if data in NAMED_POLICIES:
            return {"delays": list(NAMED_POLICIES[data].delays)}
        names = ", ".join(NAMED_POLICIES)
        hint = did_you_mean(data, NAMED_POLICIES) if type(data) is Scalar else ""
        raise WrongValueError(f"expected {names} or {{delays: [5s, 1m, …]}}, got {show(data)}{hint}")


class DestinationConfig(Section):
    """A webhook."""

    url: Annotated[Secret, PlainValidator(parse_webhook_url, json_schema_input_type=str)] = Field(
        description="Where events are POSTed, http:// or https://. Kept secret. Or name a file in url_file."
    )
    url_file: FilePath | None = Field(default=None, description="A file that holds the URL, and nothing else.")
    headers: Annotated[dict[Header, HeaderValue], AfterValidator(_distinct_names)] = Field(
        default={}, description="Sent with each POST. Their values are kept secret."
    )
    timeout: Annotated[timedelta, _duration("100ms", "5m")] = Field(
        default=timedelta(seconds=5), description="How long one attempt may take in all."
    )
    concurrency: Annotated[int, PlainValidator(partial(parse_int, low=1, high=1024), json_schema_input_type=int)] = (
        Field(default=16, description="How many attempts may run at once, 1 to 1024.")
    )
    signing: SigningConfig | None = Field(default=None, description="Signs each attempt as in Standard Webhooks.")
    retry: Annotated[RetryPolicy, GetPydanticSchema(_retry_policy)] = Field(
        default=NAMED_POLICIES["live"], description="live, standard, svix or {delays: [5s, 1m, …]}."
    )
    enabled: Switch = Field(default=True, description="false skips (and counts) what would go here.")


class RouteConfig(Section):
    """A rule: which events go where."""

    name: Name = Field(description='Shown wherever a match is explained. Left out, it is "route 1", "route 2", …')
    match: Annotated[
        Condition, PlainValidator(lambda condition: condition, json_schema_input_type=Mapping[str, Any])
    ] = Field(default=EVERYTHING, description="Which events are meant. Left out, all are.")
    to: Annotated[list[Name], BeforeValidator(_listed, json_schema_input_type=str | list[str])] = Field(
        min_length=1, description="The destinations that get the event."
    )
    stop: Switch = Field(default=False, description="true: an event that matched goes to no route below.")


class Config(Section):
    """The whole file."""

    streams: list[StreamConfig] = Field(min_length=1, description="Where events come from; one is usual.")
    outbox: OutboxConfig = Field(default_factory=OutboxConfig, description="Where deliveries wait.")
    destinations: dict[Name, DestinationConfig] = Field(min_length=1, description="The webhooks, by name.")
    routes: list[RouteConfig] = Field(min_length=1, description="Every matching route delivers.")
    admin: AdminConfig = Field(default_factory=AdminConfig, description="The way in for the other commands.")
    unmatched: Name = Field(default=DROP, description="drop, or the destination of what no route matched.")
    grace_period: Annotated[timedelta, _duration("0s", "5m")] = Field(
        default=timedelta(seconds=10), description="How long attempts in flight may take when the daemon stops."
    )
