"""What is done at an interval."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from forwarder.clocks.periodic import periodic

EVERY = timedelta(milliseconds=20)
RESOLUTION_S = 0.001


class EnoughError(Exception):
    """Ends the loop."""


async def test_each_call_comes_an_interval_after_the_one_before_and_the_first_after_one() -> None:
    loop = asyncio.get_running_loop()
    at = [loop.time()]

    def look() -> None:
        at.append(loop.time())
        if len(at) > 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        await periodic(EVERY, look)
    assert len(at) == 4
    assert all(after - before >= EVERY.total_seconds() - RESOLUTION_S for before, after in pairwise(at))


async def test_an_asynchronous_call_is_waited_for_so_that_none_overlap() -> None:
    under_way, calls = 0, 0

    async def look() -> None:
        nonlocal under_way, calls
        under_way += 1
        assert under_way == 1
        async with asyncio.timeout(2 * EVERY.total_seconds()) as wait:
            with pytest.raises(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()
        assert wait.expired()
        under_way -= 1
        calls += 1
        if calls == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        await periodic(EVERY, look)
    assert calls == 2


async def test_a_cancelled_loop_ends() -> None:
    calls = 0

    def look() -> None:
        nonlocal calls
        calls += 1

    task = asyncio.ensure_future(periodic(timedelta(hours=1), look))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == 0
