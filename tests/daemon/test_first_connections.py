"""What waits until each stream was tried for the first time."""

import asyncio

import pytest

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.verdict import Verdict
from forwarder.daemon.first_connections import announce, beat
from forwarder.daemon.housekeeping import ServiceStatus
from forwarder.monitoring.heartbeat import HeartbeatPinger
from forwarder.systemd import ServiceManager


class Reports(ServiceManager):
    """What the service manager was sent."""

    def __init__(self) -> None:
        super().__init__({})
        self.sent: list[str] = []

    def ready(self, status: str) -> None:
        self.sent.append(status)


class Pinger(HeartbeatPinger):
    """A heartbeat of which only the begin is looked at."""

    def __init__(self) -> None:
        super().__init__(None, clock=utc_now)
        self.began = 0

    async def run(self, verdict: object) -> None:  # noqa: ARG002 - that of the heartbeat
        self.began += 1


@pytest.mark.parametrize("streams", [0, 1, 3])
async def test_nothing_begins_before_the_last_stream_was_tried(streams: int) -> None:
    def never() -> Verdict:
        raise AssertionError

    tried, reports, pinger = [asyncio.Event() for _ in range(streams)], Reports(), Pinger()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(announce(tried, ServiceStatus(reports, Counters())))
        tasks.create_task(beat(tried, pinger, never))
        for event in reversed(tried):
            for _ in range(5):
                await asyncio.sleep(0)
            assert (reports.sent, pinger.began) == ([], 0)
            event.set()
    assert (len(reports.sent), pinger.began) == (1, 1)
