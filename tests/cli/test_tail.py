"""`forwarder tail` of a running daemon, as a process."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.cli.test_terminal import EVIL, active
from tests.cli.test_terminal import event as evil_event
from tests.support.crash import until
from tests.support.delivery import configure, stopped
from tests.support.process import KEY, command, forwarder
from tests.support.streams import numbered
from tests.support.tailing import tailing

EXTRA = "matchers:\n  two: {text: {word: '2'}}\n"


class Scene:
    """A daemon with a stream and a receiver."""

    def __init__(self, config: Path, emulator: Emulator, bot: Receiver) -> None:
        self.config = config
        self.emulator = emulator
        self.bot = bot
        self._sent = 0

    async def send(self, count: int = 1) -> None:
        """Have the stream bring events, whose texts are numbers."""
        for frame in numbered(count, first=self._sent + 1):
            await self.emulator.send(frame)
        self._sent += count


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(folder, emulator, {"bot": (bot, "")}, extra=EXTRA)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            yield Scene(config, emulator, bot)
            await stopped(daemon)


async def test_it_shows_each_event_and_each_attempt_until_ctrl_c(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, tailing("tail", config=on.config) as tail:
        await tail.noted("watching forwarder")
        await on.send()
        event, attempt = await tail.line(), await tail.line()
        assert event[9:].split() == ["x", "-", "text", "1", "route", "1", "→", "bot"]
        assert attempt[9:].split()[:9] == ["x", "-", "text", "1", "route", "1", "→", "bot", "✓"]
        assert max(map(len, (event, attempt))) <= 80
        on.bot.respond = lambda _: Answer(status=400, body=b"no")
        await on.send()
        assert "bot ✗ dead: HTTP 400" in (await tail.lines_until(lambda line: "✗" in line))[-1]
        assert await tail.ended(signal.SIGINT) == 0
        assert len(tail.notes) == 1


async def test_the_json_is_what_the_daemon_sends(tmp_path: Path) -> None:
    async with scene(tmp_path) as on, tailing("tail", "--json", config=on.config) as tail:
        await tail.noted("watching forwarder")
        await on.send()
        event, attempt = await tail.record(), await tail.record()
        assert (event["event"], event["result"], event["stream"]) == ("event", "matched", "main")
        assert event["destinations"] == {"bot": ["route 1"]}
        assert (attempt["event"], attempt["outcome"], attempt["status"]) == ("attempt", "delivered", 200)
        assert attempt["event_id"] == event["event_id"]
        code, out, _ = await command("deliveries", "show", attempt["delivery_id"], "--json", "-c", str(on.config))
        assert (code, json.loads(out)["destination"]) == (0, "bot")
        assert await tail.ended(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (("--match", "text: {word: '2'}"), ["text 2", "text 2"]),
        (("--match", "two"), ["text 2", "text 2"]),
        (("--match", "not: {matcher: two}", "--failed"), ["text 3"]),
        (("--failed", "--destination", "bot", "--route", "route 1", "--source", "x"), ["text 3"]),
        (("--source", "rss"), []),
    ],
)
async def test_filters_show_only_what_is_wanted(tmp_path: Path, options: tuple[str, ...], texts: list[str]) -> None:
    async with (
        scene(tmp_path) as on,
        tailing("tail", "--json", *options, config=on.config) as tail,
        tailing("tail", "--json", config=on.config) as whole,
    ):
        await tail.noted("watching forwarder")
        await whole.noted("watching forwarder")
        on.bot.respond = lambda request: Answer(status=400 if b"text 3" in request.body else 200)
        await on.send(4)
        everything = [await whole.record() for _ in range(8)]
        assert {each["text"] for each in everything} == {"text 1", "text 2", "text 3", "text 4"}
        found = [await tail.record() for _ in texts]
        assert [each["text"] for each in found] == texts
        assert not any("body" in each for each in found)
        assert await tail.ended() == 0
        assert await tail.line() == ""


async def test_a_filter_that_cannot_match_is_a_mistake_of_usage(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        for options, said in (
            (("--match", "txt: a"), '--match:1:6: txt: unknown field; did you mean "text"?'),
            (("--match", "tow"), 'did you mean "two"?'),
            (("--destination", "bott"), 'no destination is called "bott"; did you mean "bot"?'),
            (("--route", "every"), 'no route is called "every"'),
            (("--source", "twitter"), "twitter"),
        ):
            code, out, err = await command("tail", *options, "-c", str(on.config))
            assert (code, out) == (exit_codes.USAGE, "")
            assert said in err


async def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
    code, out, err = await command("tail", "-c", str(config))
    assert (code, out) == (exit_codes.NO_DAEMON, "")
    assert "no forwarder answers" in err


async def test_it_comes_back_to_a_daemon_that_was_restarted_or_upgraded(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            async with tailing("tail", "--json", config=config) as tail:
                await tail.noted("watching forwarder")
                await stopped(daemon)
                await tail.noted("the daemon ended; waiting for it to be back")
                async with forwarder(config) as again:
                    await tail.noted(f"forwarder is back (process {again.process.pid} instead of {daemon.process.pid})")
                    await emulator.wait_connected()
                    await emulator.send(next(numbered(1)))
                    assert (await tail.record())["text"] == "text 1"
                    assert (await tail.record())["outcome"] == "delivered"
                    async with forwarder(config, "--takeover") as successor:
                        await again.ended()
                        await tail.noted(f"(process {successor.process.pid} instead of {again.process.pid})")
                        await emulator.send(next(numbered(1, first=2)))
                        assert (await tail.record())["text"] == "text 2"
                        assert await tail.ended() == 0
                        await stopped(successor)


async def test_a_stopped_terminal_slows_nothing_loses_lines_and_says_how_many(tmp_path: Path) -> None:
    sent = 4_000
    async with scene(tmp_path) as on, tailing("tail", "--json", config=on.config) as tail:
        await tail.noted("watching forwarder")
        tail.process.send_signal(signal.SIGSTOP)
        await on.send(sent)
        await until(lambda: on.bot.received == sent, limit_s=120, what="everything is delivered")
        tail.process.send_signal(signal.SIGCONT)
        await on.send()
        lost = shown = 0
        while True:
            record = await tail.record()
            if record["event"] == "lost":
                lost += record["lost"]
                continue
            shown += 1
            if record["text"] == f"text {sent + 1}" and record["event"] == "attempt":
                break
        assert lost > 0
        assert lost + shown == 2 * (sent + 1)
        assert await tail.ended() == 0


async def test_one_that_does_not_read_holds_up_neither_an_upgrade_nor_a_stop(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            async with tailing("tail", "--json", config=config) as tail:
                await tail.noted("watching forwarder")
                tail.process.send_signal(signal.SIGSTOP)
                for frame in numbered(1_000):
                    await emulator.send(frame)
                await until(lambda: bot.received == 1_000, limit_s=90, what="everything is delivered")
                async with forwarder(config, "--takeover") as successor:
                    assert await daemon.ended() == 0
                    await successor.wait_for("daemon.ready")
                    await stopped(successor)


@asynccontextmanager
async def started(config: Path, *options: str, stdout: int, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `tail` with this as its output, which is closed here; it watches when the block begins."""
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM", "COLUMNS"}}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", "tail", *options, "-c", str(config)),
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env=kept | env,
    )
    os.close(stdout)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(120):
            assert b"watching forwarder" in await process.stderr.readline()
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_ctrl_c_ends_it_at_once_where_nobody_reads(tmp_path: Path) -> None:
    read, write = os.pipe()
    async with scene(tmp_path) as on, started(on.config, "--json", stdout=write) as process:
        await on.send(1_000)  # more than the pipe holds
        await until(lambda: _waits_for_a_pipe(process.pid), limit_s=60, what="it waits for its reader")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    os.close(read)


