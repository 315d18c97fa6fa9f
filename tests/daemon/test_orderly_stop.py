"""A stop runs backwards what the start did, and leaves out its orderly steps where an error ended the daemon."""

import asyncio
from datetime import timedelta

import pytest

from forwarder.daemon.orderly_stop import GracePeriod, OrderlyStop


async def test_the_steps_of_a_stop_come_in_the_reverse_order_of_the_start() -> None:
    done: list[str] = []

    async def later(step: str) -> None:
        await asyncio.sleep(0)
        done.append(step)

    async with OrderlyStop() as stop:
        stop.callback(done.append, "close")
        stop.on_stop(lambda: later("drain"))
        stop.on_stop(lambda: done.append("announce"))
        done.append("run")
    assert done == ["run", "announce", "drain", "close"]


async def test_an_error_leaves_out_what_only_an_orderly_stop_does_and_closes_all_the_same() -> None:
    done: list[str] = []

    async def lose() -> None:
        async with OrderlyStop() as stop:
            stop.callback(done.append, "close")
            stop.on_stop(lambda: done.append("drain"))
            raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        await lose()
    assert done == ["close"]


async def test_a_step_that_fails_leaves_out_those_that_would_follow_it() -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError("full")

    async def run() -> None:
        async with OrderlyStop() as stop:
            stop.callback(done.append, "close")
            stop.on_stop(lambda: done.append("drain"))
            stop.on_stop(fail)

    with pytest.raises(OSError, match="full"):
        await run()
    assert done == ["close"]


def test_the_grace_period_begins_with_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("forwarder.daemon.orderly_stop.monotonic", lambda: now[0])
    lengths = [timedelta(seconds=10)]
    grace = GracePeriod(lambda: lengths[0])
    now[0] = 500.0
    assert grace.left() == timedelta(seconds=10)
    lengths[0] = timedelta(seconds=99)  # a reload meanwhile changes nothing
    now[0] = 504.0
    assert grace.left() == timedelta(seconds=6)
    now[0] = 511.0
    assert grace.left() == timedelta()
