"""`emulate`, `listen` and `run` as processes of their own, talking to one another as a user would have them."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.process import command, forwarder, write_config


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


async def test_listen_prints_each_webhook_at_a_glance_and_a_summary() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", "listen", "--port", "0", "--count", "1"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = ""
    while "http://" not in said:
        said += (await process.stdout.readline()).decode()
    url = next(word for word in said.split() if word.startswith("http://"))
    body = {"source": "x", "payload": {"text": "hello\n\x1b[2Jworld", "author": {"screen_name": "nova"}}}
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        assert response.status == 200
    async with asyncio.timeout(90):
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert "@nova" in out.decode()
    assert "\x1b" not in out.decode()


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
