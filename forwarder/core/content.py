"""What a request says, apart from the headers that tell of the delivery: the event as it came, or as a format has made it."""

from collections.abc import Callable, Mapping

import msgspec

from forwarder.core.delivery import Delivery

JSON = "application/json"


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a request and what follows from it."""

    body: bytes
    content_type: str = JSON
    method: str = "POST"
    target: str | None = None
    """Path and query, already quoted, in place of the URL's own. Scheme, host and port are the URL's, always."""
    headers: Mapping[str, str] = {}
    """More of them, such as `Content-Encoding`."""

    def __repr__(self) -> str:  # not the body, nor a target, which may hold a token
        return f"Content({self.method}, {self.content_type}, {len(self.body)} bytes)"


class CannotFormatError(Exception):
    """This event cannot be put into the format, now or ever; the text says why, without the event's own text."""


Format = Callable[[Delivery], Content]
"""Makes the content of a delivery; raises `CannotFormatError`. The same delivery gives the same content each time."""


def raw(delivery: Delivery) -> Content:
    """Return the event as it was received, byte for byte."""
    return Content(body=delivery.body)
