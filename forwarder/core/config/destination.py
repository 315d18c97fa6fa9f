"""A destination of the config: where it is, how its requests look, and how it is treated."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, field_validator, model_validator

from forwarder.core.breaker import BreakerPolicy
from forwarder.core.config.canary import CanaryConfig
from forwarder.core.config.fields import FilePath, Section, Switch, choice, duration
from forwarder.core.config.format import FormatConfig, parse_destination_url
from forwarder.core.config.notices import OnFailureConfig
from forwarder.core.config.pacing import BreakerField, PauseAfter, RateField
from forwarder.core.config.preference import OnFullField, check_on_full
from forwarder.core.config.retry import RetryField
from forwarder.core.config.scalars import (
    WrongValueError,
    parse_choice,
    parse_header_name,
    parse_header_value,
    parse_int,
    parse_size,
)
from forwarder.core.config.secret import Secret
from forwarder.core.config.signing import SigningConfig, check_apart
from forwarder.core.config.transport import AuthConfig, ProxyUrl, SocketPath, TlsConfig
from forwarder.core.order import Order
from forwarder.core.preference import OnFull
from forwarder.core.retry import NAMED_POLICIES


def _distinct_names(headers: dict[str, Secret]) -> dict[str, Secret]:
    lowered: dict[str, str] = {}
    for name in headers:
        first = lowered.setdefault(name.lower(), name)
        if first != name:
            raise WrongValueError(f"{first} and {name} are the same header; case does not matter in their names")
    return headers


def _parse_order(value: object) -> Order:
    return Order(parse_choice(value, *Order))


Header = Annotated[str, PlainValidator(parse_header_name, json_schema_input_type=str)]
HeaderValue = Annotated[Secret, PlainValidator(parse_header_value, json_schema_input_type=str)]


class _Address(Section):
    """What no two destinations share."""

    url: Annotated[Secret, PlainValidator(parse_destination_url, json_schema_input_type=str)] = Field(
        description="Where events are POSTed, http:// or https://; {{ … }} may stand in path and query. Kept secret. "
        "Or name a file in url_file."
    )
    url_file: FilePath | None = Field(default=None, description="A file that holds the URL, and nothing else.")


class DestinationSettings(Section):
    """How a destination is treated: what `defaults` may say for all of them."""

    headers: Annotated[dict[Header, HeaderValue], AfterValidator(_distinct_names)] = Field(
        default={}, description="Sent with each POST. Their values are kept secret."
    )
    auth: AuthConfig | None = Field(default=None, description="{basic: {username: …, password: …}} or {bearer: …}.")
    tls: TlsConfig | None = Field(default=None, description="Certificates: a private authority, a client certificate.")
    proxy: ProxyUrl | None = Field(
        default=None, description="An HTTP proxy, http://user:password@host:port. Kept secret."
    )
    socket: SocketPath | None = Field(
        default=None, description="A unix socket to connect to, in place of the URL's host and port."
    )
    format: FormatConfig = Field(
        default_factory=FormatConfig, description="raw (as it came), discord, slack, telegram or template."
    )
    on_full: OnFullField = Field(
        default=OnFull.IGNORE,
        description="What becomes of the full text of a post whose first word went here by prefer: first.",
    )
    compression: Annotated[Literal["gzip", "zstd"], choice("gzip", "zstd")] | None = Field(
        default=None, description="gzip or zstd, for a receiver that takes it."
    )
    compress_from: Annotated[
        int, PlainValidator(partial(parse_size, low="0B", high="64MiB"), json_schema_input_type=str)
    ] = Field(default=8 * 1024, description="Smaller bodies are not compressed.")
    timeout: Annotated[timedelta, duration("100ms", "5m")] = Field(
        default=timedelta(seconds=5), description="How long one attempt may take in all."
    )
    concurrency: Annotated[int, PlainValidator(partial(parse_int, low=1, high=1024), json_schema_input_type=int)] = (
        Field(default=16, description="How many attempts may run at once, 1 to 1024.")
    )
    signing: Annotated[SigningConfig | None, AfterValidator(check_apart)] = Field(
        default=None, description="Signs each attempt anew: Standard Webhooks, or a plain HMAC."
    )
    retry: RetryField = Field(
        default=NAMED_POLICIES["live"],
        description="live, standard, svix, or {schedule or delays, statuses, max_age, on_expiry}.",
    )
    order: Annotated[Order, PlainValidator(_parse_order, json_schema_input_type=Literal["none", "sid", "strict"])] = (
        Field(default=Order.NONE, description="sid keeps the order of each account, strict that of everything.")
    )
    rate_limit: RateField | None = Field(
        default=None, description="How many attempts in how much time: 50/s, 20/m, or {rate: 50/s, burst: 10}."
    )
    backlog_concurrency: (
        Annotated[int, PlainValidator(partial(parse_int, low=1, high=1024), json_schema_input_type=int)] | None
    ) = Field(
        default=None, description="How many attempts at once what waits may have; left out, a quarter of concurrency."
    )
    breaker: BreakerField = Field(
        default=BreakerPolicy(), description="When so much fails that only probes are made; enabled: false, never."
    )
    pause_after: PauseAfter = Field(
        default=timedelta(days=5), description="Pauses itself after nothing but failures for so long; or never."
    )
    on_failure: OnFailureConfig | None = Field(
        default=None, description="Whom to tell when this destination fails, and when it works again."
    )
    canary: CanaryConfig | None = Field(
        default=None, description="{every: 10m, within: 1m}: an event of our own on schedule; says so when it is late."
    )


class DestinationConfig(DestinationSettings, _Address):
    """A webhook."""

    enabled: Switch = Field(default=True, description="false skips (and counts) what would go here.")

    @field_validator("on_full", mode="after")
    @classmethod
    def _on_full_fits(cls, on_full: OnFull, info: ValidationInfo) -> OnFull:
        return check_on_full(on_full, info.data)

    @model_validator(mode="after")
    def _compression_fits(self) -> Self:
        if self.compression is None:
            return self
        if self.format.type not in {"raw", "template"}:
            raise WrongValueError(f"compression is for raw and template; messages for {self.format.type} are small")
        if any(name.lower() == "content-encoding" for name in self.headers):
            raise WrongValueError("write compression or a header Content-Encoding of your own, not both")
        return self
