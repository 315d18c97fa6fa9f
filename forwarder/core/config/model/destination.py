"""A destination of the config: its URL, the format of its requests, and its limits."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, field_validator, model_validator

from forwarder.core.config.model.apprise import parse_apprise
from forwarder.core.config.model.batch import BatchConfig, check_batch
from forwarder.core.config.model.canary import CanaryConfig
from forwarder.core.config.model.fallback import FallbackConfig
from forwarder.core.config.model.format import FormatConfig, parse_destination_url, parse_header
from forwarder.core.config.model.on_failure import DestinationFailureConfig
from forwarder.core.config.model.prefer import OnFullField, check_on_full
from forwarder.core.config.model.quiet import QuietConfig
from forwarder.core.config.model.rate_and_breaker import BreakerField, PauseAfter, RateField
from forwarder.core.config.model.retry import RetryField
from forwarder.core.config.model.sample_and_limit import LimitConfig
from forwarder.core.config.model.signing import SigningConfig, check_apart
from forwarder.core.config.model.success import SuccessConfig
from forwarder.core.config.model.transport import AuthConfig, ProxyUrl, SocketPath, TlsConfig
from forwarder.core.config.values.headers import parse_header_name
from forwarder.core.config.values.scalars import WrongValueError, parse_choice
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import (
    FilePath,
    Section,
    Switch,
    choice,
    duration,
    left_out,
    scalar,
    size,
    whole_number,
)
from forwarder.core.destinations.transport import MAX_CONNECTION_AGE
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import NAMED_POLICIES
from forwarder.core.routing.first_word import OnFull


def _check_names(headers: dict[str, Secret]) -> dict[str, Secret]:
    lowered: dict[str, str] = {}
    for name in headers:
        first = lowered.setdefault(name.lower(), name)
        if first != name:
            raise WrongValueError(
                f"{first} and {name} are the same header, because header names ignore case; remove one of them"
            )
    for name, value in headers.items():
        if name.lower() == "host" and value.is_template:
            raise WrongValueError(f"{name} takes no {{{{ … }}}}, because an event must not choose the receiver")
    return headers


def _parse_order(value: object) -> Order:
    return Order(parse_choice(value, *Order))


_OWN_BODY = frozenset({"raw", "text", "template"})
"""The formats of receivers that are no service with rules of its own."""

Header = Annotated[str, scalar(parse_header_name, "header name")]
HeaderValue = Annotated[Secret, scalar(parse_header, "text")]


class _Address(Section):
    """The keys of a destination that `defaults` cannot have."""

    url: Annotated[Secret, scalar(parse_destination_url, "URL")] | None = Field(
        default=None,
        description="The http:// or https:// URL that events are POSTed to. Path and query may contain {{ … }}. A secret: no log or "
        "message shows it. url_file reads it from a file.",
        examples=["https://example.com/hook", "https://example.com/hook?source={{ source }}"],
    )
    url_file: FilePath | None = Field(
        default=None, description="A file that contains the URL and nothing else. Replaces url."
    )
    apprise: Annotated[Secret, scalar(parse_apprise, "URL of Apprise")] | None = Field(
        default=None,
        description="The URL of a service that Apprise sends to, in place of url: e-mail, Pushover, Matrix and about a hundred others. "
        "A secret. It needs the extra apprise.",
        examples=["pover://USER@TOKEN", "mailtos://user:password@example.com?to=me@example.com"],
    )
    apprise_file: FilePath | None = Field(
        default=None, description="A file that contains the URL for Apprise and nothing else. Replaces apprise."
    )


class DestinationSettings(Section):
    """Settings for all destinations: each destination without the key uses the value given here."""

    method: Annotated[Literal["POST", "PUT", "PATCH"], choice("POST", "PUT", "PATCH")] | None = Field(
        default=None,
        description="The HTTP method of the requests. Discord, Slack and Telegram take no other than POST.",
        json_schema_extra=left_out("POST"),
    )
    headers: Annotated[dict[Header, HeaderValue], AfterValidator(_check_names)] = Field(
        default={},
        description="Headers to send with each request. Their values are secrets. They may contain {{ … }}, as templates do.",
        examples=[{"Authorization": "Bearer ${BOT_TOKEN}"}, {"Title": "{{ post.author.name }}"}],
    )
    auth: AuthConfig | None = Field(
        default=None,
        description="Sets the header Authorization.",
        examples=[{"bearer": "${BOT_TOKEN}"}, {"basic": {"username": "bot", "password": "${BOT_PASSWORD}"}}],
    )
    tls: TlsConfig | None = Field(
        default=None,
        description="TLS settings for a https:// URL: a private CA, a client certificate.",
        examples=[{"server_name": "bot.example.com"}],
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description="The HTTP proxy to connect through. A secret.",
        examples=["http://user:password@proxy.example.com:3128"],
    )
    socket: SocketPath | None = Field(
        default=None,
        description="The Unix socket to connect to. Replaces the host and port of the URL.",
        examples=["/run/bot.sock"],
    )
    format: FormatConfig = Field(
        default_factory=FormatConfig,
        description="The request body: the event as it came (raw), a plain text, a message for a service, or a template.",
        json_schema_extra=left_out("raw; text for apprise"),
        examples=["discord", {"type": "template", "body": "{{ post.text }}", "content_type": "text/plain"}],
    )
    on_full: OnFullField = Field(
        default=OnFull.IGNORE,
        description="What to do with the full text of an X post (source x) after its first text (fast-x) was sent here by a route "
        "with prefer: first. edit changes the message (Discord and Telegram only), send sends another one.",
    )
    compression: Annotated[Literal["gzip", "zstd"], choice("gzip", "zstd")] | None = Field(
        default=None,
        description="Compresses request bodies of formats raw, text and template. The receiver must support it.",
    )
    compress_from: Annotated[int, size("0B", "64MiB")] = Field(
        default=8 * 1024, description="Bodies smaller than this are not compressed."
    )
    timeout: Annotated[timedelta, duration("100ms", "5m")] = Field(
        default=timedelta(seconds=5),
        description="The longest time for one attempt, from connecting to the response. With apprise the default is 30s.",
    )
    max_connection_age: Annotated[timedelta, duration("1s", "24h")] = Field(
        default=MAX_CONNECTION_AGE,
        description="A connection that is older is not used for another request, so a change of the receiver's DNS is followed.",
    )
    concurrency: Annotated[int, whole_number(1, 1024)] = Field(
        default=16, description="How many attempts may run at the same time."
    )
    signing: Annotated[SigningConfig | None, AfterValidator(check_apart)] = Field(
        default=None,
        description="Signs each request: Standard Webhooks, or a plain HMAC as GitHub and Stripe use.",
        examples=[{"secret": "${BOT_SECRET}"}, {"scheme": "hmac", "secret": "${BOT_SECRET}", "header": "X-Signature"}],
    )
    batch: BatchConfig | None = Field(
        default=None,
        description="Sends several events in one request, as a JSON array, for receivers that take one.",
        examples=[{"count": 50, "within": "1s"}],
    )
    success: SuccessConfig | None = Field(
        default=None,
        description="For receivers that report an error with status 200: what the body of a 2xx must be. Without it every 2xx is a success.",
        examples=[{"body": {"errcode": 0}}, {"body": "ok"}],
    )
    retry: RetryField = Field(
        default=NAMED_POLICIES["live"],
        description="When a failed delivery is tried again, and when it becomes a dead letter.",
        examples=["standard", {"delays": ["1s", "10s", "5m"], "max_age": "1h", "statuses": {"404": "dead"}}],
    )
    order: Annotated[Order, PlainValidator(_parse_order, json_schema_input_type=Literal["none", "sid", "strict"])] = (
        Field(
            default=Order.NONE,
            description="The order of deliveries. sid keeps the order within each account or channel, strict the order of all events "
            "(one delivery at a time).",
        )
    )
    rate_limit: RateField | None = Field(
        default=None,
        description="The highest number of attempts per second, minute or hour, or with batch of requests. What exceeds it waits.",
        examples=["50/s", {"rate": "20/m", "burst": 5}],
    )
    limit: LimitConfig | None = Field(
        default=None,
        description="The highest number of posts in a span of time, over all routes. What exceeds it is not sent.",
        examples=["100/h", {"count": 5, "per": "10m", "by": "author"}],
    )
    quiet: QuietConfig | None = Field(
        default=None,
        description="Hours in which nothing new is sent here. What comes is kept on disk, to be sent when they end.",
        json_schema_extra=left_out("no quiet hours"),
        examples=["23:00-07:00", {"hours": "23:00-07:00", "timezone": "Europe/Berlin", "then": "digest"}],
    )
    backlog_concurrency: Annotated[int, whole_number(1, 1024)] | None = Field(
        default=None,
        description="How many of the concurrency attempts may be used for waiting deliveries while new events arrive.",
        json_schema_extra=left_out("a quarter of concurrency"),
    )
    breaker: BreakerField = Field(
        default=BreakerPolicy(),
        description="The circuit breaker. After many failures only single probes are sent until one succeeds.",
        examples=[{"failures_in_a_row": 10}, {"enabled": False}],
    )
    pause_after: PauseAfter = Field(
        default=timedelta(days=5),
        description="Pauses the destination after failures for this long (1m to 365d) without a success. Its deliveries are kept. never: no pause.",
        examples=["never"],
    )
    on_failure: DestinationFailureConfig | None = Field(
        default=None,
        description="Sends a notice to another destination when this one fails, and when it recovers.",
        examples=[{"to": "alerts", "after": "5m"}],
    )
    fallback: FallbackConfig | None = Field(
        default=None,
        description="Also sends to another destination what has waited too long for this one, once and marked.",
        examples=["alerts", {"to": "alerts", "after": "10m"}],
    )
    canary: CanaryConfig | None = Field(
        default=None,
        description="Sends a test event on a schedule. A late canary is a warning, and a notice to on_failure.",
        examples=[{"every": "10m", "within": "1m"}],
    )


class DestinationConfig(DestinationSettings, _Address):
    """A destination: a webhook or another service with its URL, the format of what is sent, and its limits."""

    enabled: Switch = Field(
        default=True, description="false: events for this destination are skipped and counted, not sent."
    )

    @field_validator("on_full", mode="after")
    @classmethod
    def _on_full_fits(cls, on_full: OnFull, info: ValidationInfo) -> OnFull:
        return check_on_full(on_full, info.data)

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        if self.batch is not None:
            check_batch(self.__dict__)
        return self

    @model_validator(mode="after")
    def _method_fits(self) -> Self:
        if self.method not in {None, "POST"} and self.format.type not in _OWN_BODY:
            raise WrongValueError(
                f"method is for the formats raw, text and template; {self.format.type} takes no other than POST; remove method"
            )
        return self

    @model_validator(mode="after")
    def _compression_fits(self) -> Self:
        if self.compression is None:
            return self
        if self.format.type not in _OWN_BODY:
            raise WrongValueError(
                f"compression is supported for the formats raw, text and template, not for {self.format.type}; remove it"
            )
        if any(name.lower() == "content-encoding" for name in self.headers):
            raise WrongValueError(
                "compression sets the header Content-Encoding, which is also in headers; remove one of them"
            )
        return self
