"""The history commands, through a running daemon and on its file when it has stopped: lists, dead letters, replay, the audit."""

import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import until_counted
from tests.support.process import KEY, Forwarder, command, forwarder, look

CONFIG = """\
streams:
  - url: {stream}
    api_key: {key}
outbox: {{url: 'sqlite:outbox.db'}}
destinations:
  bot: {{url: '{bot}', retry: {{delays: [10ms]}}}}
  other: {{url: '{other}'}}
routes:
  - name: whales
    match: {{sid: '7'}}
    to: bot
  - name: posts
    match: {{source: x}}
    to: bot
"""


def frame(mid: int, *, source: str = "x", sid: int = 1, text: str = "gm") -> str:
    return json.dumps(
        {
            "source": source,
            "mid": str(mid),
            "sid": str(sid),
            "timestamp": 1767225600000 + mid,
            "payload": {"text": text},
        }
    )


@dataclass
class Scene:
    emulator: Emulator
    bot: Receiver
    other: Receiver
    config: Path
    running: Forwarder

    @property
    def outbox(self) -> Path:
        return self.config.with_name("outbox.db")

    async def ask(self, *arguments: str) -> tuple[int, str, str]:
        return await command(*arguments, "-c", str(self.config))

    async def records(self, *arguments: str) -> list[dict[str, Any]]:
        code, out, err = await self.ask(*arguments, "--json")
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]

    async def settled(self, statement: str, value: object) -> None:
        def is_so() -> bool:
            assert self.running.process.returncode is None, "the daemon has ended"
            return look(self.outbox, statement) == [(value,)]

        try:
            await until(is_so, limit_s=90, what=f"{statement} is {value}")
        except TimeoutError as error:
            there = look(self.outbox, "SELECT status, reason, count(*) FROM deliveries GROUP BY status, reason")
            sent = f"{self.emulator.counters()}, {self.bot.received} requests"
            raise TimeoutError(f"{error}; there are {look(self.outbox, statement)}: {there}; {sent}") from None

    async def stop(self) -> None:
        self.running.send(signal.SIGTERM)
        assert await self.running.ended() == 0

    async def assert_balanced(self) -> None:
        code, out, err = await self.ask("audit")
        assert (code, err) == (0, ""), out + err


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Six events: three delivered to the bot, one of them by two routes, one dead, two unmatched."""
    async with Emulator() as emulator, Receiver() as bot, Receiver() as other:
        config = folder / "config.yaml"
        text = CONFIG.format(stream=emulator.ws_url, key=KEY, bot=bot.url, other=other.url)
        config.write_text(text, encoding="utf-8")
        async with forwarder(config) as running:
            await emulator.wait_connected()
            for mid in (1, 2):
                await emulator.send(frame(mid))
            await emulator.send(frame(3, sid=7))
            await emulator.send(frame(4, source="telegram"))
            await emulator.send(frame(5, source="discord"))
            await bot.wait_for(3)
            bot.status = 500
            await emulator.send(frame(6, text="doomed"))
            there = Scene(emulator, bot, other, config, running)
            await there.settled("SELECT count(*) FROM deliveries WHERE status IN ('delivered', 'dead')", 4)
            bot.status = 200
            yield there


@pytest.fixture(params=[True, False], ids=["beside a daemon", "on the file alone"])
def is_running(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@asynccontextmanager
async def either(folder: Path, *, is_running: bool) -> AsyncIterator[Scene]:
    async with scene(folder) as there:
        if not is_running:
            await there.stop()
        yield there


async def test_events_are_listed_shown_and_exported(tmp_path: Path, is_running: bool) -> None:
    async with either(tmp_path, is_running=is_running) as there:
        events = await there.records("events")
        assert [event["mid"] for event in events] == ["6", "5", "4", "3", "2", "1"]
        assert [event["mid"] for event in await there.records("events", "--limit", "2")] == ["6", "5"]
        assert [event["mid"] for event in await there.records("events", "--source", "telegram")] == ["4"]
        assert [event["mid"] for event in await there.records("events", "--route", "whales")] == ["3"]
        assert await there.records("events", "--until", "1h") == []
        (shown,) = await there.records("events", "show", events[3]["event_id"][:12])
        assert shown["body"] == frame(3, sid=7)
        assert [delivery["routes"] for delivery in shown["deliveries"]] == [["whales", "posts"]]
        exported = await there.records("outbox", "export")
        assert [event["body"] for event in exported] == [event["body"] for event in events]
        assert len(exported[0]["deliveries"][0]["attempts"]) == 2
        _, out, _ = await there.ask("events")
        assert re.fullmatch(r"ACCEPTED \([^)]+\) +EVENT +SOURCE +DELIVERIES +AUTHOR +TEXT", out.splitlines()[0])
        _, wide, _ = await there.ask("events", "--wide")
        assert re.fullmatch(
            r"ACCEPTED \([^)]+\) +EVENT +SOURCE +MID +SID +DELIVERIES +AUTHOR +TEXT", wide.splitlines()[0]
        )
        assert "unmatched" in out
        assert "1 dead" in out
        code, out, err = await there.ask("events", "show", "f00d")
        assert (code, out) == (1, "")
        assert "'f00d'" in err


async def test_deliveries_are_listed_and_shown_with_every_attempt(tmp_path: Path, is_running: bool) -> None:
    async with either(tmp_path, is_running=is_running) as there:
        assert len(await there.records("deliveries")) == 4
        assert len(await there.records("deliveries", "--status", "delivered", "--destination", "bot")) == 3
        assert await there.records("deliveries", "--destination", "other") == []
        (dead,) = await there.records("deliveries", "--status", "dead")
        (shown,) = await there.records("deliveries", "show", dead["delivery_id"])
        assert [attempt["number"] for attempt in shown["attempts"]] == [1, 2]
        assert {attempt["http_status"] for attempt in shown["attempts"]} == {500}
        assert all(attempt["duration_ms"] > 0 and attempt["started_at"] for attempt in shown["attempts"])
        assert there.bot.requests[-1].headers["webhook-id"] == dead["delivery_id"]
        _, out, _ = await there.ask("deliveries", "show", dead["event_id"])
        assert "attempt 2" in out
        assert "HTTP 500" in out


async def test_a_dead_letter_is_delivered_after_all(tmp_path: Path, is_running: bool) -> None:
    async with either(tmp_path, is_running=is_running) as there:
        (dead,) = await there.records("dead", "list")
        assert dead["reason"]
        assert await there.records("dead", "replay", dead["delivery_id"]) == [{"changed": 1}]
        if is_running:
            await _delivered_after_all(there, dead)
        else:
            assert (await there.records("deliveries", "--status", "pending"))[0]["trigger"] == "manual"
            async with forwarder(there.config) as there.running:
                await _delivered_after_all(there, dead)
        assert await there.records("dead", "list") == []


async def _delivered_after_all(there: Scene, dead: dict[str, Any]) -> None:
    await there.settled("SELECT count(*) FROM deliveries WHERE status = 'delivered'", 4)
    last = there.bot.requests[-1]
    assert (last.headers["webhook-id"], last.body.decode()) == (dead["delivery_id"], frame(6, text="doomed"))
    (shown,) = await there.records("deliveries", "show", dead["delivery_id"])
    assert [(attempt["number"], attempt["http_status"]) for attempt in shown["attempts"]] == [
        (1, 500),
        (2, 500),
        (3, 200),
    ]
    await there.assert_balanced()


async def test_dead_letters_are_dropped_only_when_it_is_said_which(tmp_path: Path, is_running: bool) -> None:
    async with either(tmp_path, is_running=is_running) as there:
        code, _, err = await there.ask("dead", "drop")
        assert code == exit_codes.USAGE
        assert "--all" in err
        code, _, err = await there.ask("dead", "drop", "nonsense")
        assert code == exit_codes.USAGE
        assert await there.records("dead", "drop", "--destination", "other") == [{"changed": 0}]
        assert await there.records("dead", "drop", "--all") == [{"changed": 1}]
        (dropped,) = await there.records("deliveries", "--status", "skipped")
        assert (dropped["reason"], dropped["http_status"]) == ("dropped", None)
        (shown,) = await there.records("deliveries", "show", dropped["delivery_id"])
        assert shown["attempts"][-1]["reason"].startswith("HTTP ")  # why it had died is still shown
        assert len(shown["attempts"]) == shown["attempts_made"]
        (audit,) = await there.records("audit")
        assert audit["deliveries"]["dropped"] == 1
        assert audit["deliveries"]["dead"] == 0
        assert audit["balanced"] is True


async def test_the_history_is_replayed_to_another_destination(tmp_path: Path, is_running: bool) -> None:
    async with either(tmp_path, is_running=is_running) as there:
        assert await there.records("replay", "--since", "1h", "--to", "other", "--dry-run") == [{"would_queue": 6}]
        asked = ("replay", "--since", "1h", "--to", "other", "--route", "posts", "--rate", "1000/s")
        assert await there.records(*asked) == [{"queued": 4, "left_alone": 0}]
        if not is_running:
            assert await there.records(*asked) == [{"queued": 0, "left_alone": 4}]
            await there.assert_balanced()
            async with forwarder(there.config) as there.running:
                await _replayed(there, asked)
        else:
            await _replayed(there, asked)


async def _replayed(there: Scene, asked: tuple[str, ...]) -> None:
    await there.other.wait_for(4)
    await there.settled("SELECT count(*) FROM deliveries WHERE destination = 'other' AND status = 'delivered'", 4)
    bodies = [request.body.decode() for request in there.other.requests]
    assert sorted(bodies) == sorted([frame(1), frame(2), frame(3, sid=7), frame(6, text="doomed")])
    assert await there.records(*asked, "--missing") == [{"queued": 0, "left_alone": 4}]
    assert await there.records(*asked, "--wait") == [{"queued": 4, "left_alone": 0}, {"died_again": 0}]
    ids = [request.headers["webhook-id"] for request in there.other.requests]
    assert sorted(ids[:4]) == sorted(ids[4:])
    (audit,) = await there.records("audit")
    assert audit["deliveries"]["replayed"] == 4
    await there.assert_balanced()


async def test_a_replay_keeps_to_its_rate(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        began = monotonic()
        await there.records("replay", "--since", "1h", "--to", "other", "--rate", "2/s", "--wait")
        times = [request.at for request in there.other.requests]
        assert len(times) == 6
        # None comes before it is due, however late the others are: the first may have been held up.
        assert all(at - began >= 0.5 * number for number, at in enumerate(times))


async def test_an_unknown_destination_is_refused(tmp_path: Path, is_running: bool) -> None:
    async with either(tmp_path, is_running=is_running) as there:
        code, out, err = await there.ask("replay", "--since", "1h", "--to", "bto")
        assert (code, out) == (exit_codes.USAGE, "")
        assert '"bto"' in err
        assert "bot, other" in err


async def test_the_file_is_checked_copied_and_made_smaller(tmp_path: Path, is_running: bool) -> None:
    async with either(tmp_path, is_running=is_running) as there:
        (check,) = await there.records("outbox", "check")
        assert check["sound"] is True
        copy = tmp_path / "copy.db"
        assert (await there.records("outbox", "backup", str(copy)))[0]["bytes"] == copy.stat().st_size
        assert copy.stat().st_mode & 0o777 == 0o600
        assert len(look(copy, "SELECT * FROM deliveries")) == 4
        assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
        code, _, err = await there.ask("outbox", "backup", str(copy))
        assert code == exit_codes.USAGE
        assert "exists already" in err
        code, _, err = await there.ask("outbox", "backup", str(tmp_path / "nowhere" / "copy.db"))
        assert code == exit_codes.OUTBOX_UNWRITABLE
        (sizes,) = await there.records("outbox", "vacuum")
        assert sizes["bytes_after"] <= sizes["bytes_before"] + 4096 * 8
        await there.assert_balanced()


async def test_a_backup_is_an_outbox_that_works(tmp_path: Path) -> None:
    async with either(tmp_path, is_running=True) as there:
        copy = tmp_path / "copy.db"
        await there.records("outbox", "backup", str(copy))
        await there.stop()
        for left in tmp_path.glob("outbox.db*"):
            left.unlink()
        copy.rename(there.outbox)
        async with forwarder(there.config) as there.running:
            await there.emulator.wait_connected()
            assert len(await there.records("dead", "replay", "--all")) == 1
            await there.settled("SELECT count(*) FROM deliveries WHERE status = 'delivered'", 4)
            await there.assert_balanced()
            await there.stop()


async def test_a_daemon_gives_room_back_between_deliveries(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        for mid in range(100, 200):
            await there.emulator.send(frame(mid, text="x" * 20_000))
        await there.settled("SELECT count(*) FROM deliveries WHERE status = 'delivered'", 103)
        await there.stop()
        connection = sqlite3.connect(there.outbox)
        connection.execute(
            "DELETE FROM deliveries WHERE event_seq IN (SELECT seq FROM events WHERE length(body) > 20000)"
        )
        connection.execute("DELETE FROM events WHERE length(body) > 20000")
        connection.commit()
        connection.close()
        async with forwarder(there.config) as there.running:
            await there.running.wait_for("daemon.started")
            (sizes,) = await there.records("outbox", "vacuum")
            assert sizes["bytes_before"] > 2_000_000 > 10 * sizes["bytes_after"]


async def test_status_shows_how_it_goes(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        await until_counted(there.config, 6)
        (status,) = await there.records("status")
        assert status["outbox"]["health"] == "ok"
        assert status["outbox"]["commit_lag_ms"]["count"] == 6
        assert status["since_start"]["delivered"] == 3
        assert {name: lane["breaker"] for name, lane in status["destinations"].items()} == {
            "bot": "closed",
            "other": "closed",
        }
        assert status["pid"] == there.running.process.pid
        assert there.outbox.with_name("outbox.db.sock").stat().st_mode & 0o777 == 0o600
        code, out, _ = await there.ask("status")
        assert code == 0
        assert "time to disk" in out
        await there.stop()
        assert not there.outbox.with_name("outbox.db.sock").exists()
        code, out, _ = await there.ask("status")
        assert (code, out) == (exit_codes.NO_DAEMON, "")


async def test_a_path_longer_than_a_sockets_address_does(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    async with scene(folder) as there:
        assert (await there.records("status"))[0]["state"] == "running"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
async def test_the_socket_takes_no_other_user_and_no_nonsense(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        program = (
            "import os, socket, sys\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "if len(sys.argv) > 3: os.setuid(int(sys.argv[3]))\n"
            "s.connect(sys.argv[1])\n"
            "try: s.sendall(sys.argv[2].encode() + b'\\n')\n"
            "except BrokenPipeError: pass\n"  # refused before anything was read: the answer is there all the same
            "print(s.makefile().readline())\n"
        )
        address = str(there.outbox.with_name("outbox.db.sock"))

        async def say(*arguments: str) -> tuple[int, str]:
            import asyncio

            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", program, address, *arguments, stdout=-1, stderr=-1
            )
            out, err = await process.communicate()
            return process.returncode or 0, (out + err).decode()

        code, said = await say('{"verb": "status"}', "65534")
        assert code != 0
        assert "PermissionError" in said
        for nonsense in ("nonsense", '{"verb": "erase"}', '{"verb": "vacuum", "more": 1}'):
            code, said = await say(nonsense)
            assert "does not understand" in said
        there.outbox.with_name("outbox.db.sock").chmod(0o666)
        for folder in (tmp_path, *tmp_path.parents):  # how many pytest makes differs from one way to run it to another
            if not folder.stat().st_mode & 0o001:
                folder.chmod(0o755)
        _, said = await say('{"verb": "status"}', "65534")
        assert "only root" in said


async def test_a_config_that_is_half_edited_or_has_no_environment_still_names_the_outbox(tmp_path: Path) -> None:
    async with scene(tmp_path) as there:
        text = there.config.read_text(encoding="utf-8").replace(KEY, "${NOT_SET_HERE}")
        there.config.write_text(text + "unmatched: nobody\ncolour: red\n", encoding="utf-8")
        assert len(await there.records("events")) == 6
        there.config.write_text(text.replace("sqlite:outbox.db", "mysql:outbox"), encoding="utf-8")
        code, _, err = await there.ask("events")
        assert code == exit_codes.BAD_CONFIG
        assert "outbox.url" in err
