"""The requests of an attempt: usually one, and a second one where the first was refused and another form of the message may not be."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from forwarder.core.delivery import SENT_TWICE, Answered, Delivery, Fault, Outcome, Unanswered
from forwarder.core.destinations.answers import BY_STATUS
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
        self._answers = None if destination.answers == BY_STATUS else destination.answers
        self._is_correctable = isinstance(destination.format_, Correctable)
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
            request = renderer.render(delivery, now=now, receipt=receipt)
        except RenderElsewhereError as error:
            try:
                request = await self._render_elsewhere(error, renderer, delivery, now=now, receipt=receipt)
            except RendererUnavailableError as unavailable:
                return Unanswered(fault=Fault.FORMAT, detail=str(unavailable), is_local_fault=True)
        outcome = self._read(await sender.send(request), now)
        if not self._is_correctable or not isinstance(outcome, Answered) or outcome.is_success:
            return outcome
        correction = _correction(renderer.format_, outcome)
        if correction is None:
            return outcome
        corrected = renderer.with_format(correction.format_)
        try:
            again = corrected.render(delivery, now=now, receipt=receipt)
        except RenderElsewhereError as error:
            try:
                again = await self._render_elsewhere(error, corrected, delivery, now=now, receipt=receipt)
            except RendererUnavailableError:
                return outcome
        if again.body == request.body:
            return outcome
        if correction.new_address and self._renderer is renderer:
            self._renderer = corrected
            self._on_new_address(correction.new_address)
        self._on_again()
        second = self._read(await sender.send(again), now)
        note = f"sent again {correction.how}, after {replace(outcome, note='').reason}"
        return replace(second, note=f"{note}; {second.note}" if second.note else note)

    def _read(self, outcome: Outcome, now: datetime) -> Outcome:
        """Return the outcome of a request with what its answer means here."""
        if outcome.note == SENT_TWICE:
            self._on_again()
        return outcome if self._answers is None else self._answers.read(outcome, now=now)

    async def _render_elsewhere(
        self,
        error: RenderElsewhereError,
        renderer: Renderer,
        delivery: Delivery,
        *,
        now: datetime,
        receipt: str | None,
    ) -> WebhookRequest:
        """Return a request whose templates cost too much for the event loop. Raises `CannotFormatError`, and `RendererUnavailableError`."""
        if self._template_worker is None:
            raise CannotFormatError("the templates cost too much for this event")
        content: Content | None = None
        while content is None:
            texts = await self._template_worker.render(error.job)
            try:
                content = error.resume(texts)
            except RenderElsewhereError as another:
                error = another
        return renderer.render(delivery, now=now, receipt=receipt, content=content)


def _correction(format_: Format, error: Answered) -> Correction | None:
    return format_.correction(error.status, error.body) if isinstance(format_, Correctable) else None
