"""Whoever waits for a condition checks it again at each change, and learns what did not come."""

import asyncio

import pytest

from forwarder.emulator.waiting import ChangeSignal


async def test_what_holds_already_is_not_waited_for() -> None:
    await ChangeSignal().wait_until(lambda: True, 0.0, "such state")


async def test_every_waiting_task_checks_at_each_change() -> None:
    signal, seen = ChangeSignal(), list[int]()

    async def wait_for(count: int) -> None:
        await signal.wait_until(lambda: len(seen) >= count, 30, f"{count} of them")

    async with asyncio.TaskGroup() as group:
        first, second = group.create_task(wait_for(1)), group.create_task(wait_for(2))
        await asyncio.sleep(0)
        seen.append(1)
        signal.notify()
        await first
        assert not second.done()
        seen.append(2)
        signal.notify()
        await second


async def test_what_does_not_come_is_named_with_the_time_that_was_waited() -> None:
    with pytest.raises(TimeoutError, match=r"^no third event within 0\.01 s$"):
        await ChangeSignal().wait_until(lambda: False, 0.01, "third event")


async def test_a_change_without_anybody_waiting_and_a_cancelled_wait_do_no_harm() -> None:
    signal = ChangeSignal()
    signal.notify()
    waiting = asyncio.ensure_future(signal.wait_until(lambda: False, 30, "anything"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    signal.notify()
    assert waiting.cancelled()
