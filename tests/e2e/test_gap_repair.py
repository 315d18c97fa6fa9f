"""What was posted while a stream was away comes once, marked: the real daemon, the emulator's stream and its history."""

import asyncio
import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import assert_balanced, ok, status_text, stopped
from tests.support.process import KEY, Forwarder, forwarder, look

AUTHORS = ("44196397", "12", "783214")


def write_config(folder: Path, emulator: Emulator, receiver: Receiver, *, route: str = "to: [bot]") -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}, use_fast_x: true}}]\n"
        f"outbox: {{url: 'sqlite:outbox.db'}}\ndestinations: {{bot: {{url: '{receiver.url}'}}}}\nroutes: [{{{route}}}]\n",
        encoding="utf-8",
    )
    return path


def post(number: int, *, source: str = "x") -> bytes:
    """Return a post of now."""
    sid, now_ms = AUTHORS[number % len(AUTHORS)], time.time_ns() // 1_000_000
    mid = ((now_ms - 1_288_834_974_657) << 22) | number
    payload = {"id": str(mid), "text": f"text {number}", "lang": "en", "author": {"id": sid, "screen_name": f"a{sid}"}}
    event = {"mid": str(mid), "sid": sid, "source": source, "timestamp": now_ms, "payload": payload}
    return json.dumps(event, separators=(",", ":")).encode()


async def send(emulator: Emulator, numbers: Sequence[int]) -> list[str]:
    """Send posts; return their texts."""
    for number in numbers:
        await emulator.send(post(number))
    return [f"text {number}" for number in numbers]


def texts(receiver: Receiver, *, recovered: bool | None = None) -> list[str]:
    return [
        json.loads(request.body)["payload"]["text"]
        for request in receiver.requests
        if request.accepted and recovered in {None, request.headers.get("x-forwarder-recovered") == "true"}
    ]


def of_the_gap(folder: Path, receiver: Receiver) -> int:
    """Return how many of the posts that have arrived are from the time of the only gap."""
    ((began_ms, ended_ms),) = look(folder / "outbox.db", "SELECT began_ms, ended_ms FROM gaps")
    posted_ms = [json.loads(request.body)["timestamp"] for request in receiver.requests if request.accepted]
    return sum(began_ms <= each <= ended_ms for each in posted_ms)


async def cut_off(emulator: Emulator, daemon: Forwarder) -> None:
    """Have the daemon without its stream until `clear`."""
    emulator.refuse(503, path="/ws")
    await emulator.drop()
    await daemon.wait_for("stream.unavailable")


async def arrive(receiver: Receiver, count: int) -> None:
    await receiver.wait_until(lambda receiver: len(texts(receiver)) >= count, 90, f"{count} deliveries")


async def gaps(config: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (await ok(config, "gaps", "--json")).splitlines()]


async def test_what_was_missed_comes_once_and_says_so(tmp_path: Path) -> None:
    async with Emulator() as emulator, Receiver() as bot:
        config = write_config(tmp_path, emulator, bot)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            before = await send(emulator, range(20))
            await arrive(bot, 20)
            await cut_off(emulator, daemon)
            missed = await send(emulator, range(20, 80))
            emulator.clear()
            await ok(config, "reconnect")
            await emulator.wait_connected()
            await daemon.wait_for("stream.connected", count=2)  # before that the gap goes on
            after = await send(emulator, range(80, 90))
            line = await daemon.wait_for("gap.repaired", limit_s=90)
            await arrive(bot, 90)
            assert sorted(texts(bot, recovered=True)) == sorted(missed)
            assert sorted(texts(bot, recovered=False)) == sorted(before + after)
            expected = of_the_gap(tmp_path, bot)
            assert expected >= 60  # after a standstill of this machine the gap begins before the cut
            assert (line["found"], line["recovered"], line["repair"]) == (expected, 60, "done")
            async with asyncio.timeout(90):  # the log comes before the commit
                while (await gaps(config))[0]["repair"] == "pending":
                    pass
            (gap,) = await gaps(config)
            assert (gap["repair"], gap["found"], gap["recovered"], gap["note"]) == ("done", expected, 60, "")
            await assert_balanced(config)
        recovered = [request for request in bot.requests if "x-forwarder-recovered" in request.headers]
        assert {request.headers["x-forwarder-trigger"] for request in recovered} == {"recovered"}
        of_one = [json.loads(request.body)["mid"] for request in recovered if b'"sid":"12"' in request.body]
        assert len(of_one) == 20


async def test_what_was_posted_while_forwarder_did_not_run_is_fetched_at_the_next_start_also_over_kills(
    tmp_path: Path,
) -> None:
    async with Emulator() as emulator, Receiver() as bot:
        config = write_config(tmp_path, emulator, bot)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            before = await send(emulator, range(5))
            await arrive(bot, 5)
            await stopped(daemon)
        missed = await send(emulator, range(5, 105))
        for killed_at in (10, 40, 70):
            async with forwarder(config) as daemon:
                await arrive(bot, killed_at)
                daemon.send(signal.SIGKILL)
                await daemon.ended()
        async with forwarder(config) as daemon:
            await bot.wait_until(lambda bot: set(texts(bot)) == set(before + missed), 60, "all of it")
            await until(
                lambda: all(gap[0] == "done" for gap in look(tmp_path / "outbox.db", "SELECT repair FROM gaps")),
                limit_s=90,
                what="the end of all repairs",
            )
            await assert_balanced(config)
            await stopped(daemon)
        ids = {(request.headers["webhook-id"], request.body) for request in bot.requests}
        assert len(ids) == 105  # what came again, because of a kill, came under its id
        events = look(tmp_path / "outbox.db", "SELECT count(*), count(DISTINCT mid) FROM events")
        assert events == [(105, 105)]


async def test_a_key_without_access_to_the_history_is_one_warning_and_a_line_of_status(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, emulator, receiver)
        emulator.refuse(403, path="/track/x")
        async with forwarder(config) as daemon:
            await daemon.wait_for("stream.connected")
            await emulator.drop()
            await daemon.wait_for("stream.connected", count=2)
            line = await daemon.wait_for("gap.repair_off")
            assert line["level"] == "warning"
            assert "to keep it off, write gap_repair: false" in line["note"]
            shown = await status_text(config)
            assert (
                "gaps of main are NOT REPAIRED until the next reload or restart: the history does not accept the API key"
                in shown
            )
            await stopped(daemon)
