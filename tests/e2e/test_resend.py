"""`forwarder resend` as an operator uses it: one post again, to where it went or to one destination, with a daemon and without one."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.process import KEY, Forwarder, command, forwarder, look

CONFIG = """\
streams: [{{url: {stream}, api_key: {key}, use_fast_x: true}}]
outbox: {{url: 'sqlite:outbox.db'}}
destinations:
  bot: {{url: '{bot}', retry: {{delays: [1h]}}, breaker: {{enabled: false}}}}
  other: {{url: '{other}'}}
routes:
  - {{name: posts, match: {{source: [x, telegram]}}, to: [bot, other]}}
  - {{name: fast, match: {{source: fast-x}}, to: bot}}
"""
POST = "https://x.com/novadesk/status/{}"
DELIVERED = "SELECT count(*) FROM deliveries WHERE status = 'delivered'"


def frame(mid: int, *, source: str = "x", sid: str = "7", **payload: object) -> str:
    author = {"screen_name": "novadesk", "name": "Nova Desk"}
    return json.dumps(
        {
            "source": source,
            "mid": str(mid),
            "sid": sid,
            "timestamp": 1767225600000,
            "payload": {"id": str(mid), "text": f"post {mid}", "author": author, **payload},
        }
    )


@dataclass
class Scene:
    emulator: Emulator
    bot: Receiver
    other: Receiver
    config: Path
    running: Forwarder

    async def ask(self, *words: str) -> tuple[int, str, str]:
        return await command(*words, "-c", str(self.config))

    async def records(self, *words: str) -> list[dict[str, Any]]:
        code, out, err = await self.ask(*words, "--json")
        assert (code, err) == (0, ""), out + err
        return [json.loads(line) for line in out.splitlines()]

    async def delivered(self, count: int) -> None:
        path = self.config.with_name("outbox.db")
        await until(lambda: look(path, DELIVERED) == [(count,)], limit_s=90, what=f"{count} delivered")

    async def stop(self) -> None:
        self.running.send(signal.SIGTERM)
        assert await self.running.ended() == 0


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Run a daemon that has delivered post 1 to both destinations."""
    async with Emulator() as emulator, Receiver() as bot, Receiver() as other:
        config = folder / "config.yaml"
        text = CONFIG.format(stream=emulator.ws_url, key=KEY, bot=bot.url, other=other.url)
        config.write_text(text, encoding="utf-8")
        async with forwarder(config) as running:
            await emulator.wait_connected()
            await emulator.send(frame(1))
            there = Scene(emulator, bot, other, config, running)
            await there.delivered(2)
            yield there


