"""The section `tracing` of the config: where the traces of events are sent."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from forwarder.core.config.model.sample_and_limit import SampleField
from forwarder.core.config.values.headers import parse_header_name, parse_header_value
from forwarder.core.config.values.scalars import parse_name
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import Section, duration, left_out, scalar
from forwarder.core.config.values.urls import parse_webhook_url
from forwarder.core.routing.sampling import WHOLE


class TracingConfig(Section):
    """A collector of traces that speaks OTLP over HTTP, such as Jaeger, Tempo, or the OpenTelemetry Collector. It needs the extra otel."""

    endpoint: Annotated[Secret, scalar(parse_webhook_url, "URL")] = Field(
        description="The URL that traces are POSTed to. A secret.",
        examples=["http://127.0.0.1:4318/v1/traces"],
    )
    headers: dict[
        Annotated[str, scalar(parse_header_name, "header name")], Annotated[Secret, scalar(parse_header_value, "text")]
    ] = Field(
        default={},
        description="Headers to send with each request to the collector. Their values are secrets.",
        examples=[{"Authorization": "Bearer ${OTLP_TOKEN}"}],
    )
    sample: SampleField | None = Field(
        default=None,
        description="Which part of the events is traced.",
        json_schema_extra=left_out("100%"),
        examples=["10%"],
    )
    service: Annotated[str, scalar(parse_name, "name")] = Field(
        default="forwarder", description="The name of the service in the traces."
    )
    timeout: Annotated[timedelta, duration("1s", "1m")] = Field(
        default=timedelta(seconds=10), description="How long the collector may take for a request."
    )

    @property
    def share(self) -> int:
        """The part of the events that is traced, of `WHOLE`."""
        return WHOLE if self.sample is None else self.sample
