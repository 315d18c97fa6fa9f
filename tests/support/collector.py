"""A collector of traces: it takes OTLP over HTTP and keeps the spans."""

from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from forwarder.emulator.receiver import Answer, Received, Receiver


@dataclass(frozen=True)
class TakenSpan:
    """A span as it came."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    error: str
    attributes: dict[str, object] = field(default_factory=dict)


class Collector(Receiver):
    """Receives traces for the length of a block."""

    def __init__(self) -> None:
        super().__init__(respond=self._take)
        self.spans: list[TakenSpan] = []
        self.services: set[str] = set()
        self.fails_with: int | None = None

    @property
    def endpoint(self) -> str:
        """What the config has."""
        return self.url.replace("/hook", "/v1/traces")

    def named(self, name: str) -> list[TakenSpan]:
        return [span for span in self.spans if span.name == name]

    async def until(self, name: str, count: int = 1) -> list[TakenSpan]:
        """Return the spans of that name, once there are so many."""
        await self.wait_until(lambda _it: len(self.named(name)) >= count, 60, f"{count} spans {name}")
        return self.named(name)

    def _take(self, request: Received) -> Answer:
        if self.fails_with is not None:
            return Answer(status=self.fails_with)
        message = ExportTraceServiceRequest.FromString(request.body)  # aiohttp has decompressed it
        for resource in message.resource_spans:
            self.services |= {
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            }
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        TakenSpan(
                            name=span.name,
                            trace_id=span.trace_id.hex(),
                            span_id=span.span_id.hex(),
                            parent_id=span.parent_span_id.hex(),
                            error=span.status.message,
                            attributes={each.key: _value(each.value) for each in span.attributes},
                        )
                    )
        return Answer()


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    assert kind is not None
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)
