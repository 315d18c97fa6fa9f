"""A destination of the config: where it is, how its requests look, and how it is treated."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, GetPydanticSchema, PlainValidator, model_validator
from pydantic_core import core_schema

from forwarder.core.config.fields import FilePath, Section, Switch, choice, duration, listed
from forwarder.core.config.format import FormatConfig, parse_destination_url
from forwarder.core.config.problems import did_you_mean
from forwarder.core.config.scalars import (
    WrongValueError,
    parse_header_name,
    parse_header_value,
    parse_int,
    parse_signing_secret,
    parse_size,
    show,
)
from forwarder.core.config.secret import Secret
from forwarder.core.retry import NAMED_POLICIES, RetryPolicy
from forwarder.core.tree import Scalar


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


Header = Annotated[str, PlainValidator(parse_header_name, json_schema_input_type=str)]
HeaderValue = Annotated[Secret, PlainValidator(parse_header_value, json_schema_input_type=str)]
SigningSecret = Annotated[Secret, PlainValidator(parse_signing_secret, json_schema_input_type=str)]


class SigningConfig(Section):
    """Signatures as in Standard Webhooks."""

    secret: Annotated[list[SigningSecret], BeforeValidator(listed, json_schema_input_type=str | list[str])] = Field(
        min_length=1, description="whsec_… or, while rotating, a list of them; or name a file in secret_file."
    )
    secret_file: FilePath | None = Field(default=None, description="A file that holds one secret, and nothing else.")


class RetrySchedule(Section):
    """A schedule of its own, or the name of a known one."""

    delays: list[Annotated[timedelta, duration("0s", "7d")]] = Field(
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

    url: Annotated[Secret, PlainValidator(parse_destination_url, json_schema_input_type=str)] = Field(
        description="Where events are POSTed, http:// or https://; {{ … }} may stand in path and query. Kept secret. "
        "Or name a file in url_file."
    )
    url_file: FilePath | None = Field(default=None, description="A file that holds the URL, and nothing else.")
    headers: Annotated[dict[Header, HeaderValue], AfterValidator(_distinct_names)] = Field(
        default={}, description="Sent with each POST. Their values are kept secret."
    )
    format: FormatConfig = Field(
        default_factory=FormatConfig, description="raw (as it came), discord, slack, telegram or template."
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
    signing: SigningConfig | None = Field(default=None, description="Signs each attempt as in Standard Webhooks.")
    retry: Annotated[RetryPolicy, GetPydanticSchema(_retry_policy)] = Field(
        default=NAMED_POLICIES["live"], description="live, standard, svix or {delays: [5s, 1m, …]}."
    )
    enabled: Switch = Field(default=True, description="false skips (and counts) what would go here.")

    @model_validator(mode="after")
    def _compression_fits(self) -> Self:
        if self.compression is None:
            return self
        if self.format.type not in {"raw", "template"}:
            raise WrongValueError(f"compression is for raw and template; messages for {self.format.type} are small")
        if any(name.lower() == "content-encoding" for name in self.headers):
            raise WrongValueError("write compression or a header Content-Encoding of your own, not both")
        return self
