"""`forwarder status` of a daemon that runs: the keys of its JSON, and what it does with a status of another version."""

import asyncio
import json
import os
import pty
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.delivery import configure, status
from tests.support.paths import ROOT
from tests.support.process import KEY, command, forwarder

EXAMPLE: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "status.json").read_text(encoding="utf-8"))
BY_NAME = {
    "streams", "sources", "gap_repair_off", "gaps", "lag_ms", "routes", "destinations", "disabled", "waiting", "oldest", "dead", "ends",
    "odd_frames",
}  # fmt: skip
"""Keys whose mappings have names as keys."""


def assert_same_shape(found: object, example: object, place: str = "") -> None:
    """Assert that a value has the keys of another one, in their order, and values of their types; what is null has no type."""
    if found is None or example is None:
        return
    if isinstance(found, dict) and isinstance(example, dict):
        if place.rpartition(".")[2] in BY_NAME:
            for value in found.values():
                assert_same_shape(value, next(iter(example.values()), None), f"{place}.*")
            return
        assert list(found) == list(example), place
        for key, value in found.items():
            assert_same_shape(value, example[key], f"{place}.{key}")
        return
    assert type(found) is type(example), place


async def test_the_json_has_the_keys_and_types_of_the_example(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config):
            await emulator.wait_connected()
            for frame in packaged_events()[:3]:
                await emulator.send(frame)
            await bot.wait_for(3)
            assert (await command("pause", "bot", "--why", "a test", "-c", str(config)))[0] == 0
            config.write_text(config.read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")
            assert (await command("reload", "-c", str(config)))[0] == exit_codes.FAILURE
            code, out, _ = await command("status", "--json", "-c", str(config))
    status = json.loads(out)
    assert code == exit_codes.DEGRADED
    assert status["verdict"]["line"] == "DEGRADED: the last edit of the config was refused"
    assert status["config"]["refused"] is not None
    assert status["destinations"]["bot"]["paused"]["why"] == "a test"
    assert_same_shape(status, EXAMPLE)


@contextmanager
def answering(folder: Path, result: dict[str, Any]) -> Iterator[Path]:
    """Answer one request as a daemon of another version would; give the config."""
    config = folder / "config.yaml"
    config.write_text("destinations: {bot: {}}\n", encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(folder / "outbox.db.sock"))
        listening.listen()

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(json.dumps({"result": result}).encode() + b"\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield config
        thread.join()


@pytest.mark.parametrize("missing", ["log", "clock_jumped", "lag_ms", "outbox", "since_start"])
async def test_a_daemon_of_another_version_may_leave_keys_out_or_add_some(tmp_path: Path, missing: str) -> None:
    result = {key: value for key, value in EXAMPLE.items() if key != missing} | {"moon": "full"}
    with answering(tmp_path, result) as config:
        code, out, err = await command("status", "-c", str(config))
    assert (code, err) == (exit_codes.DEGRADED, "")
    assert "the queued deliveries cannot be read now" in out


async def test_the_json_keeps_what_only_the_daemon_knows(tmp_path: Path) -> None:
    with answering(tmp_path, {"moon": "full"}) as config:
        code, out, _ = await command("status", "--json", "-c", str(config))
    well = {"level": "OK", "line": "OK", "concerns": []}
    unread = {
        "waiting": None,
        "oldest": None,
        "dead": None,
        "recent_gaps": None,
        "unrepaired_gaps": None,
        "file_bytes": None,
    }
    assert (code, json.loads(out)) == (0, {"moon": "full", **unread, "verdict": well})


async def test_metrics_of_a_degraded_daemon_are_a_success(tmp_path: Path) -> None:
    with answering(tmp_path, {"text": "forwarder_up 1\nforwarder_outbox_healthy 0\n"}) as config:
        code, out, err = await command("status", "--prometheus", "-c", str(config))
    assert (code, out, err) == (exit_codes.OK, "forwarder_up 1\nforwarder_outbox_healthy 0\n", "")


async def test_a_daemon_that_has_no_metrics_is_of_another_version(tmp_path: Path) -> None:
    with answering(tmp_path, EXAMPLE) as config:
        code, out, err = await command("status", "--prometheus", "-c", str(config))
    assert code == exit_codes.NO_DAEMON
    assert out.endswith("\nforwarder_up 0.0\n")
    assert "is of another version" in err


async def test_a_status_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with answering(tmp_path, {"pid": "many"}) as config:
        code, out, err = await command("status", "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "")
    assert err.startswith("the running forwarder is of another version, and this one cannot read its status: ")
    assert "$.pid" in err


@pytest.mark.parametrize(
    ("changes", "code", "first"),
    [
        ({}, exit_codes.OK, "OK"),
        ({"condition": "waiting", "away_since": "NOW"}, exit_codes.DEGRADED, "DEGRADED: no stream has been open for "),
        (
            {"condition": "waiting", "away_since": "2026-11-29T14:58:44+00:00"},
            exit_codes.DOWN,
            "DOWN: no stream has been open for ",
        ),
        ({"condition": "waiting", "away_since": "yesterday"}, exit_codes.FAILURE, ""),
        ({"condition": "waiting", "away_since": "2026-11-29T14:58:44"}, exit_codes.FAILURE, ""),
    ],
)
async def test_the_exit_code_is_that_of_the_verdict(
    tmp_path: Path, changes: dict[str, str], code: int, first: str
) -> None:
    now = datetime.now(UTC).isoformat()
    main = EXAMPLE["streams"]["main"] | {key: now if value == "NOW" else value for key, value in changes.items()}
    with answering(tmp_path, {"version": "0.1.0", "started_at": now, "streams": {"main": main}}) as config:
        found, out, err = await command("status", "-c", str(config))
    assert found == code
    if first:
        assert out.startswith(first)
    else:
        assert "this one cannot read its status" in err


async def test_an_unrepaired_gap_of_today_degrades_and_one_of_yesterday_does_not(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config):
            await emulator.wait_connected()
            for hours, line in ((25, "OK"), (2, "DEGRADED: 1 gap of the last 24 h not repaired")):
                began = round((datetime.now(UTC) - timedelta(hours=hours)).timestamp() * 1000)
                with closing(sqlite3.connect(tmp_path / "outbox.db", timeout=60)) as outbox, outbox:
                    outbox.execute(
                        "INSERT INTO gaps VALUES (?, 'main', ?, ?, ?, 'it ended', 0, 'failed', 0, 0, '')",
                        (900 + hours, began, began, began + 1000),
                    )
                assert (await status(config))["verdict"]["line"] == line
                _, out, _ = await command("status", "-c", str(config))
                assert out.startswith(line)


async def test_watch_shows_it_again_until_ctrl_c_and_waits_for_a_daemon_that_is_away(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "forwarder", "status", "--watch", "0.1", "-c", str(config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(60):
            assert b"no forwarder answers" in await process.stderr.readline()
            async with forwarder(config):
                await emulator.wait_connected()
                for _ in range(2):
                    while await process.stdout.readline() != b"OK\n":
                        pass
            process.send_signal(signal.SIGINT)
            await process.communicate()
        assert process.returncode == 130


async def test_a_watched_status_is_written_as_one_frame_and_ends_with_a_new_line(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config):
            await emulator.wait_connected()
            written = await asyncio.to_thread(watched_on_terminal, config)
    frames = written.split(b"\x1b[H")[1:]
    assert len(frames) > 2
    assert b"\x1b[2J" not in written
    assert all(frame.count(b"OK") and frame.rstrip(b"\r\n").endswith(b"\x1b[J") for frame in frames[:-1])
    assert written.endswith(b"\r\n")


def watched_on_terminal(config: Path) -> bytes:
    """Return what `forwarder status --watch` writes to a terminal until it is interrupted."""
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "forwarder", "status", "--watch", "0.1", "-c", str(config)]
    with subprocess.Popen(arguments, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        written, is_told = b"", False
        try:
            while chunk := os.read(ours, 65536):
                written += chunk
                if written.count(b"\x1b[J") > 2 and not is_told:
                    is_told = True
                    process.send_signal(signal.SIGINT)
        except OSError:  # the end of the terminal
            pass
        finally:
            os.close(ours)
    return written


def on_terminal(config: Path, **environment: str) -> bytes:
    """Return what `forwarder status` writes to a terminal."""
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    arguments = [sys.executable, "-m", "forwarder", "status", "-c", str(config)]
    with subprocess.Popen(arguments, stdout=theirs, env=plain | environment) as process:
        os.close(theirs)
        written = b""
        try:
            while more := os.read(ours, 1 << 16):
                written += more
        except OSError:  # the terminal is closed at its other end
            pass
        process.wait(60)
    os.close(ours)
    return written


@pytest.mark.parametrize(
    ("environment", "first"),
    [({}, b"\x1b[33mDEGRADED\x1b[0m: "), ({"NO_COLOR": "1"}, b"DEGRADED: ")],
)
def test_the_verdict_is_coloured_on_a_terminal_and_not_with_no_color(
    tmp_path: Path, environment: dict[str, str], first: bytes
) -> None:
    with answering(tmp_path, EXAMPLE) as config:
        written = on_terminal(config, **environment)
    assert written.startswith(first)
    assert (b"\x1b[33malerts " in written) is (b"\x1b" in first)
    assert b"\x1b[33mbot " not in written
