"""Every command in a process of its own, as a person runs it. Most tests run commands in their own process, which must be the same."""

import re
from pathlib import Path

import pytest

from forwarder.cli import _MODULES as COMMANDS
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import configure, stopped
from tests.support.process import HANDLE_SIGNALS, KEY, command, command_as_process, forwarder, look

READ_ONLY = (
    "check",
    "test",
    "status",
    "events",
    "deliveries",
    "deliveries --status dead --json",
    "dead list",
    "gaps",
    "audit",
    "outbox check",
    "preview bot",
    "explain --event event.json",
    "backtest",
    "schema",
    "status --nonsense",
    "deliveries show nothing",
)
CHANGING = (
    "send bot",
    "pause bot",
    "resume bot",
    "reconnect",
    "reload",
    "replay --since 1h --to bot --wait",
)
WITHOUT_DAEMON = ("upgrade", "status", "reload")
NUMBER = re.compile(r"[\d.:]+")


@pytest.mark.parametrize("shown", ["--help", "--version", "no-such-command"])
async def test_what_the_program_says_of_itself(shown: str) -> None:
    assert await command_as_process(shown) == await command(shown)


async def test_every_command_is_the_same_in_a_process_of_its_own(tmp_path: Path) -> None:
    tried = {line.split()[0] for line in READ_ONLY + CHANGING + WITHOUT_DAEMON} | HANDLE_SIGNALS  # always processes
    assert tried == set(COMMANDS)
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        (tmp_path / "event.json").write_bytes(packaged_events()[0])
        bot.respond = lambda _: Answer(status=400 if bot.received == 1 else 200)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for frame in packaged_events()[:3]:
                await emulator.send(frame)
            settled = "SELECT count(*) FROM deliveries WHERE status IN ('delivered', 'dead')"
            await until(
                lambda: look(tmp_path / "outbox.db", settled) == [(3,)], limit_s=90, what="three outcomes on disk"
            )
            for line in READ_ONLY:
                words = [str(tmp_path / word) if word == "event.json" else word for word in line.split()]
                if words[0] != "schema":
                    words += ["-c", str(config)]
                here, apart = await command(*words), await command_as_process(*words)
                assert shape(here) == shape(apart), line
            for line in CHANGING:
                code, out, err = await command_as_process(*line.split(), "-c", str(config))
                assert (code, err) == (0, ""), (line, out)
            await stopped(daemon)
        for line in WITHOUT_DAEMON:
            words = [*line.split(), "-c", str(config)]
            assert await command(*words) == await command_as_process(*words), line


def shape(result: tuple[int, str, str]) -> tuple[int, str, str]:
    """Return it without what differs from one moment to the next."""
    code, out, err = result
    return code, NUMBER.sub("0", out), NUMBER.sub("0", err)
