"""What a request says, apart from the headers that tell of the delivery: the event as it came, or as a format has made it."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class Editable(Protocol):
    """A format whose messages can be changed after they were sent."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the content of a new message; see `Format`."""
        ...

    def receipt(self, answer: bytes) -> str | None:
        """Return what the service calls the message that this answer tells of."""
        ...

    def edit(self, content: Content, receipt: str) -> Content:
        """Return the request that makes a message read like `content`, which this format made."""
        ...

    def is_settled(self, status: int, answer: bytes) -> bool:
        """Whether an edit that is refused so has nothing left to do: its message is gone, or reads like that already."""
        ...


def raw(delivery: Delivery) -> Content:
    """Return the event as it was received, byte for byte."""
    return Content(body=delivery.body)
