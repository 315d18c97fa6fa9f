"""`streams` and `expect`: the connections that receive events, and the events that must arrive."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from forwarder.core.config.model.compiled import ConditionField
from forwarder.core.config.model.on_failure import OnFailureConfig
from forwarder.core.config.model.transport import TRANSPORTS, ProxyUrl, TlsConfig, is_given, is_public
from forwarder.core.config.values.headers import parse_api_key
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import (
    FilePath,
    Name,
    Section,
    Switch,
    choice,
    duration,
    left_out,
    scalar,
    size,
)
from forwarder.core.config.values.urls import parse_stream_url, url_of_stream
from forwarder.core.matching import EVERYTHING
from forwarder.core.yaml.tree import Scalar

_NO_KEY = Secret("")
"""In place of the key of the public stream."""


class StreamConfig(Section):
    """A connection to scrape.st that receives events."""

    name: Name = Field(default="main", description="The name in logs and metrics. Each stream needs its own name.")
    transport: Annotated[Literal["websocket", "sse", "public"], choice(*TRANSPORTS)] = Field(
        default="websocket",
        description="The protocol: a WebSocket, private server-sent events (sse), or the public stream, which needs no key and whose "
        "events are cut after 100 characters.",
    )
    url: Annotated[str, scalar(parse_stream_url, "URL")] = Field(
        default="",
        description="The address of the stream: wss:// or ws:// for websocket, https:// or http:// for sse and public.",
        json_schema_extra=left_out("wss://scrape.st/ws, or https://scrape.st/stream for sse and public"),
        validate_default=True,
    )
    api_key: Annotated[Secret, scalar(parse_api_key, "text")] = Field(
        default=_NO_KEY,
        description="The API key of scrape.st. A secret. api_key_file reads it from a file. Required, except for transport: public.",
        examples=["${SCRAPEST_API_KEY}"],
    )
    api_key_file: FilePath | None = Field(
        default=None, description="A file that contains the API key and nothing else. Replaces api_key."
    )
    use_fast_x: Switch = Field(
        default=False,
        description="true also subscribes to the first text of each X post (source fast-x).",
        json_schema_extra=left_out("false, and true for transport: public"),
    )
    ignore_full_payload: Switch = Field(
        default=False,
        description="true: the server sends no x events (the full texts of X posts). Events of the other sources still come.",
    )
    max_frame: Annotated[int, size("64KiB", "256MiB")] = Field(
        default=16 * 1024**2, description="A longer event ends the connection. A new connection is opened at once."
    )
    max_connection_age: Annotated[timedelta, duration("1m", "30d")] | None = Field(
        default=None,
        description="Renews the connection at this age. The new connection opens before the old one closes.",
        json_schema_extra=left_out("no limit"),
        examples=["24h"],
    )
    expect_event_within: Annotated[timedelta, duration("10s", "30d")] | None = Field(
        default=None,
        description="Logs a warning and renews the connection when no event arrives for this long.",
        json_schema_extra=left_out("never"),
        examples=["1h"],
    )
    tls: TlsConfig | None = Field(
        default=None,
        description="How the server is verified, and which client certificate it gets. Also holds for its token and its history.",
        examples=[{"ca_file": "/etc/forwarder/ca.pem"}],
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description="The HTTP proxy to connect through, for the stream, its token and its history. A secret.",
        examples=["http://user:password@proxy.example.com:3128"],
    )
    gap_repair: Switch = Field(
        default=True,
        description="Recovers missed posts from the history of the tracked X accounts after an outage.",
    )
    on_failure: OnFailureConfig | None = Field(
        default=None,
        description="Sends a notice to a destination when the stream is disconnected or silent, and when it recovers.",
        examples=[{"to": "alerts", "after": "1m"}],
    )

    @model_validator(mode="before")
    @classmethod
    def _public_has_fast_x(cls, data: object) -> object:
        """Subscribe to `fast-x` on the public stream, unless the config says something else: it has no other posts of X."""
        if is_public(data) and not is_given(data, "use_fast_x"):
            return {**data, "use_fast_x": Scalar("true")}
        return data

    @property
    def is_public(self) -> bool:
        """Whether it is the public stream, which needs no key."""
        return self.transport == "public"

    @property
    def repairs_gaps(self) -> bool:
        """Whether its gaps are repaired. The public stream has no history."""
        return self.gap_repair and not self.is_public

    @field_validator("url", mode="after")
    @classmethod
    def _url_fits(cls, url: str, info: ValidationInfo) -> str:
        return url_of_stream(url, info.data.get("transport", "websocket"))


class ExpectConfig(Section):
    """Events that must arrive regularly, over any stream."""

    name: Name = Field(description="The name in the log and in notices.", examples=["coins"])
    match: ConditionField = Field(
        default=EVERYTHING,
        description="The condition for the expected events.",
        json_schema_extra=left_out("every event"),
        examples=[{"author": ["novadesk", "elonmusk"]}],
    )
    within: Annotated[timedelta, duration("10s", "30d")] = Field(
        description="Logs a warning and renews all streams when none of the events arrives for this long.",
        examples=["6h"],
    )
    on_failure: OnFailureConfig | None = Field(
        default=None,
        description="Sends a notice to a destination when the events are missing, and when one arrives again.",
        examples=[{"to": "alerts"}],
    )
