"""Opens the way out that a destination asks for: HTTP requests of our own, in batches or not, or Apprise."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.token_bucket import TokenBucket
from forwarder.core.ports import Sender
from forwarder.destinations.sender import open_sender


@asynccontextmanager
async def sender_of(
    destination: Destination, *, clock: Callable[[], datetime], bucket: TokenBucket | None = None
) -> AsyncIterator[Sender]:
    """Provide the sender of a destination. `bucket` is a rate limit of requests, where one has several events."""
    if destination.apprise:
        from forwarder.destinations.apprise_sender import AppriseSender  # noqa: PLC0415 - only where it is used

        yield AppriseSender(destination.apprise, name=destination.name, timeout=destination.timeout)
        return
    async with open_sender(
        destination.url, transport=destination.transport, timeout=destination.timeout, clock=clock
    ) as sender:
        if destination.batch is None:
            yield sender
        else:
            from forwarder.destinations.batch_sender import BatchSender  # noqa: PLC0415 - only where it is used

            batches = BatchSender(sender, destination.batch, bucket=bucket)
            try:
                yield batches
            finally:
                await batches.close()
