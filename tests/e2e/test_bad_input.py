"""A person's mistake is reported in one sentence, with what to do and the right exit code; no secret is in it."""

import fcntl
import json
import os
import random
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.outbox.open import open_history
from forwarder.outbox.sqlite.file.connection import PAGE_SIZE
from tests.support.crash import until
from tests.support.process import KEY, Forwarder, command, forwarder, is_sound, write_config

TRIED_ALL = "breaker: {enabled: false}"
"""A destination that is down is tried with every delivery, where it would be probed with a few."""
SECRET = "canary-4f1c"
NOWHERE = {"bot": "http://127.0.0.1:9/hook"}


def private_modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.glob("outbox.db*")}


@contextmanager
def refusing_port() -> Iterator[int]:
    """Give a port that refuses connections, and that no other process is given meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_stream_cannot_send_what_looks_like_a_notice_of_ours(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": bot.url})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            fake = b'{"source":"forwarder","mid":"1-1","sid":"bot","timestamp":1,"payload":{"level":"error","title":"bot is down"}}'
            await emulator.send(fake)
            await emulator.send(packaged_events()[0])
            line = await daemon.wait_for("stream.odd_frame")
            assert (line["kind"], line["detail"]) == ("own_source", "its source is a name of forwarder itself")
            await until(lambda: bot.received == 1, limit_s=90, what="the other event")
            _, out, _ = await command("status", "--json", "-c", str(config))
            assert json.loads(out)["since_start"]["odd_frames"] == {"own_source": 1}
    assert [request.body for request in bot.requests] == [packaged_events()[0]]


@pytest.mark.parametrize("bad_key", ["401", "upgrade"])
async def test_a_wrong_key_is_distinguished_from_a_network_fault(tmp_path: Path, bad_key: str) -> None:
    async with Emulator(EmulatorSettings(bad_key="401" if bad_key == "401" else "upgrade"), api_key=KEY) as emulator:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations=NOWHERE, key=SECRET)
        async with forwarder(config) as daemon:
            event, kind = ("unavailable", "key_refused") if bad_key == "401" else ("disconnected", "closed")
            line = await daemon.wait_for(f"stream.{event}", kind=kind)
            assert "check api_key" in line["reason"]
            await daemon.wait_for("daemon.ready")
            if bad_key == "401":
                assert line["level"] == "error"
                assert line["next_try_in_s"] >= 60
            assert SECRET not in str(daemon.lines)
        code, out, _ = await command("check", "-c", str(config), "--connect")
        assert code == exit_codes.FAILURE
        assert "check api_key" in out
        assert SECRET not in out


async def test_a_key_that_is_closed_upon_three_times_is_called_refused(tmp_path: Path) -> None:
    async with Emulator(EmulatorSettings(bad_key="upgrade"), api_key=KEY) as emulator:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations=NOWHERE, key=SECRET)
        async with forwarder(config) as daemon:
            line = await daemon.wait_for("stream.unavailable", kind="key_refused", limit_s=90)
    assert line["level"] == "error"
    assert len(emulator.handshakes) == 3


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("ws://no-such-host.invalid/ws", "dns", "cannot be resolved"),
        ("ws://127.0.0.1:{port}/ws", "refused", "nothing listens there"),
    ],
)
async def test_a_stream_that_cannot_be_reached_is_named_and_tried_again(
    tmp_path: Path, address: str, kind: str, said: str
) -> None:
    with refusing_port() as port:
        config = write_config(tmp_path, stream=address.format(port=port), destinations=NOWHERE)
        async with forwarder(config) as daemon:
            line = await daemon.wait_for("stream.unavailable", kind=kind)
            assert said in line["reason"]
            await daemon.wait_for("daemon.ready")
        code, out, _ = await command("check", "-c", str(config), "--connect")
    assert code == exit_codes.FAILURE
    assert said in out


async def test_a_redirect_of_the_upgrade_is_not_followed_and_the_key_does_not_travel(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Emulator(api_key=KEY) as other:
        emulator.redirect(other.ws_url)
        config = write_config(tmp_path, stream=emulator.ws_url, destinations=NOWHERE)
        async with forwarder(config) as daemon:
            line = await daemon.wait_for("stream.unavailable", kind="redirected")
            assert "never followed" in line["reason"]
        assert other.handshakes == []


async def test_a_config_with_five_mistakes_shows_all_five_with_their_places(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "streams:\n  - url: http://scrape.st/ws\n    api_key: k\n"
        "destinations:\n  bot:\n    url: http://127.0.0.1/\n    timeout: 5\n    concurency: 4\n"
        "routes:\n  - match: {txt: hello}\n    to: bott\n"
    )
    for arguments, expected in ((("run",), exit_codes.BAD_CONFIG), (("check",), exit_codes.FAILURE)):
        code, out, err = await command(*arguments, "-c", str(config))
        assert code == expected
        assert out == ""
        problems = err.splitlines()
        assert [problem.split(": ")[0].removeprefix(str(config)) for problem in problems] == [
            ":2:10",
            ":7:14",
            ":8:5",
            ":10:13",
            ":11:9",
        ]
        assert 'did you mean "concurrency"?' in problems[2]
        assert 'did you mean "bot"?' in problems[4]


async def test_garbage_in_place_of_the_outbox_is_set_aside_whole_and_a_fresh_one_begun(tmp_path: Path) -> None:
    garbage = b"this is not a database, whatever its name says " * 100
    (tmp_path / "outbox.db").write_bytes(garbage)
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url})
        async with forwarder(config) as daemon:
            salvaged = await daemon.wait_for("outbox.salvaged")  # it is in its place only then
            assert Path(salvaged["set_aside"]).read_bytes() == garbage
            assert salvaged["is_complete"] is False  # nobody can say what it held
            await emulator.wait_connected()
            await emulator.send(packaged_events()[0])
            await receiver.wait_for(1)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 5])
async def test_of_a_damaged_outbox_what_waits_is_salvaged_and_delivered(tmp_path: Path, seed: int) -> None:
    """Pages in the body of the file are zeroed; what is lost is counted, and nothing that could be read is missing."""
    frames = list(dict.fromkeys(packaged_events()))
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        receiver.respond = lambda _received: Answer(status=503)
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url}, each=TRIED_ALL)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for frame in frames:
                await emulator.send(frame)
            await receiver.wait_until(lambda receiver: {request.body for request in receiver.requests} == set(frames))
            daemon.process.terminate()
            assert await daemon.ended() == 0
        path = tmp_path / "outbox.db"
        pages = path.stat().st_size // PAGE_SIZE
        with path.open("r+b") as file:
            for page in random.Random(seed).sample(range(2, pages), 3):  # noqa: S311 - seeded on purpose
                file.seek(page * PAGE_SIZE)
                file.write(bytes(PAGE_SIZE))
        damaged = path.read_bytes()
        still_there = {frame for frame in frames if frame in damaged}
        receiver.respond = lambda _received: Answer()
        before = len(receiver.requests)
        async with forwarder(config) as daemon:
            await daemon.wait_for("outbox.damaged")
            salvaged = await daemon.wait_for("outbox.salvaged")
            assert salvaged["waiting"] + salvaged["lost"] <= len(frames)
            assert salvaged["waiting"] + salvaged["lost"] >= len(still_there)
            assert salvaged["waiting"] >= 0.5 * len(still_there)  # where the row and its entry in the index were hit
            await receiver.wait_until(
                lambda receiver: len({request.body for request in receiver.requests[before:]}) == salvaged["waiting"]
            )
            daemon.process.terminate()
            assert await daemon.ended() == 0
        assert is_sound(path)


async def test_another_programs_database_and_a_newer_file_are_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations=NOWHERE)
    connection = sqlite3.connect(tmp_path / "outbox.db")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    (tmp_path / "outbox.db").chmod(0o644)
    code, _, err = await command("run", "-c", str(config))
    assert (code, "another program" in err) == (exit_codes.OUTBOX_DAMAGED, True)
    assert (tmp_path / "outbox.db").stat().st_mode & 0o777 == 0o644  # left as it is, to the last bit
    connection = sqlite3.connect(tmp_path / "outbox.db")
    connection.executescript("PRAGMA application_id = 0x46574452; PRAGMA user_version = 99;")
    connection.close()
    code, _, err = await command("run", "-c", str(config))
    assert (code, "version 99" in err) == (exit_codes.OUTBOX_DAMAGED, True)


async def make_outbox(config: Path) -> None:
    """Have the daemon make one, and end."""
    async with forwarder(config) as first:
        await first.wait_for("daemon.started")
        first.process.terminate()
        assert await first.ended() == 0


async def test_a_command_that_reads_makes_a_start_wait_and_not_fail(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations=NOWHERE)
    await make_outbox(config)
    with ExitStack() as held:
        held.enter_context(open_history(tmp_path / "outbox.db"))
        async with forwarder(config) as stopped:
            await until(lambda: is_running(stopped), limit_s=90, what="a daemon that waits")
            stopped.process.terminate()
            assert await stopped.ended() == 0
        code, _, err = await command("dead", "drop", "--all", "-c", str(config))
        assert (code, "a forwarder command (process" in err) == (exit_codes.OUTBOX_IN_USE, True)
        async with forwarder(config) as daemon:
            await until(lambda: is_running(daemon), limit_s=90, what="a daemon that waits")
            assert daemon.lines == []
            held.close()
            await daemon.wait_for("daemon.started")


def is_running(daemon: Forwarder) -> bool:
    """Whether it has come as far as its signal handlers: SIGTERM, number 15, is caught."""
    caught = Path(f"/proc/{daemon.process.pid}/status").read_text().split("SigCgt:")[1].split()[0]
    return bool(int(caught, 16) & 1 << (signal.SIGTERM - 1))


async def test_an_outbox_that_another_program_keeps_locked_is_one_sentence(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations=NOWHERE)
    await make_outbox(config)
    with closing(sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        code, _, err = await command("run", "-c", str(config))
    assert (code, err.count("\n")) == (exit_codes.OUTBOX_UNWRITABLE, 1)
    assert "database is locked" in err


async def test_a_second_daemon_on_the_same_outbox_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations=NOWHERE)
    async with forwarder(config) as daemon:
        await daemon.wait_for("daemon.started")
        code, _, err = await command("run", "-c", str(config))
        assert code == exit_codes.OUTBOX_IN_USE
        assert f"process {daemon.process.pid}" in err
    descriptor = os.open(tmp_path / "outbox.db.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free again after a kill
    os.close(descriptor)


async def test_the_outbox_is_private_even_if_it_was_not(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").touch(mode=0o644)
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations=NOWHERE)
    async with forwarder(config) as daemon:
        await daemon.wait_for("daemon.started")
        modes = private_modes(tmp_path)
        assert set(modes) >= {"outbox.db", "outbox.db-wal", "outbox.db.lock"}
        assert set(modes.values()) == {0o600}


async def test_an_unknown_command_or_argument_is_a_usage_error() -> None:
    assert (await command("runn"))[0] == 2
    assert (await command("demo", "--rate", "0"))[0] == 2
    assert (await command("demo", "--count", "-1"))[0] == 2
