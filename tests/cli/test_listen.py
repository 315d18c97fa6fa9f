"""`forwarder listen` as a person sees it."""

import asyncio
import sys

import aiohttp


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