def _waits_for_a_pipe(pid: int) -> bool:
    """Return whether a process waits for a write to its output to end (proc(5), x86-64 and ARM)."""
    try:
        number, descriptor, *_ = Path(f"/proc/{pid}/syscall").read_text(encoding="utf-8").split()
    except ValueError:  # it runs
        return False
    return (number in {"1", "64"}) and int(descriptor, 16) == 1


async def test_nobody_who_reads_is_a_broken_pipe(tmp_path: Path) -> None:
    read, write = os.pipe()
    async with scene(tmp_path) as on, started(on.config, stdout=write) as process:
        os.close(read)
        await on.send(2)
        assert await process.wait() == 141


@pytest.mark.parametrize("no_color", [False, True])
async def test_a_terminal_has_colours_and_nothing_of_an_event_acts_upon_it(tmp_path: Path, *, no_color: bool) -> None:
    ours, theirs = pty.openpty()
    env = {"TERM": "xterm", **({"NO_COLOR": "1"} if no_color else {})}
    async with scene(tmp_path) as on, started(on.config, stdout=theirs, **env) as process:
        await on.emulator.send(evil_event(1))

        def read() -> str:
            written = b""
            while written.count(b"\n") < 2:
                written += os.read(ours, 1 << 16)
            return written.decode()

        written = await asyncio.to_thread(read)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    os.close(ours)
    assert ("\x1b[" in written) is not no_color
    plain = written.replace("\r\n", "\n")
    for colour in ("0", "1", "2", "31", "32", "36", "93"):
        plain = plain.replace(f"\x1b[{colour}m", "")
    assert not active(plain)
    assert EVIL not in plain
