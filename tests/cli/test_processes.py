"""Every command in a process of its own, as a person runs it. Most tests run commands in their own process, which must be the same."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from forwarder.cli import COMMANDS
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import configure, stopped
from tests.support.process import HANDLE_SIGNALS, KEY, command, command_as_process, forwarder, look

READ_ONLY = {
    "the config": (
        "check",
        "check --json .",
        "test",
        "preview bot",
        "explain --event event.json",
        "schema",
        "completion bash",
        "init",
    ),
    "the history": (
        "events",
        "deliveries",
        "deliveries --status dead --json",
        "deliveries show nothing",
        "dead list",
        "gaps",
        "actions",
    ),
    "the state": ("status", "status --nonsense", "audit", "outbox check", "backtest"),
}
CHANGING = (
    "send bot",
    "pause bot",
    "resume bot",
    "reconnect",
    "log-level debug --for 1h",
    "reload",
    "replay --since 1h --to bot --wait",
    "resend 2006700000014692368",
    "forget --author novadesk --dry-run",
)
WITHOUT_DAEMON = ("upgrade", "status", "reload", "support /dev/null")
NUMBER = re.compile(r"[\d.:]+")


@pytest.mark.parametrize("shown", ["--help", "--version", "no-such-command"])
async def test_what_the_program_says_of_itself(shown: str) -> None:
    assert await command_as_process(shown) == await command(shown)


def test_every_command_is_here() -> None:
    lines = [*(line for lines in READ_ONLY.values() for line in lines), *CHANGING, *WITHOUT_DAEMON]
    assert {line.split()[0] for line in lines} | HANDLE_SIGNALS == set(COMMANDS)  # these are processes in every test


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Path]:
    """Run a daemon that has had one dead letter and two deliveries, and yield its config."""
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(folder, emulator, {"bot": (bot, "")})
        bot.respond = lambda _: Answer(status=400 if bot.received == 1 else 200)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for frame in packaged_events()[:3]:
                await emulator.send(frame)
            settled = "SELECT count(*) FROM deliveries WHERE status IN ('delivered', 'dead')"
            await until(
                lambda: look(folder / "outbox.db", settled) == [(3,)], limit_s=90, what="three outcomes on disk"
            )
            yield config
            await stopped(daemon)


@pytest.mark.parametrize("what", READ_ONLY)
async def test_commands_that_read_are_the_same_in_a_process_of_their_own(tmp_path: Path, what: str) -> None:
    (tmp_path / "event.json").write_bytes(packaged_events()[0])
    async with scene(tmp_path) as config:
        for line in READ_ONLY[what]:
            words = [str(tmp_path / word) if word == "event.json" else word for word in line.split()]
            if words[0] not in {"schema", "completion", "init"}:
                words += ["-c", str(config)]
            here, apart = await command(*words), await command_as_process(*words)
            assert shape(here) == shape(apart), line


async def test_commands_that_change_something_work_in_a_process_of_their_own(tmp_path: Path) -> None:
    async with scene(tmp_path) as config:
        for line in CHANGING:
            code, out, err = await command_as_process(*line.split(), "-c", str(config))
            assert (code, err) == (0, ""), (line, out)


async def test_without_a_daemon_commands_are_the_same_in_a_process_of_their_own(tmp_path: Path) -> None:
    async with scene(tmp_path) as config:
        pass
    for line in WITHOUT_DAEMON:
        words = [*line.split(), "-c", str(config)]
        assert await command(*words) == await command_as_process(*words), line


def shape(result: tuple[int, str, str]) -> tuple[int, str, str]:
    """Return it without what differs from one moment to the next."""
    code, out, err = result
    return code, NUMBER.sub("0", out), NUMBER.sub("0", err)
