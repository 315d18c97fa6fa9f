"""The demo shows what it promises, and ends by itself."""

import asyncio
import os
import re
import signal
from pathlib import Path

import aiohttp

from tests.support.process import PROGRAM, command


async def test_the_demo_ends_by_itself_with_nothing_lost_through_an_outage(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    code, out, err = await command("demo", "--count", "80", "--rate", "20", "--svg", str(picture), limit_s=90)
    assert (code, err) == (0, "")
    assert "alerts goes down for 5 s" in out
    assert "alerts is up again" in out
    assert re.search(r"lost +0\b", out)
    assert "connection refused; kept" in out
    assert re.search(r"cashtags → alerts ↻ attempt \d", out)
    assert re.search(r"archive → bot ✓ \d+\.\d ms", out)
    assert "</svg>" in picture.read_text()


async def test_with_its_page_the_demo_goes_on_until_a_signal(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "demo", "--page", "--count", "60", "--rate", "60"),
        stdout=asyncio.subprocess.PIPE,
        env={**environment, "COLUMNS": "160"},
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        async with asyncio.timeout(90):
            async for line in process.stdout:
                lines.append(line.decode())
                if "The page goes on until Ctrl-C" in lines[-1]:
                    break
            address = re.findall(r"http://127\.0\.0\.1:\d+/", lines[-1])[0]
            assert any(f"The page: {address}" in line for line in lines[:-1])
            async with aiohttp.ClientSession() as client, client.get(address) as answer:
                assert answer.status == 200
                assert "bot" in await answer.text()
            process.send_signal(signal.SIGINT)
            lines += [line.decode() async for line in process.stdout]
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = " ".join("".join(lines).replace("│", " ").split())
    assert text.count("what happened") == 1
    assert re.search(r"added latency .* of \d+ that did not wait for the outage", text)
    assert re.search(r"waited in the outbox.*, for \d+\.\d to \d+\.\d s", text)
