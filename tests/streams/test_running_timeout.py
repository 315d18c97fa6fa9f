"""A timeout by time in which the loop ran."""

import asyncio
import time

import pytest

from forwarder.streams.running_timeout import RunningTimeout
from tests.support.raw import serving


async def test_it_ends_a_wait_that_lasts_too_long() -> None:
    with pytest.raises(TimeoutError):
        async with RunningTimeout(0.05):
            await asyncio.Event().wait()


async def test_time_in_which_the_loop_stood_still_does_not_count() -> None:
    came: list[str] = []
    async with RunningTimeout(0.5):
        asyncio.get_running_loop().call_later(0.2, came.append, "in time")
        await asyncio.sleep(0.1)
        time.sleep(1)  # noqa: ASYNC251 - the standstill
        await asyncio.sleep(0.2)
    assert came == ["in time"]


async def test_what_came_during_a_standstill_at_the_very_end_of_the_time_is_read_first() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))

    async with serving(serve) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with RunningTimeout(0.2):
            await asyncio.sleep(0.19)
            writer.write(b"x")
            time.sleep(0.5)  # noqa: ASYNC251 - the standstill
            assert await reader.read(1) == b"x"
        writer.close()


async def test_paused_it_counts_nothing_and_restarted_it_counts_from_zero() -> None:
    async with RunningTimeout(0.2) as limit:
        for _ in range(4):
            limit.is_counting = limit.is_restarted = True
            await asyncio.sleep(0.1)
        limit.is_counting = False
        await asyncio.sleep(0.5)
        limit.is_counting = limit.is_restarted = True
        with pytest.raises(TimeoutError):
            await waited(0.1)


async def waited(allowed_s: float) -> None:
    async with RunningTimeout(allowed_s) as limit:
        limit.is_counting = False
        limit.is_counting = limit.is_restarted = True
        await asyncio.Event().wait()
