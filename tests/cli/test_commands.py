"""`emulate`, `listen` and `run` as processes of their own, talking to one another as a user would have them."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from forwarder.emulator.script import packaged_events
from tests.support.process import PROGRAM, command, forwarder, look, write_config


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """Run a command with `--json`; give the process and its first line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", *arguments, "--json"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def rest(process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    async with asyncio.timeout(90):
        out, _ = await process.communicate()
    return [json.loads(line) for line in out.splitlines()]


async def test_emulate_run_and_listen_work_together(tmp_path: Path) -> None:
    async with started("listen", "--port", "0", "--count", "204", "--fail-first", "3") as (listen, receiver):
        async with started("emulate", "--port", "0", "--burst", "--once", "--key", "k") as (emulate, stream):
            config = write_config(tmp_path, stream=stream["ws_url"], destinations={"bot": receiver["url"]}, key="k")
            async with forwarder(config):
                lines = await rest(listen)
            assert listen.returncode == 0
            emulate.send_signal(signal.SIGTERM)
            await rest(emulate)
            assert emulate.returncode == 0
    assert len({line["webhook_id"] for line in lines if "webhook_id" in line}) == 204


async def test_an_emulator_that_is_started_again_sends_new_events_unless_it_is_told_not_to(tmp_path: Path) -> None:
    again = ("--port", "0", "--burst", "--count", "20", "--exit-when-done", "--key", "k")
    async with started("listen", "--port", "0") as (_, receiver):
        async with started("emulate", *again) as (emulate, stream):
            port = stream["url"].rsplit(":", 1)[1]
            config = write_config(tmp_path, stream=stream["ws_url"], destinations={"bot": receiver["url"]}, key="k")
            async with forwarder(config) as daemon:
                await rest(emulate)
                for number, more in enumerate(((), ("--fixed",), ("--fixed",)), 2):
                    async with started("emulate", *again, *more, "--port", port) as (next_one, _):
                        await rest(next_one)
                    await daemon.wait_for("stream.disconnected", count=number)
                daemon.send(signal.SIGTERM)
                assert await daemon.ended() == 0
    ((events,),) = look(tmp_path / "outbox.db", "SELECT count(*) FROM events")
    first = list(dict.fromkeys(packaged_events()[:20]))
    assert events == 3 * len(first)


async def test_a_port_that_is_taken_and_a_file_that_is_not_there_are_one_sentence() -> None:
    async with started("listen", "--port", "0") as (_, receiver):
        port = receiver["url"].split(":")[2].split("/")[0]
        for name in ("listen", "emulate"):
            code, _, err = await command(name, "--port", port)
            assert code == 1
            assert len(err.strip().splitlines()) == 1
    code, _, err = await command("emulate", "--port", "0", "--events", "/no/such/file")
    assert code in {1, 2}
    assert "/no/such/file" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "line", ["schema", "preview --format discord", "preview --format raw --json", "test -v", "check", "demo --count 5"]
)
@pytest.mark.parametrize("nobody_reads", [True, False], ids=["a closed pipe", "a full disk"])
async def test_output_that_cannot_be_written_has_a_code_and_no_traceback(
    tmp_path: Path, line: str, nobody_reads: bool
) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations={"bot": "http://127.0.0.1:9/"})
    config.chmod(0o600)
    out = closed_pipe() if nobody_reads else os.open("/dev/full", os.O_WRONLY)
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, *line.split()), cwd=tmp_path, stdout=out, stderr=asyncio.subprocess.PIPE
    )
    os.close(out)
    async with asyncio.timeout(90):
        _, err = await process.communicate()
    said = err.decode()
    assert (process.returncode, said) == ((141, "") if nobody_reads else (1, "forwarder: No space left on device\n"))


def closed_pipe() -> int:
    """Return the end of a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    return write
