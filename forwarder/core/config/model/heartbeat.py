"""The section `heartbeat` of the config: which outside monitor is requested, and when."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from forwarder.core.config.model.transport import ProxyUrl, TlsConfig
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import FilePath, Section, choice, duration, scalar
from forwarder.core.config.values.urls import parse_webhook_url
from forwarder.core.destinations.heartbeat import Heartbeat
from forwarder.core.destinations.networks import Networks
from forwarder.core.destinations.transport import Tls, Transport

Url = Annotated[Secret, scalar(parse_webhook_url, "URL")]


class HeartbeatConfig(Section):
    """An outside monitor that is requested regularly while all is well, and that raises the alarm when the requests stop."""

    url: Url = Field(
        description="The URL that is requested with GET, as healthchecks.io or Uptime Kuma shows it. A secret: no log or message shows it. "
        "url_file reads it from a file.",
        examples=["${HEARTBEAT_URL}"],
    )
    url_file: FilePath | None = Field(
        default=None, description="A file that contains the URL and nothing else. Replaces url."
    )
    fail_url: Url | None = Field(
        default=None,
        description="The URL that is requested instead while something is wrong, so that the alarm does not wait. A secret. "
        "fail_url_file reads it from a file. Without it nothing is requested meanwhile.",
        examples=["${HEARTBEAT_URL}/fail"],
    )
    fail_url_file: FilePath | None = Field(
        default=None, description="A file that contains fail_url and nothing else. Replaces fail_url."
    )
    every: Annotated[timedelta, duration("10s", "1d")] = Field(
        default=timedelta(minutes=1), description="How often the URL is requested."
    )
    when: Annotated[Literal["well", "up"], choice("well", "up")] = Field(
        default="well",
        description="well: while every stream is open, every destination works and the outbox can be written. "
        "up: also while something is degraded, and not while forwarder status says DOWN.",
    )
    timeout: Annotated[timedelta, duration("1s", "1m")] = Field(
        default=timedelta(seconds=5), description="How long a request may take. Must be shorter than every."
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description="The HTTP proxy to connect through. A secret.",
        examples=["http://user:password@proxy.example.com:3128"],
    )
    tls: TlsConfig | None = Field(
        default=None,
        description="TLS settings for a https:// URL: a private CA, a client certificate.",
        examples=[{"ca_file": "/etc/forwarder/ca.pem"}],
    )

    @model_validator(mode="after")
    def _ends_before_the_next(self) -> Self:
        if self.timeout >= self.every:
            raise WrongValueError("timeout must be shorter than every, so that each request ends before the next one")
        return self

    def value(self, networks: Networks) -> Heartbeat:
        """Return what the section stands for. `networks` says which addresses it must not have."""
        return Heartbeat(
            url=self.url.reveal(),
            fail_url=None if self.fail_url is None else self.fail_url.reveal(),
            every=self.every,
            is_sent_degraded=self.when == "up",
            timeout=self.timeout,
            transport=Transport(
                tls=self.tls.value if self.tls is not None else Tls(), proxy=self.proxy, networks=networks
            ),
        )
