"""Quiet hours keep what comes on disk, over a crash, and send it at their end: each by itself, or in one digest."""

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import OWN, assert_balanced, bodies, lane, notices, ok, until_counted
from tests.support.process import KEY, forwarder


def around_now(hours: int = 2) -> str:
    """Return a span of the day that has begun an hour ago."""
    now = datetime.now(UTC)
    return f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=hours):%H:%M}"


def later() -> str:
    """Return a span of the day that begins in some hours."""
    now = datetime.now(UTC)
    return f"{now + timedelta(hours=5):%H:%M}-{now + timedelta(hours=6):%H:%M}"


def configure(
    folder: Path, emulator: Emulator, bot: Receiver, log: Receiver, *, of_bot: str = "", route: str = ""
) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}}}]\n"
        f"outbox: {{url: 'sqlite:outbox.db'}}\n"
        f"destinations:\n  bot: {{url: '{bot.url}', order: sid{of_bot}}}\n  log: {{url: '{log.url}'}}\n"
        f"routes:\n  - {{name: posts, to: bot{route}}}\n  - {{name: all, to: log}}\n",
        encoding="utf-8",
    )
    return path


def frame(mid: int) -> str:
    payload = {"text": f"post {mid}", "author": {"id": "7", "name": "Nova", "screen_name": "nova"}}
    return json.dumps({"mid": str(mid), "sid": "7", "source": "x", "timestamp": 1, "payload": payload})


def mids(receiver: Receiver) -> list[int]:
    return [int(json.loads(body)["mid"]) for body in bodies(receiver) if OWN not in body]


async def test_what_comes_in_quiet_hours_is_kept_over_a_kill_and_sent_in_order_when_an_edit_ends_them(
    tmp_path: Path,
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as log:
        config = configure(tmp_path, emulator, bot, log, of_bot=f", quiet: '{around_now()}'")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for mid in range(3):
                await emulator.send(frame(mid))
            await log.wait_for(3)
            said = await lane(config)
            assert said["quiet_until"] is not None
            assert "quiet hours until " in await ok(config, "status")
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        listed = [
            json.loads(line) for line in (await ok(config, "deliveries", "--json", "--destination", "bot")).splitlines()
        ]
        assert [each["reason"] for each in listed] == ["kept until the quiet hours end"] * 3
        assert "kept until the quiet hours end; due " in await ok(
            config, "deliveries", "--wide", "--destination", "bot"
        )
        event_id = listed[-1]["event_id"]
        assert "in quiet hours: kept until " in (said_of := await ok(config, "explain", "--id", event_id))
        assert "bot: kept until the quiet hours end, due " in said_of
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(frame(3))
            await log.wait_for(4)
            assert bodies(bot) == []
            # A person can have one of them at once.
            await ok(config, "resend", listed[0]["event_id"], "--to", "bot")
            await bot.wait_for(1)
            configure(tmp_path, emulator, bot, log, of_bot=f", quiet: '{later()}'")
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("quiet.changed", destination="bot", deliveries=3)
            await bot.wait_for(4)
            first = int(listed[0]["mid"])
            assert mids(bot) == [first, *(mid for mid in range(4) if mid != first)]
            await assert_balanced(config)


async def test_a_digest_lists_what_was_kept_and_nothing_of_it_is_sent_by_itself(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as log:
        quiet = ", quiet: {hours: '%s', then: digest}"
        config = configure(tmp_path, emulator, bot, log, route=quiet % around_now())
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for mid in range(5):
                await emulator.send(frame(mid))
            await log.wait_for(5)
            await until_counted(config, 5)  # on disk
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        assert "kept for the digest after the quiet hours" in await ok(
            config, "deliveries", "--json", "--destination", "bot"
        )
        # The end of the quiet hours is edited while no daemon runs: the start has it.
        configure(tmp_path, emulator, bot, log, route=quiet % later())
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await daemon.wait_for("quiet.digest", destination="bot", deliveries=5)
            await bot.wait_for(1)
            await emulator.send(frame(5))
            await bot.wait_for(2)
            assert mids(bot) == [5]
            (digest,) = notices(bot)
            assert (digest["kind"], digest["count"]) == ("quiet_digest", 5)
            assert [post["text"] for post in digest["posts"]] == [f"post {mid}" for mid in range(5)]
            assert '"reason":"in a digest"' in (
                await ok(config, "deliveries", "--json", "--destination", "bot")
            ).replace(": ", ":")
            await assert_balanced(config)
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        async with forwarder(config):
            await emulator.wait_connected()
            await emulator.send(frame(6))
            await bot.wait_for(3)
            assert mids(bot) == [5, 6]


async def test_longer_hours_keep_what_waits_for_longer_and_digest_becomes_send(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as log:
        quiet = ", quiet: {hours: '%s', then: %s}"
        config = configure(tmp_path, emulator, bot, log, of_bot=quiet % (around_now(2), "digest"))
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(frame(0))
            await log.wait_for(1)
            await until_counted(config, 1)  # on disk
            before = json.loads(await ok(config, "deliveries", "--json", "--destination", "bot"))
            configure(tmp_path, emulator, bot, log, of_bot=quiet % (around_now(4), "send"))
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("quiet.changed", destination="bot", deliveries=1)
            after = json.loads(await ok(config, "deliveries", "--json", "--destination", "bot"))
            assert after["reason"] == "kept until the quiet hours end"
            assert after["due_at"] > before["due_at"]
            configure(tmp_path, emulator, bot, log)
            daemon.send(signal.SIGHUP)
            await bot.wait_for(1)
            assert mids(bot) == [0]