async def test_a_delivered_post_goes_again_to_each_destination_and_says_what_it_is(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        code, out, err = await there.ask("resend", POST.format(1), "--wait")
        assert (code, err) == (exit_codes.OK, ""), out
        assert "x, mid 1, accepted" in out
        assert "novadesk: post 1" in out
        assert out.count(": delivered ") == 2
        for receiver in (there.bot, there.other):
            first, again = receiver.requests
            assert [each.headers["x-forwarder-trigger"] for each in (first, again)] == ["first", "resend"]
            assert first.headers["webhook-id"] == again.headers["webhook-id"]
            assert first.body == again.body
        (delivery,) = await there.records("deliveries", "show", there.bot.requests[0].headers["webhook-id"])
        assert (delivery["trigger"], delivery["attempts_made"], len(delivery["attempts"])) == ("resend", 2, 2)
        line = await there.running.wait_for("delivery.delivered", destination="bot")
        assert line["event_id"] == delivery["event_id"]
        assert (await there.ask("audit"))[0] == exit_codes.OK


async def test_it_goes_to_one_destination_or_by_a_webhook_id(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        (sent,) = await there.records("resend", "1", "--to", "other")
        assert (sent["destination"], sent["queued"], sent["status_before"]) == ("other", True, "delivered")
        await there.other.wait_for(2)
        (sent,) = await there.records("resend", there.bot.requests[0].headers["webhook-id"])
        assert (sent["destination"], sent["queued"]) == ("bot", True)
        await there.bot.wait_for(2)
        assert there.other.received == 2


async def test_an_event_that_never_went_there_is_sent_and_accounted_for(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await there.emulator.send(frame(2, source="discord"))
        await until(
            lambda: look(tmp_path / "outbox.db", "SELECT count(*) FROM events") == [(2,)], limit_s=90, what="both"
        )
        code, out, _ = await there.ask("resend", "2")
        assert (code, "it went nowhere; --to DESTINATION sends it" in out) == (exit_codes.FAILURE, True)
        assert "never sent there" in (await there.ask("resend", "2", "--to", "bot", "--dry-run"))[1]
        assert (await there.ask("resend", "2", "--to", "bot"))[0] == exit_codes.OK
        await there.bot.wait_for(2)
        await there.delivered(3)
        (audit,) = await there.records("audit")
        assert (audit["balanced"], audit["deliveries"]["replayed"]) == (True, 1)


async def test_what_waits_for_its_next_attempt_is_sent_now(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        there.bot.respond = None
        there.bot.status = 404
        await there.emulator.send(frame(3))
        await there.running.wait_for("delivery.retry_scheduled", destination="bot")
        await there.delivered(3)
        there.bot.status = 200
        lines = {each["destination"]: each for each in await there.records("resend", "3", "--to", "bot")}
        assert lines["bot"]["status_before"] == "pending"
        await there.bot.wait_for(2)
        await there.delivered(4)
        assert there.bot.requests[-1].headers["x-forwarder-trigger"] == "resend"
        assert (await there.ask("audit"))[0] == exit_codes.OK


async def test_a_failure_is_shown_while_it_waits_and_is_no_success(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        there.bot.status = 400
        code, out, err = await there.ask("resend", "1", "--to", "bot", "--wait")
        assert (code, err) == (exit_codes.FAILURE, "")
        assert "bot: dead " in out
        assert "HTTP 400" in out


async def test_without_a_daemon_it_waits_for_the_next_start(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await there.stop()
        code, _, err = await there.ask("resend", "1", "--wait")
        assert (code, "outbox.db.sock" in err) == (exit_codes.NO_DAEMON, True)
        code, out, err = await there.ask("resend", "1")
        assert (code, err) == (exit_codes.OK, "")
        assert "2 deliveries queued; no forwarder runs, so it is sent at the next start." in out
        async with forwarder(there.config):
            await asyncio.gather(there.bot.wait_for(2), there.other.wait_for(2))


async def test_a_paused_destination_is_named_with_what_resumes_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        assert (await there.ask("pause", "bot"))[0] == 0
        code, out, _ = await there.ask("resend", "1")
        assert code == exit_codes.OK
        assert "bot is paused since" in out
        assert "waits until forwarder resume bot" in out
        await there.other.wait_for(2)
        assert there.bot.received == 1
        assert (await there.ask("resume", "bot"))[0] == 0
        await there.bot.wait_for(2)


async def test_a_post_that_came_as_two_events_is_listed_and_not_sent(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await there.emulator.send(frame(1, source="fast-x"))
        await there.delivered(3)
        for words in (("resend", "1"), ("resend", POST.format(1)), ("resend", "1", "--dry-run")):
            code, out, err = await there.ask(*words)
            assert (code, out) == (exit_codes.FAILURE, "")
            assert "means 2 events, and none was sent" in err
            assert err.count("novadesk") == 2 + (words[1] != "1")
        (sent,) = await there.records("resend", "1", "--source", "fast-x")
        assert (sent["source"], sent["destination"]) == ("fast-x", "bot")
        await there.bot.wait_for(3)
        await there.delivered(3)
        assert len(await there.records("resend", POST.format(1), "--all")) == 3
        await asyncio.gather(there.bot.wait_for(5), there.other.wait_for(2))


async def test_a_message_of_telegram_is_of_its_channel(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        for channel in ("77", "88"):
            await there.emulator.send(frame(9, source="telegram", sid=channel, channelId=channel))
        await there.delivered(6)
        (bot, _) = await there.records("resend", "https://t.me/c/88/9")
        assert (bot["mid"], bot["queued"]) == ("9", True)
        await there.delivered(6)
        code, out, err = await there.ask("resend", "https://t.me/novadesk/9")
        assert (code, out) == (exit_codes.FAILURE, "")
        assert "names a channel by its name, and the events have only its id" in err
