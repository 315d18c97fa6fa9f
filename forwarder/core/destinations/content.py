"""The content of a request: the event unchanged, or as a format has rendered it. Headers about the delivery are added elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec
from msgspec.structs import replace

from forwarder.core.delivery import Delivery
from forwarder.core.templates.job import TemplateJob

JSON = "application/json"
POST = "POST"
TITLE = "title"
"""The header under which a format gives the title of its text, for services that show one."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a request, and what depends on it."""

    body: bytes
    content_type: str = JSON
    method: str = POST
    target: str | None = None
    """Path and query, already quoted, that replace those of the URL. Scheme, host and port are always the URL's."""
    headers: Mapping[str, str] = {}
    """Additional headers, such as `Content-Encoding`."""

    def __repr__(self) -> str:  # neither the body nor the target, which may contain a token
        return f"Content({self.method}, {self.content_type}, {len(self.body)} bytes)"


class CannotFormatError(Exception):
    """This event can never be rendered in the format; the text says why and contains nothing of the event."""


class RendererUnavailableError(Exception):
    """The process that renders what may cost much cannot be started, or ends: a fault of this machine. The text says why."""


class RenderElsewhereError(Exception):
    """The templates of a format may cost more for this event than the event loop can spend: another process renders `job`."""

    def __init__(self, job: TemplateJob, resume: Callable[[Sequence[str]], Content]) -> None:
        """`resume` makes the content of the texts of the job; it may raise this error for another job."""
        super().__init__()
        self.job = job
        self.resume = resume

    def then(self, change: Callable[[Content], Content]) -> "RenderElsewhereError":
        """Return this error for a format that changes the content of the one that raised it."""

        def resume(texts: Sequence[str]) -> Content:
            try:
                content = self.resume(texts)
            except RenderElsewhereError as error:
                raise error.then(change) from None
            return change(content)

        return RenderElsewhereError(self.job, resume)


Format = Callable[[Delivery], Content]
"""Renders the content of a delivery; equal for equal deliveries. Raises `CannotFormatError`, and `RenderElsewhereError`."""


@runtime_checkable
class Editable(Protocol):
    """A format whose messages can be edited after they were sent."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the content of a new message; see `Format`."""
        ...

    def receipt(self, answer: bytes) -> str | None:
        """Return the service's id of the message that this answer is about, or `None`."""
        ...

    def edit(self, content: Content, receipt: str) -> Content:
        """Return the request that changes the message to `content`, which this format rendered."""
        ...

    def is_settled(self, status: int, answer: bytes) -> bool:
        """Return whether a refused edit needs no retry: the message is gone, or it already has this content."""
        ...


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """How a request that was refused is sent once more in the same attempt."""

    format_: Format
    """The format that renders the second request."""
    how: str
    """What is different in it, in a few words that follow "sent again"."""
    new_address: str = ""
    """If not empty, the address that the receiver wants from now on: later requests use the format too, and the operator is told."""


@runtime_checkable
class Correctable(Protocol):
    """A format that knows refusals which another form of the same message avoids."""

    def __call__(self, delivery: Delivery) -> Content:
        """Return the content of a new message; see `Format`."""
        ...

    def correction(self, status: int, answer: bytes) -> Correction | None:
        """Return how to send a message again that was answered with this error, or `None`."""
        ...


def raw(delivery: Delivery) -> Content:
    """Return the event as it was received, byte for byte."""
    return Content(body=delivery.body)


class WithMethod(msgspec.Struct, frozen=True, kw_only=True):
    """Wraps another format and sends its content with another method than POST."""

    format_: Format
    method: str

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content. Raises what the other format raises."""
        try:
            return self._changed(self.format_(delivery))
        except RenderElsewhereError as error:
            raise error.then(self._changed) from None

    def _changed(self, content: Content) -> Content:
        return replace(content, method=self.method)
