"""The help of `top`."""

from pathlib import Path

import pytest

from forwarder.cli.top_help import HelpScreen
from tests.cli.test_tail import scene
from tests.cli.test_top_app import top


@pytest.mark.parametrize(("opens", "closes"), [("question_mark", "escape"), ("h", "q"), ("question_mark", "h")])
async def test_it_names_every_key_and_closes(tmp_path: Path, opens: str, closes: str) -> None:
    async with scene(tmp_path) as on, top(on.config) as screen:
        await screen.shows("dest   bot", "? Help")
        await screen.press(opens)
        await screen.until(lambda: isinstance(screen.app.screen, HelpScreen), "the help")
        await screen.shows("pause or resume", "only attempts that failed", "open the event", "send it again", "quit")
        await screen.press(closes)
        await screen.until(lambda: not isinstance(screen.app.screen, HelpScreen), "the help is gone")
        assert screen.app.is_running
