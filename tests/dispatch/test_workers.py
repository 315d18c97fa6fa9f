"""The workers of a lane: they are woken when there is work, and at the time that was set."""

import asyncio

from forwarder.dispatch.workers import Workers


async def waiting(workers: Workers, count: int) -> list["asyncio.Task[None]"]:
    """Return tasks that all wait for work."""
    tasks = [asyncio.ensure_future(workers.wait_for_work()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def done(tasks: list["asyncio.Task[None]"]) -> int:
    await asyncio.sleep(0)
    return sum(task.done() for task in tasks)


async def test_so_many_are_woken_as_are_asked_for_and_no_more_than_wait() -> None:
    workers = Workers()
    idle = [workers.may_wake_another]
    workers.wake()  # nobody waits
    tasks = await waiting(workers, 3)
    idle.append(workers.may_wake_another)
    workers.wake()
    assert await done(tasks) == 1
    workers.wake(5)
    assert await done(tasks) == 3
    assert [*idle, workers.may_wake_another] == [False, True, False]


async def test_while_one_is_about_to_look_no_other_is_needed() -> None:
    workers = Workers()
    tasks = await waiting(workers, 3)
    workers.wake()
    needed = [workers.may_wake_another]  # the first has not looked yet
    assert await done(tasks) == 1
    needed.append(workers.may_wake_another)
    workers.wake()
    tasks[1].cancel()  # after it was woken
    assert await done(tasks) == 2
    needed.append(workers.may_wake_another)
    tasks[2].cancel()
    await asyncio.sleep(0)
    workers.wake()
    assert [*needed, workers.may_wake_another] == [False, True, True, False]


async def test_one_that_was_cancelled_takes_nobodys_turn() -> None:
    workers = Workers()
    tasks = await waiting(workers, 2)
    tasks[0].cancel()
    await asyncio.sleep(0)
    workers.wake()
    await asyncio.wait_for(tasks[1], 1)


async def test_the_earliest_time_counts_and_wakes_one() -> None:
    workers, loop = Workers(), asyncio.get_running_loop()
    tasks = await waiting(workers, 2)
    workers.wake_at(loop.time() + 3600, all_blocked=True)
    workers.wake_at(loop.time() + 7200, all_blocked=False)  # later: it changes nothing
    was_blocked = workers.all_blocked
    workers.wake_at(loop.time(), all_blocked=True)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=5)
    assert await done(tasks) == 1
    assert (was_blocked, workers.all_blocked) == (True, False)
    workers.wake()


async def test_a_time_that_is_cancelled_blocks_nobody() -> None:
    workers, loop = Workers(), asyncio.get_running_loop()
    workers.cancel_timer()
    workers.wake_at(loop.time() + 3600, all_blocked=True)
    workers.cancel_timer()
    assert not workers.all_blocked
