"""What the block of a task group raises comes out as it is; what its tasks raise comes as a group."""

import asyncio

import pytest

from forwarder.daemon.task_group import task_group


async def test_what_the_block_raises_comes_out_as_it_is_with_its_cause() -> None:
    cause = KeyError("cause")
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def run() -> None:
        async with task_group() as group:
            group.create_task(wait())
            await asyncio.sleep(0)
            raise OSError("lost") from cause

    with pytest.raises(OSError, match="lost") as raised:
        await run()
    assert raised.value.__cause__ is cause
    assert ended.is_set()


async def test_what_a_task_raises_is_in_a_group() -> None:
    async def fail() -> None:
        raise OSError("lost")

    async def run() -> None:
        async with task_group() as group:
            group.create_task(fail())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        await run()
    assert [str(each) for each in raised.value.exceptions] == ["lost"]


async def test_what_the_block_and_a_task_raise_are_in_one_group() -> None:
    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("task")

    async def run() -> None:
        async with task_group() as group:
            group.create_task(fail_at_the_end())
            await asyncio.sleep(0)
            raise OSError("block")

    with pytest.raises(ExceptionGroup) as raised:
        await run()
    assert {str(each) for each in raised.value.exceptions} == {"block", "task"}


async def test_a_cancellation_stays_one() -> None:
    async def run() -> None:
        async with task_group():
            await asyncio.Event().wait()

    running = asyncio.ensure_future(run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_block_without_an_error_waits_for_its_tasks() -> None:
    done: list[int] = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    async with task_group() as group:
        group.create_task(work())
    assert done == [1]
