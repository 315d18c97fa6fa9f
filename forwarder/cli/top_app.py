"""The screen of `top`: the verdict, a row for each stream, destination and route, and below them what passes."""

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.widgets import Footer, Static

from forwarder.cli.listing import shown
from forwarder.cli.live_filters import Wants, has_words
from forwarder.cli.live_lines import RED, YELLOW, LineLayout, Piece, StyledLine
from forwarder.cli.locations import Places, UsageError
from forwarder.cli.top_event import EventScreen
from forwarder.cli.top_figures import RowKey, RowKind, TopFigures, TopRow
from forwarder.cli.top_help import HelpScreen
from forwarder.cli.top_lines import detail_line, header_line, row_line, verdict_line
from forwarder.cli.top_source import Feeder, Snapshot, ask, change_pause
from forwarder.cli.top_widgets import FilterInput, Question, RowList, styled
from forwarder.control.errors import DaemonRefusedError, DaemonSilentError, NoDaemonError
from forwarder.core.commands import Watch
from forwarder.core.counted import counted
from forwarder.core.monitoring.live import Passing, PassingAttempt
from forwarder.core.monitoring.status import UnreadableStatusError
from forwarder.core.yaml.problems import ConfigError
from forwarder.threads import start_in_thread

_ASK_EVERY_S = 1.0
_SILENT_AFTER_S = 8.0
"""Later than a daemon that hangs is reported as such."""
_OLD_AFTER_S = 3.0
"""From then on the figures are no longer shown as those of now."""
_SHOW_EVERY_S = 0.2
_NOTE_FOR_S = 15.0
"""How long a message stays, where the cursor is not moved."""
_KEPT = 500
"""How many lines the tail keeps, to be scrolled through."""

_OF_FIRST_SCREEN = frozenset({"pause", "filter", "failed"})

CompileRule = Callable[[str], Wants]
"""Compiles what `--match` takes. Raises `UsageError`, `ConfigError`."""


