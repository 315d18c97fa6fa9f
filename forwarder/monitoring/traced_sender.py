"""Adds the header `traceparent` to the requests of a destination."""

from msgspec import structs

from forwarder.core.delivery import Outcome
from forwarder.core.destinations.request import WebhookRequest
from forwarder.core.ports import Sender
from forwarder.monitoring.tracer import Tracer

TRACEPARENT = "traceparent"


class TracedSender:
    """Sends through another sender; each request of a traced event says to which span it belongs."""

    def __init__(self, sender: Sender, tracer: Tracer) -> None:
        self._sender = sender
        self._tracer = tracer

    async def send(self, request: WebhookRequest) -> Outcome:
        """See `Sender`. A header of this name that the config sets stays."""
        header = self._tracer.traceparent(request.id)
        if header is not None and not any(name.lower() == TRACEPARENT for name in (*request.fixed, *request.more)):
            request = structs.replace(request, more={**request.more, TRACEPARENT: header})
        return await self._sender.send(request)

    async def knock(self) -> bool:
        """See `Sender`."""
        return await self._sender.knock()
