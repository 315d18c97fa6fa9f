"""The screen of `top` under Textual's pilot, with a real daemon."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from forwarder.cli.locations import places_of
from forwarder.cli.tail import rule_of
from forwarder.cli.top_app import TopApp
from forwarder.cli.top_event import EventScreen
from forwarder.cli.top_figures import RowKind
from forwarder.cli.top_widgets import FilterInput, Question, RowList
from forwarder.core.commands import Watch
from forwarder.emulator.receiver import Answer
from tests.cli.test_tail import Scene, scene
from tests.cli.test_terminal import active
from tests.cli.test_terminal import event as evil_event
from tests.support.crash import until
from tests.support.delivery import status, stopped
from tests.support.process import forwarder, look

LIMIT_S = 60


class Screen:
    """The screen of a running app, as a person sees it and presses keys."""

    def __init__(self, app: TopApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    def text(self) -> str:
        """Return all that is on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def plain(self, widget: str) -> str:
        """Return what a widget shows."""
        return str(self.app.screen_stack[0].query_one(widget, Static).render())

    def rows(self) -> RowList[Any]:
        return self.app.screen_stack[0].query_one("#rows", RowList)

    def tail(self) -> RowList[Any]:
        return self.app.screen_stack[0].query_one("#tail", RowList)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Return once that holds."""
        try:
            await until(holds, limit_s=LIMIT_S, what=what)
        except TimeoutError as error:
            raise AssertionError(f"{what}, but it shows:\n{self.text()}") from error

    async def shows(self, *texts: str) -> None:
        """Return once the screen has all of these texts."""
        await self.until(lambda: all(text in self.text() for text in texts), f"the screen shows {texts}")


@asynccontextmanager
async def top(
    config: Path, *, size: tuple[int, int] = (80, 24), request: Watch | None = None, match: str | None = None
) -> AsyncIterator[Screen]:
    where = places_of(config)
    app = TopApp(where, request or Watch(), match=match, compile_rule=partial(rule_of, where), routes=("route 1",))
    async with app.run_test(size=size) as pilot:
        yield Screen(app, pilot)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (200, 60)])
async def test_it_shows_the_verdict_the_figures_and_what_passes(tmp_path: Path, size: tuple[int, int]) -> None:
    async with scene(tmp_path) as on, top(on.config, size=size) as screen:
        await screen.shows("OK", "stream main", "dest   bot", "route  route 1", "what passes")
        await on.send(3)
        await screen.shows("text 3", "✓", "3 events matched", "open, 3 events", "events/s")
        lines = screen.text().splitlines()
        assert len(lines) == size[1]
        assert lines[0] == "OK"
        assert "Quit" in lines[-1]
        assert max(map(len, lines)) <= size[0]


async def test_the_cursor_begins_at_the_first_row_also_where_the_screen_is_drawn_before_the_daemon_answers(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        screen.app.show_rows()
        await screen.shows("dest   bot")
        assert screen.rows().cursor == (RowKind.STREAM, "main")


async def test_it_pauses_and_resumes_a_destination_after_a_question(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        await screen.shows("dest   bot")
        await screen.press("p")
        await screen.shows("move the cursor to a destination")
        await screen.press("down", "p")
        await screen.until(lambda: isinstance(screen.app.screen, Question), "the question")
        assert "Pause bot?" in screen.text()
        await screen.press("n")
        await screen.until(lambda: not isinstance(screen.app.screen, Question), "the question is gone")
        assert (await status(on.config))["destinations"]["bot"]["paused"] is None
        await screen.press("p", "y")
        await screen.shows("paused: from", "bot is paused")
        assert (await status(on.config))["destinations"]["bot"]["paused"]["why"] == "from forwarder top"
        await on.send()
        await screen.shows("1 waiting")
        await screen.press("p")
        await screen.shows("Resume bot?")
        await screen.press("y")
        await screen.shows("bot is resumed", "✓")
        assert (await status(on.config))["destinations"]["bot"]["paused"] is None


async def test_it_opens_an_event_and_sends_it_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        on.bot.respond = lambda _: Answer(status=400, body=b"no such chat")
        await on.send()
        await screen.shows("✗ dead: HTTP 400")
        await screen.press("tab", "up", "enter")
        await screen.until(lambda: isinstance(screen.app.screen, EventScreen), "the event's screen")
        await screen.shows("event ", "bot: dead", "attempt 1", "answer: no such chat", '"text": "text 1"')
        on.bot.respond = lambda _: Answer(status=200)
        await screen.press("r")
        await screen.shows("Send this event to bot again?")
        await screen.press("n", "p", "f", "R")  # the keys of the first screen do nothing here
        await screen.shows("Send this event to bot again?")
        await screen.press("y")
        await screen.shows("queued again for bot", "bot: delivered", "attempt 2")
        assert look(tmp_path / "outbox.db", "SELECT status FROM deliveries") == [("delivered",)]
        await screen.press("escape")
        await screen.shows("what passes")
        assert "failed only" not in screen.text()


async def test_the_cursor_of_the_tail_stays_on_its_line_until_the_end_is_followed_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        await on.send(2)
        await screen.until(lambda: len(screen.tail()._keys) == 4, "four lines")
        await screen.press("tab", "up", "up", "up")
        chosen = screen.tail().cursor
        await on.send(100)
        await screen.until(lambda: len(screen.tail()._keys) == 204, "all lines")
        assert screen.tail().cursor == chosen
        assert "text 102" not in screen.text()
        await screen.press("end")
        await screen.shows("text 102")
        assert screen.tail().cursor is None
        for keys in (("pageup", "pageup"), ("home",)):
            await screen.press(*keys)
        assert screen.tail().cursor == 1
        await screen.press("escape")
        assert screen.tail().cursor is None


async def filtered(screen: Screen, written: str) -> None:
    """Ask for a filter."""
    await screen.press("slash")
    await screen.until(lambda: isinstance(screen.app.screen, FilterInput), "the input")
    screen.app.screen.query_one("#filter").value = written  # type: ignore[attr-defined] # it is an input
    await screen.press("enter")
    await screen.until(lambda: not isinstance(screen.app.screen, FilterInput), "the input is gone")


async def test_filters_narrow_what_passes(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config, match="text: {word: '1'}") as screen:
        await screen.shows("what passes: text: {word: '1'}")
        await until_watched(on)
        await on.send(2)
        await screen.until(lambda: len(screen.tail()._keys) == 2, "two lines")
        for written, sent, count in (("two", 2, 0), ("text 6", 2, 2), ("", 1, 2)):
            await filtered(screen, written)
            await until_watched(on)
            await on.send(sent)
            await on.bot.wait_for(on._sent)
            await screen.until(lambda count=count: len(screen.tail()._keys) == count, f"{count} lines of {written}")  # type: ignore[misc]
        await filtered(screen, "txt: x")
        await screen.shows("txt: unknown field")
        await screen.press("f")
        await screen.shows("failed only")
        await until_watched(on)
        on.bot.respond = lambda _: Answer(status=400)
        await on.send()
        await screen.until(lambda: len(screen.tail()._keys) == 1, "the failed attempt")
        await screen.press("slash", "escape", "f")
        await screen.until(lambda: "failed only" not in screen.text(), "everything again")


async def test_failed_only_keeps_the_failed_attempts_that_were_in_the_list(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        on.bot.respond = lambda _: Answer(status=400)
        await on.send()
        await screen.shows("✗ dead: HTTP 400")
        on.bot.respond = None
        await on.send()
        await screen.shows("✓")
        count = len(screen.tail()._keys)
        await screen.press("f")
        await screen.shows("failed only", "✗ dead: HTTP 400")
        assert len(screen.tail()._keys) == 1
        await screen.press("f")
        assert len(screen.tail()._keys) == count


async def test_the_figures_of_a_daemon_that_stands_still_or_ended_are_dimmed_and_the_cause_is_visible(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as on:
        pass
    async with forwarder(on.config) as daemon, top(on.config) as screen:
        await screen.shows("dest   bot", "up ")
        assert "as of" not in screen.text()
        os.kill(daemon.process.pid, signal.SIGSTOP)
        await screen.shows("as of ")
        await screen.shows("NO ANSWER", "it is stopped, by SIGSTOP", f"`kill -CONT {daemon.process.pid}`")
        assert {str(span.style) for span in screen.rows().render().spans} >= {"dim"}
        os.kill(daemon.process.pid, signal.SIGCONT)
        await screen.until(lambda: "as of" not in screen.text() and "NO ANSWER" not in screen.text(), "it is back")
        await stopped(daemon)
        await screen.shows("NO DAEMON", "as of ")


async def test_the_reason_of_a_destination_that_is_down_is_visible_whole(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        await screen.shows("dest   bot")
        on.bot.respond = lambda _: Answer(status=503, body=b"maintenance")
        await on.send(3)
        await screen.press("down")
        await screen.shows("bot: down: HTTP 503: maintenance, 3 waiting")


async def until_watched(on: Scene) -> None:
    """Return once the daemon sends to a watcher that began after this call: one more is answered after it."""
    await status(on.config)


async def test_it_says_that_the_daemon_is_away_and_comes_back(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        pass
    async with forwarder(on.config) as first, top(on.config) as screen:
        await screen.shows("dest   bot")
        await stopped(first)
        await screen.shows("NO DAEMON: no forwarder answers")
        async with forwarder(on.config) as again:
            await screen.until(lambda: "NO DAEMON" not in screen.text(), "it is back")
            await screen.shows("stream main")
            await stopped(again)


async def test_nothing_of_an_event_acts_upon_the_screen(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config, size=(140, 40)) as screen:
        await on.emulator.send(evil_event(1))
        await screen.shows("✓")
        assert not active(screen.text())
        await screen.press("tab", "up", "enter")
        await screen.until(lambda: isinstance(screen.app.screen, EventScreen), "the event's screen")
        await screen.shows("bot: delivered")
        assert not active(screen.text())


async def test_an_event_that_the_outbox_does_not_have_is_a_sentence(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        await screen.app.push_screen(EventScreen(places_of(on.config), "0" * 32))
        await screen.shows("the outbox does not have this event (yet)")
        await screen.press("R", "r", "q")
        await screen.shows("what passes")


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_a_key_ends_it_and_its_watch(tmp_path: Path, key: str) -> None:
    async with scene(tmp_path) as on:
        async with top(on.config) as screen:
            await screen.shows("dest   bot")
            await screen.press(key)
            await screen.until(lambda: not screen.app.is_running, "it has ended")
        await until(lambda: not screen.app._feeder._thread.is_alive(), limit_s=LIMIT_S, what="the feeder ends")


async def test_a_timer_that_fires_while_it_closes_does_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        await screen.shows("dest   bot")
        await screen.app.screen_stack[0].remove_children()
        await on.send()
        screen.app.show_passed()
        screen.app.show_rows()
