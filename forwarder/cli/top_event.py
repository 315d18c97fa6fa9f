"""The screen of one event: its deliveries with their attempts, and its body; and keys to send it again."""

from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from forwarder.cli.locations import Places
from forwarder.cli.top_lines import attempt_lines, delivery_line, event_lines
from forwarder.cli.top_source import OpenedEvent, open_event, resend
from forwarder.cli.top_widgets import Question, RowList, joined, styled
from forwarder.core.history import Record
from forwarder.threads import start_in_thread

_AGAIN_S = 1.0
"""How often the outbox is read again."""


class EventScreen(Screen[None]):
    """Shows an event as the outbox has it now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "Back"),
        Binding("r", "resend", "Send again"),
        Binding("R", "resend_all", "To all again"),
        Binding("tab", "app.focus_next", "Next", show=False),
    ]

    def __init__(self, where: Places, event_id: str) -> None:
        super().__init__()
        self._where = where
        self._event_id = event_id
        self._opened = OpenedEvent(None)
        self._shown: Record | None = None
        """The delivery whose attempts are shown."""

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Static(Text(f"event {self._event_id}"), id="headline")
        yield RowList[str](id="deliveries")
        with VerticalScroll(id="details"):
            yield Static(id="attempts")
            yield Static(id="event")
        yield Static(id="note")
        yield Footer()

    def on_mount(self) -> None:
        """Read it now, and again and again: its deliveries go on."""
        self.query_one("#deliveries").focus()
        self.read()
        self.set_interval(_AGAIN_S, self.read)
        self.set_interval(0.2, self.show_attempts)

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Read the event from the outbox, and show it."""
        found = await start_in_thread(partial(open_event, self._where, self._event_id), name="open event")
        if found.event is None:
            self.query_one("#event", Static).update(Text(found.why_not))
            return
        is_new = self._opened.event is None
        self._opened = found
        rows: RowList[str] = self.query_one("#deliveries", RowList)
        rows.show(
            [each["destination"] for each in found.deliveries], lambda index: delivery_line(found.deliveries[index])
        )
        if is_new:
            lines = list(event_lines(found.event))
            self.query_one("#headline", Static).update(styled(lines[0]))
            self.query_one("#event", Static).update(joined(lines[1:], wrap=True))
        self.show_attempts()

    def show_attempts(self) -> None:
        """Show the attempts of the delivery with the cursor."""
        delivery = self._chosen()
        if delivery is self._shown:
            return
        self._shown = delivery
        lines = [] if delivery is None else list(attempt_lines(delivery))
        self.query_one("#attempts", Static).update(joined(lines, wrap=True))

    def _chosen(self) -> Record | None:
        cursor = self.query_one("#deliveries", RowList).cursor
        return next((each for each in self._opened.deliveries if each["destination"] == cursor), None)

    def action_resend(self) -> None:
        """Ask, and have the event sent to the destination with the cursor again."""
        if (delivery := self._chosen()) is not None:
            self._resend([delivery["destination"]])

    def action_resend_all(self) -> None:
        """Ask, and have the event sent to all of its destinations again."""
        if self._opened.deliveries:
            self._resend([each["destination"] for each in self._opened.deliveries])

    @work
    async def _resend(self, destinations: list[str]) -> None:
        if self._opened.event is None:
            return
        if not await self.app.push_screen_wait(Question(f"Send this event to {', '.join(destinations)} again?")):
            return
        send = partial(resend, self._where, self._opened.event["event_seq"], destinations)
        self.query_one("#note", Static).update(Text(await start_in_thread(send, name="resend")))
        self.read()
