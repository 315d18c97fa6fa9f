"""The requests of an attempt: usually one, and a second one where the first was refused and another form of the message may not be."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from forwarder.core.delivery import SENT_TWICE, Answered, Delivery, Fault, Outcome, Unanswered
from forwarder.core.destinations.content import (
    CannotFormatError,
    Content,
    Correctable,
    Correction,
    Format,
    RenderElsewhereError,
    RendererUnavailableError,
)
from forwarder.core.destinations.destination import Destination
from forwarder.core.destinations.request import Renderer, WebhookRequest
from forwarder.core.dispatch.retry import RetryPolicy
from forwarder.core.ports import Sender, TemplateWorker


class Requests:
    """Renders and sends the requests of one destination, and reads what the answers mean for it."""

    def __init__(
        self,
        destination: Destination,
        *,
        policy: RetryPolicy | None = None,
        on_again: Callable[[], None] = lambda: None,
        on_new_address: Callable[[str], None] = lambda _address: None,
        template_worker: TemplateWorker | None = None,
    ) -> None:
        """`policy` replaces that of the destination. `on_again` is called for a second request, which also counts towards rate limits.

        `on_new_address` is called when requests go to another address from now on, with what to write in the config.
        Without a `template_worker` no event can be rendered that costs too much for the event loop.
        """
        self._answers = destination.answers
        self._renderer = Renderer(
            headers=destination.headers,
            signing=destination.signing,
            policy=destination.retry if policy is None else policy,
            format_=destination.format_,
            needs_body=destination.answers.success is not None,
        )
        self._on_again = on_again
        self._on_new_address = on_new_address
        self._template_worker = template_worker

    async def make(self, sender: Sender, delivery: Delivery, *, now: datetime, receipt: str | None = None) -> Outcome:
        """Make an attempt and return its outcome; `receipt` is that of the message to edit. Raises `CannotFormatError`."""
        renderer = self._renderer
        try:
            request = await self._render(renderer, delivery, now=now, receipt=receipt)
        except RendererUnavailableError as error:
            return Unanswered(fault=Fault.FORMAT, detail=str(error), is_local_fault=True)
        outcome = await self._send(sender, request, now=now)
        if not isinstance(outcome, Answered) or outcome.is_success:
            return outcome
        correction = _correction(renderer.format_, outcome)
        if correction is None:
            return outcome
        corrected = renderer.with_format(correction.format_)
        try:
            again = await self._render(corrected, delivery, now=now, receipt=receipt)
        except RendererUnavailableError:
            return outcome
        if again.body == request.body:
            return outcome
        if correction.new_address and self._renderer is renderer:
            self._renderer = corrected
            self._on_new_address(correction.new_address)
        self._on_again()
        second = await self._send(sender, again, now=now)
        note = f"sent again {correction.how}, after {replace(outcome, note='').reason}"
        return replace(second, note=f"{note}; {second.note}" if second.note else note)

    async def _send(self, sender: Sender, request: WebhookRequest, *, now: datetime) -> Outcome:
        outcome = await sender.send(request)
        if outcome.note == SENT_TWICE:
            self._on_again()
        return self._answers.read(outcome, now=now)

    async def _render(
        self, renderer: Renderer, delivery: Delivery, *, now: datetime, receipt: str | None
    ) -> WebhookRequest:
        """Return a request. Raises `CannotFormatError`, and `RendererUnavailableError`."""
        try:
            return renderer.render(delivery, now=now, receipt=receipt)
        except RenderElsewhereError as error:
            content = await self._rendered_elsewhere(error)
        return renderer.render(delivery, now=now, receipt=receipt, content=content)

    async def _rendered_elsewhere(self, error: RenderElsewhereError) -> Content:
        if self._template_worker is None:
            raise CannotFormatError("the templates cost too much for this event")
        while True:
            texts = await self._template_worker.render(error.job)
            try:
                return error.resume(texts)
            except RenderElsewhereError as another:
                error = another


def _correction(format_: Format, error: Answered) -> Correction | None:
    return format_.correction(error.status, error.body) if isinstance(format_, Correctable) else None
