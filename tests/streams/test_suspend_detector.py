"""A standstill of the machine or the process is noticed."""

import asyncio

import pytest

from forwarder.streams import suspend_detector


async def test_a_standstill_is_reported_and_time_that_passes_as_usual_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    boot = [0.0]
    monkeypatch.setattr(suspend_detector, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(suspend_detector, "boot_time", lambda: boot[0])
    reported: asyncio.Queue[str] = asyncio.Queue()
    watching = asyncio.ensure_future(suspend_detector.watch_standstill(reported.put_nowait))
    await asyncio.sleep(0.1)
    assert reported.empty()
    boot[0] += 3600
    async with asyncio.timeout(90):
        assert await reported.get() == "the machine slept for 3600 s"
    watching.cancel()
    await asyncio.wait([watching])
