"""`forwarder top` as a command: what it needs, and a whole session in a real terminal."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.cli.test_tail import scene
from tests.support.crash import until
from tests.support.delivery import configure
from tests.support.process import KEY, command

REQUIRED = os.environ.get("FORWARDER_TEST_TMUX") == "required"
TMUX = shutil.which("tmux") or "tmux"
in_tmux = pytest.mark.skipif(
    shutil.which("tmux") is None and not REQUIRED, reason="needs tmux, a real terminal without a screen"
)
WITHOUT = """
import sys
sys.modules["textual"] = None
from forwarder.cli import main
sys.exit(main(sys.argv[1:]))
"""


async def test_without_textual_it_says_what_to_install(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WITHOUT, "top", "-c", str(on.config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert (process.returncode, out) == (exit_codes.FAILURE, b"")
    assert b"forwarder top needs the library Textual" in err
    assert b"-m pip install 'textual" in err
    assert b"Traceback" not in err


async def test_it_needs_a_daemon_and_a_terminal_and_filters_that_can_match(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        for options, said in (
            ((), "forwarder top needs a terminal"),
            (("--destination", "bott"), 'did you mean "bot"?'),
            (("--match", "txt: a"), "txt: unknown field"),
        ):
            code, out, err = await command("top", *options, "-c", str(on.config))
            assert (code, out) == (exit_codes.USAGE, "")
            assert said in err
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
    code, out, err = await command("top", "-c", str(config))
    assert (code, out) == (exit_codes.NO_DAEMON, "")
    assert "no forwarder answers" in err


class Terminal:
    """A terminal of its own, of tmux, in which a command runs."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def tmux(self, *arguments: str) -> str:
        """Run a command of tmux; return what it prints."""
        kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
        done = subprocess.run(
            [TMUX, "-S", str(self._socket), "-f", "/dev/null", *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**kept, "TERM": "xterm-256color"},
        )
        return done.stdout

    async def press(self, *keys: str) -> None:
        await asyncio.to_thread(self.tmux, "send-keys", "-t", "top", *keys)

    async def shows(self, *texts: str) -> str:
        """Return what is on the screen once it has all of these texts."""
        screen = ""

        def has_all() -> bool:
            nonlocal screen
            screen = self.tmux("capture-pane", "-p", "-t", "top")
            return all(text in screen for text in texts)

        await self._until(has_all, f"the terminal shows {texts}", lambda: screen)
        return screen

    async def ended(self) -> str:
        """Return what is on the terminal once the command has ended."""
        return await self.shows("ended with 0")

    async def _until(self, holds: Callable[[], bool], what: str, seen: Callable[[], str]) -> None:
        try:
            await until(holds, limit_s=90, what=what)
        except TimeoutError as error:
            raise AssertionError(f"{what}, but it shows:\n{seen()}") from error


@asynccontextmanager
async def terminal(folder: Path, config: Path, *, size: tuple[int, int], env: str = "") -> AsyncIterator[Terminal]:
    """Run `top` in a terminal of this size; the shell says how it ended."""
    made = Terminal(folder / "tmux")
    line = f"{env} {sys.executable} -m forwarder top -c {config}; echo ended with $?; read -r _"
    path = os.environ.get("PYTHONPATH", "")
    width, height = map(str, size)
    await asyncio.to_thread(
        made.tmux,
        *("new-session", "-d", "-s", "top", "-x", width, "-y", height, f"PYTHONPATH={path} sh -c '{line}'"),
    )
    try:
        yield made
    finally:
        await asyncio.to_thread(made.tmux, "kill-server")


@in_tmux
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_session_in_a_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    async with scene(tmp_path) as on, terminal(tmp_path, on.config, size=size) as term:
        await term.shows("OK", "stream main", "dest   bot", "what passes", "Quit")
        await on.send(3)
        screen = await term.shows("text 3", "✓", "open, 3 events")
        assert len(screen.rstrip("\n").splitlines()) == size[1]
        await term.press("j")
        await term.press("p")
        await term.shows("Pause bot?")
        await term.press("y")
        await term.shows("paused: from forwarder top")
        await on.send()
        await term.shows("1 waiting")
        await term.press("p")
        await term.shows("Resume bot?")
        await term.press("y")
        await term.shows("4 events matched", "bot is resumed")
        await term.press("Tab", "k", "Enter")
        await term.shows("event ", "attempt 1", '"text": "text')
        await term.press("q")
        await term.shows("what passes")
        await term.press("q")
        assert "what passes" not in await term.ended()


@in_tmux
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
async def test_the_terminal_is_as_it_was_after_it_is_ended(tmp_path: Path, how: str) -> None:
    async with scene(tmp_path) as on, terminal(tmp_path, on.config, size=(80, 24)) as term:
        await term.shows("dest   bot", "Quit")
        if how == "Ctrl-C":
            await term.press("C-c")
        else:
            shell = await asyncio.to_thread(term.tmux, "display-message", "-p", "-t", "top", "#{pane_pid}")
            (child,) = Path(f"/proc/{shell.strip()}/task/{shell.strip()}/children").read_text(encoding="utf-8").split()
            os.kill(int(child), signal.SIGTERM)
        assert "what passes" not in await term.ended()
        assert await asyncio.to_thread(term.tmux, "display-message", "-p", "-t", "top", "#{alternate_on}") == "0\n"


@in_tmux
async def test_with_no_color_there_are_no_colours(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        for env, has_colours in (("NO_COLOR=1", False), ("", True)):
            folder = tmp_path / (env or "coloured")
            folder.mkdir()
            async with terminal(folder, on.config, size=(80, 24), env=env) as term:
                await term.shows("dest   bot", "Quit")
                await on.send()
                await term.shows("✓")
                written = await asyncio.to_thread(term.tmux, "capture-pane", "-p", "-e", "-t", "top")
                numbers = {
                    number
                    for sequence in written.split("\x1b[")[1:]
                    for number in sequence.partition("m")[0].split(";")
                }
                coloured = {
                    number for number in numbers if len(number) == 2 and number[0] in "349" and number[1] in "01234568"
                }
                assert bool(coloured) is has_colours, numbers
                await term.press("q")
                await term.ended()
