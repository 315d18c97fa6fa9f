"""`events --follow` and `deliveries --follow`: the list, and then what comes."""

import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.cli.test_tail import scene
from tests.support.crash import until
from tests.support.delivery import configure, stopped
from tests.support.process import KEY, command, forwarder, look
from tests.support.streams import numbered
from tests.support.tailing import tailing


async def settled(folder: Path, count: int) -> None:
    """Return once so many deliveries have their outcome on disk."""
    ended = "SELECT count(*) FROM deliveries WHERE status IN ('delivered', 'dead')"
    await until(lambda: look(folder / "outbox.db", ended) == [(count,)], limit_s=90, what="outcomes on disk")


async def test_events_come_after_the_list_whose_newest_is_at_its_end(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        await on.send(3)
        await settled(tmp_path, 3)
        async with tailing("events", "-f", "--limit", "2", config=on.config) as follow:
            head, *listed = [await follow.line() for _ in range(3)]
            assert head.startswith("ACCEPTED")
            assert [line.split()[-1] for line in listed] == ["2", "3"]
            await on.send(2)
            assert "text 4" in await follow.line()
            assert "text 5" in await follow.line()
            assert await follow.ended() == 0


async def test_deliveries_come_as_attempts_with_the_filters_of_the_list(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        on.bot.respond = lambda request: Answer(status=400 if request.body.endswith(b'2"}}') else 200)
        await on.send(2)
        await settled(tmp_path, 2)
        options = ("--status", "dead", "--text", "TEXT", "--json")
        async with tailing("deliveries", "--follow", *options, config=on.config) as follow:
            assert "HTTP 400" in (await follow.record())["reason"]
            await on.send(10)
            record = await follow.record()
            assert (record["event"], record["outcome"], record["text"]) == ("attempt", "dead", "text 12")
            assert await follow.ended() == 0
        async with tailing("deliveries", "-f", "--mid", "13", config=on.config) as follow:
            assert (await follow.line()).startswith("ACCEPTED")  # the list is empty
            await on.send(2)
            lines = await follow.lines_until(lambda line: "text 13" in line)
            assert "✓" in lines[-1]
            assert await follow.ended() == 0
        async with tailing("deliveries", "-f", "--failed", "--json", config=on.config) as follow:
            listed = [await follow.record() for _ in range(2)]
            assert all("HTTP 400" in each["last_failure"] for each in listed)
            await on.send(10)
            record = await follow.record()
            assert (record["event"], record["outcome"]) == ("attempt", "dead")
            assert await follow.ended() == 0


async def test_what_passed_while_the_daemon_was_replaced_is_filled_in_from_the_outbox(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, AsyncExitStack() as running:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        first, second, third = numbered(3)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(first)
            await settled(tmp_path, 1)
            follow = await running.enter_async_context(tailing("events", "-f", config=config))
            assert (await follow.line()).startswith("ACCEPTED")
            assert (await follow.line()).split()[-1] == "1"
            await stopped(daemon)
            await follow.noted("waiting for it to be back")
        follow.process.send_signal(signal.SIGSTOP)  # so that it comes back late
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(second)
            await settled(tmp_path, 2)
            follow.process.send_signal(signal.SIGCONT)
            await follow.noted("what passed meanwhile is in the list that follows")
            assert (await follow.line()).startswith("ACCEPTED")
            assert (await follow.line()).split()[-1] == "2"
            await emulator.send(third)
            assert "text 3" in await follow.line()
            assert await follow.ended() == 0
            await stopped(daemon)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("events -f --until 1h", "leave out --until"),
        ("deliveries -f --status skipped", "it is one of delivered, dead, expired, waiting, pending"),
        ("events -f --destination bott", 'no destination is called "bott"'),
    ],
)
async def test_what_does_not_go_with_it_is_a_sentence(tmp_path: Path, line: str, said: str) -> None:
    async with scene(tmp_path) as on:
        code, _, err = await command(*line.split(), "-c", str(on.config))
    assert code == exit_codes.USAGE
    assert said in err


async def test_without_a_daemon_nothing_can_follow(tmp_path: Path) -> None:
    async with scene(tmp_path) as on:
        pass
    code, _, err = await command("events", "-f", "-c", str(on.config))
    assert code == exit_codes.NO_DAEMON
    assert "no forwarder answers" in err