class TopApp(App[None]):
    """Shows the running daemon until `q`."""

    TITLE = "forwarder top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: ansi_default; color: ansi_default; }
    #summary, #header, #tail-title, #headline, #note { height: 1; text-wrap: nowrap; }
    #verdict { height: auto; min-height: 1; max-height: 6; }
    #detail { height: auto; min-height: 1; max-height: 3; }
    #rows { height: auto; max-height: 45%; min-height: 3; }
    #tail { height: 1fr; }
    #deliveries { height: auto; max-height: 30%; min-height: 1; }
    #details { height: 1fr; background: ansi_default; }
    Question, FilterInput, HelpScreen { align: center middle; background: transparent; }
    .box { width: 60; max-width: 90%; height: auto; border: round ansi_default; padding: 1 2; background: ansi_default; }
    Footer { background: ansi_default; color: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("p", "pause", "Pause/resume"),
        Binding("slash", "filter", "Filter"),
        Binding("f", "failed", "Failed only"),
        Binding("tab", "app.focus_next", "Other list"),
        Binding("question_mark,h", "help", "Help"),
    ]

    def __init__(
        self, where: Places, request: Watch, *, match: str | None, compile_rule: CompileRule, routes: Sequence[str]
    ) -> None:
        """`match` is the rule to begin with; `routes` are those of the config."""
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self._where = where
        self._filter = match or ""
        self._compile_rule = compile_rule
        self._figures = TopFigures(routes=routes)
        self._passed = deque[tuple[int, Passing]](maxlen=_KEPT)
        self._failed = deque[tuple[int, Passing]](maxlen=_KEPT)
        """Those of what passed that failed, which are kept for longer."""
        self._is_failed_only = request.failed
        self._answered_s, self._answered_at = monotonic(), datetime.now(UTC)
        self._is_old = False
        """Whether the figures are those of an earlier time, because the daemon does not answer."""
        self._note_until_s = 0.0
        self._note_cursor: RowKey | None = None
        self._count = 0
        self._layout = LineLayout(width=80)
        self._note = self._title = ""
        self._request = request.model_copy(update={"failed": False})
        self._feeder = Feeder(where, self._request, [])

    def compose(self) -> ComposeResult:
        """Make the widgets."""
        yield Static(id="verdict")
        yield Static(id="summary")
        yield Static(id="header")
        yield RowList[RowKey](id="rows")
        yield Static(id="detail")
        yield Static(id="tail-title")
        yield RowList[int](id="tail", follows=True, opens=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to ask and to show."""
        if not self.is_headless:  # the terminal has to be as it was
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        self.query_one("#rows").focus()
        self._follow(self._filter)
        self.ask_again()
        self.set_interval(_SHOW_EVERY_S, self.show_passed)

    def on_unmount(self) -> None:
        """Watch no more."""
        self._feeder.stop()

    def on_resize(self, _event: Resize) -> None:
        """Show everything again in the new width."""
        self.call_after_refresh(self.show_rows)
        self.call_after_refresh(self.show_passed)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key of this screen does something: on that of an event they do not."""
        is_covered = len(self.screen_stack) > 1
        return False if is_covered and action in _OF_FIRST_SCREEN else super().check_action(action, parameters)

    @work(exclusive=True, group="ask")
    async def ask_again(self) -> None:
        """Ask how the daemon is, again and again."""
        while True:
            began = monotonic()
            asking = start_in_thread(partial(ask, self._where), name="ask")
            while not (await asyncio.wait([asking], timeout=_SILENT_AFTER_S))[0]:
                silent_s = monotonic() - began
                why = f": nothing for {silent_s:.0f} s; does the disk with the outbox not respond?"
                self._show_verdict(StyledLine((Piece("NO ANSWER", RED), Piece(why))))
            try:
                found = asking.result()
            except (NoDaemonError, DaemonRefusedError, UnreadableStatusError) as error:
                what = "NO ANSWER" if isinstance(error, DaemonSilentError) else "NO DAEMON"
                self._show_verdict(StyledLine((Piece(what, RED), Piece(shown(f": {error}")))))
                self._become_old()
            else:
                self._take(found)
            await asyncio.sleep(max(_ASK_EVERY_S - (monotonic() - began), 0.1))

    def _take(self, found: Snapshot) -> None:
        self._figures.note_status(found.status, found.backlog, now_s=monotonic())
        self._answered_s, self._answered_at, self._is_old = monotonic(), datetime.now(UTC), False
        self._show_verdict(verdict_line(found.verdict))
        self.show_rows()

    def _become_old(self) -> None:
        """Show the figures as those of the last answer."""
        if not self._is_old:
            self._is_old = True
            self.show_rows()

    def _show_verdict(self, line: StyledLine) -> None:
        if not self._is_closing():
            self.screen_stack[0].query_one("#verdict", Static).update(styled(line, wraps=True))

    def _is_closing(self) -> bool:
        """Return whether the widgets are gone already; timers and answers may still come then."""
        return not self.screen_stack[0].query("#tail")

    def _rows(self) -> list[TopRow]:
        return self._figures.rows(self._answered_at if self._is_old else datetime.now(UTC))

    def _row_with_cursor(self) -> TopRow | None:
        rows: RowList[RowKey] = self.screen_stack[0].query_one("#rows", RowList)
        return next((row for row in self._rows() if row.key == rows.cursor), None)

    def _tell(self, note: str) -> None:
        """Show a message below the rows, until the cursor is moved or it has been there for a while."""
        row = self._row_with_cursor()
        self._note, self._note_until_s = note, monotonic() + _NOTE_FOR_S
        self._note_cursor = None if row is None else row.key

    def _show_detail(self) -> None:
        """Show the message, or all of the row with the cursor."""
        row = self._row_with_cursor()
        if self._note and (monotonic() > self._note_until_s or (row is not None and row.key != self._note_cursor)):
            self._note = ""
        line = (
            StyledLine((Piece(shown(self._note), YELLOW),))
            if self._note
            else StyledLine(())
            if row is None
            else detail_line(row)
        )
        self.screen_stack[0].query_one("#detail", Static).update(styled(line, wraps=True))

    def show_rows(self) -> None:
        """Show the figures."""
        if self._is_closing():
            return
        screen, width, is_old = self.screen_stack[0], self.size.width, self._is_old
        rows = self._rows()
        summary = self._figures.summary(self._answered_at if is_old else datetime.now(UTC))
        if is_old:
            summary = f"as of {self._answered_at.astimezone():%H:%M:%S}: {summary}"
        if not rows:
            summary = ""
        screen.query_one("#summary", Static).update(Text(summary[:width], style="dim" if is_old else ""))
        screen.query_one("#header", Static).update(styled(header_line(width)))
        listed: RowList[RowKey] = screen.query_one("#rows", RowList)
        listed.show([row.key for row in rows], lambda index: row_line(rows[index], width, is_old=is_old))
        self._show_detail()

    def show_passed(self) -> None:
        """Show what has passed since the last time."""
        if self._is_closing():
            return
        if monotonic() - self._answered_s > _OLD_AFTER_S:
            self._become_old()
        self._show_detail()
        taken = self._feeder.take()
        for item in taken:
            self._figures.note_passing(item)
            self._count += 1
            self._passed.append((self._count, item))
            if _has_failed(item):
                self._failed.append((self._count, item))
        title, screen = self._tail_title(), self.screen_stack[0]
        if title != self._title:
            self._title = title
            screen.query_one("#tail-title", Static).update(Text(title[: self.size.width], style="dim"))
        tail: RowList[int] = screen.query_one("#tail", RowList)
        if (width := max(self.size.width, 80)) != self._layout.width:
            self._layout.width = width
            tail.refresh()
        if taken or not self._passed:
            self._show_tail()

    def _show_tail(self) -> None:
        passed = list(self._failed if self._is_failed_only else self._passed)
        tail: RowList[int] = self.screen_stack[0].query_one("#tail", RowList)
        tail.show([key for key, _ in passed], lambda index: self._layout.line(passed[index][1]))

    def _tail_title(self) -> str:
        asked = self._request
        parts = [
            f"{name} {value}"
            for name, value in (("to", asked.destination), ("route", asked.route), ("of", asked.source))
            if value
        ]
        parts += ["failed only"] * self._is_failed_only + [self._filter] * bool(self._filter)
        title = f"── what passes{': ' if parts else ''}{', '.join(map(shown, parts))} "
        if self._feeder.lost:
            title += f"── {counted(self._feeder.lost, 'line')} lost: this terminal is too slow "
        if note := self._feeder.note:
            title += f"── {shown(note)} "
        return title.ljust(self.size.width, "─")

    def _follow(self, written: str) -> None:
        """Show only what this filter lets through; of a rule, from now on. A mistake in it is said, and changes nothing."""
        wanted: list[Wants] = []
        is_rule = bool(written)
        if written:
            try:
                wanted = [self._compile_rule(written)]
            except (UsageError, ConfigError) as error:
                if ":" in written:
                    self._tell(str(error).splitlines()[0])
                    return
                wanted, is_rule = [has_words(written)], False
        self._note = ""
        self._feeder.stop()
        self._filter = written
        self._request = self._request.model_copy(update={"with_body": is_rule})
        self._feeder = Feeder(self._where, self._request, wanted)
        self._feeder.start()
        self._passed.clear()
        self._failed.clear()

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        """Open the event of a line of the tail."""
        if event.rows.id == "tail":
            item = next((item for key, item in (*self._passed, *self._failed) if key == event.key), None)
            if item is not None:
                self.push_screen(EventScreen(self._where, item.event_id))

    @work(exclusive=True, group="pause")
    async def action_pause(self) -> None:
        """Ask, and pause the destination with the cursor, or resume it."""
        row = self._row_with_cursor()
        if row is None or row.kind is not RowKind.DESTINATION:
            self._tell("move the cursor to a destination to pause or resume it")
            return
        verb = "Resume" if row.is_paused else "Pause"
        more = "" if row.is_paused else " What comes for it is kept until it is resumed."
        if await self.push_screen_wait(Question(f"{verb} {shown(row.name)}?{more}")):
            change = partial(change_pause, self._where, row.name, is_to_pause=not row.is_paused)
            self._tell(await start_in_thread(change, name="pause"))
            self.ask_again()

    @work(exclusive=True, group="filter")
    async def action_filter(self) -> None:
        """Ask for a filter, and use it."""
        written = await self.push_screen_wait(FilterInput(self._filter))
        if written is not None:
            self._follow(written)

    def action_failed(self) -> None:
        """Show only attempts that failed, or everything again."""
        self._is_failed_only = not self._is_failed_only
        self._show_tail()

    def action_help(self) -> None:
        """Show what every key does."""
        self.push_screen(HelpScreen())


def _has_failed(item: Passing) -> bool:
    return isinstance(item, PassingAttempt) and item.has_failed
