"""The screen of an event reads the outbox again and again, and never more than it can show."""

from pathlib import Path

from forwarder.cli.locations import places_of
from forwarder.cli.top_event import EventScreen
from forwarder.emulator.receiver import Answer
from tests.cli.test_tail import scene
from tests.cli.test_top_app import top
from tests.support.process import look


async def test_a_retry_appears_while_it_is_open(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        on.bot.respond = lambda _: Answer(status=503)
        await on.send()
        await screen.shows("✗ HTTP 503")
        ((event_id,),) = look(tmp_path / "outbox.db", "SELECT id FROM events")
        await screen.app.push_screen(EventScreen(places_of(on.config), event_id))
        await screen.shows("attempt 2", "HTTP 503", "bot: waiting", "waits for ")
        on.bot.respond = lambda _: Answer(status=200)
        await screen.shows("bot: delivered", "HTTP 200")
        await screen.press("R", "y")
        await screen.shows("queued again for bot")
