"""The monitor is requested as the verdict says, over connections of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.destinations.heartbeat import Heartbeat
from forwarder.core.destinations.networks import Networks, read_networks
from forwarder.core.destinations.transport import STRAIGHT, Transport
from forwarder.core.monitoring import heartbeat_schedule
from forwarder.core.monitoring.status import HeartbeatReport
from forwarder.core.monitoring.verdict import Concern, HealthLevel, Verdict
from forwarder.emulator.receiver import Receiver
from forwarder.monitoring.heartbeat import HeartbeatPinger
from tests.support.crash import until

WELL = Verdict()
DEGRADED = Verdict(level=HealthLevel.DEGRADED, concerns=(Concern(HealthLevel.DEGRADED, "destination bot is down", ""),))
DOWN = Verdict(level=HealthLevel.DOWN, concerns=(Concern(HealthLevel.DOWN, "no stream is open", ""),))


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat_schedule, "LEAST_APART_S", 0.02)
    monkeypatch.setattr(heartbeat_schedule, "LOOK_EVERY_S", 0.02)


def heartbeat(url: str, *, is_sent_degraded: bool = False, transport: Transport = STRAIGHT) -> Heartbeat:
    return Heartbeat(
        url=url,
        every=timedelta(seconds=0.05),
        is_sent_degraded=is_sent_degraded,
        timeout=timedelta(seconds=10),
        transport=transport,
    )


@asynccontextmanager
async def running(pinger: HeartbeatPinger, verdicts: list[Verdict]) -> AsyncIterator[None]:
    """Have it run; the verdict is the last one of the list."""
    task = asyncio.create_task(pinger.run(lambda: verdicts[-1]))
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_without_a_monitor_nobody_asks_how_it_is() -> None:
    pinger = HeartbeatPinger(None, clock=utc_now)
    async with Receiver() as monitor, running(pinger, []):  # a verdict that is asked for would raise
        await asyncio.sleep(0.2)
        pinger.follow(None)
        assert monitor.received == 0


@pytest.mark.parametrize(
    ("verdict", "is_sent_degraded", "is_sent"),
    [(WELL, False, True), (DEGRADED, False, False), (DEGRADED, True, True), (DOWN, True, False), (DOWN, False, False)],
)
async def test_the_verdict_decides(verdict: Verdict, is_sent_degraded: bool, is_sent: bool) -> None:
    async with Receiver() as monitor:
        verdicts = [verdict]
        pinger = HeartbeatPinger(heartbeat(monitor.url, is_sent_degraded=is_sent_degraded), clock=utc_now)
        async with running(pinger, verdicts):
            if is_sent:
                await monitor.wait_for(3)
            else:
                await asyncio.sleep(0.3)
                assert monitor.received == 0
                verdicts.append(WELL)
                await monitor.wait_for(1)


@pytest.mark.parametrize(
    ("verdict", "said"), [(WELL, "all is well, so"), (DEGRADED, "nothing is down, though it is degraded, so")]
)
async def test_the_log_says_how_it_is_when_the_requests_go_on(verdict: Verdict, said: str) -> None:
    async with Receiver() as monitor:
        verdicts = [DOWN]
        pinger = HeartbeatPinger(heartbeat(monitor.url, is_sent_degraded=True), clock=utc_now)
        with capture_logs() as lines:
            async with running(pinger, verdicts):
                await until(lambda: bool(lines), limit_s=30, what="that it is withheld")
                verdicts.append(verdict)
                await monitor.wait_for(1)
    assert [line["event"] for line in lines] == ["heartbeat.withheld", "heartbeat.resumed"]
    assert lines[1]["note"].startswith(said)


async def test_another_monitor_is_requested_from_the_edit_on() -> None:
    async with Receiver() as first, Receiver() as second:
        pinger = HeartbeatPinger(heartbeat(first.url), clock=utc_now)
        async with running(pinger, [WELL]):
            await first.wait_for(2)
            pinger.follow(heartbeat(second.url))
            await second.wait_for(2)
            seen = first.received
            await second.wait_for(5)
            assert first.received - seen <= 1  # the one that was under way
            pinger.follow(None)
            await asyncio.sleep(0.1)
            seen = second.received
            await asyncio.sleep(0.3)
            assert second.received == seen


async def test_a_denied_address_is_not_requested() -> None:
    async with Receiver() as monitor:
        denied = Transport(networks=Networks(deny=(read_networks("127.0.0.0/8"),)))
        pinger = HeartbeatPinger(heartbeat(monitor.url, transport=denied), clock=utc_now)
        async with running(pinger, [WELL]):
            async with asyncio.timeout(30):
                while (report := pinger.status()) is None or report.trouble is None:  # noqa: ASYNC110 - nothing is sent
                    await asyncio.sleep(0.02)
        assert monitor.received == 0


async def test_the_report_has_why_a_request_failed_and_when_the_last_one_was_accepted() -> None:
    async with Receiver(status=503) as monitor:
        pinger = HeartbeatPinger(heartbeat(monitor.url), clock=utc_now)
        assert pinger.status() == HeartbeatReport()
        async with running(pinger, [WELL]):
            await until(lambda: trouble_of(pinger) is not None, limit_s=30, what="the failure")
            assert pinger.status() == HeartbeatReport(trouble="HTTP 503")
            monitor.status = 200
            await until(lambda: trouble_of(pinger) is None, limit_s=30, what="the success")
            report = pinger.status()
            assert report is not None
            assert report.last_ok_at is not None
            pinger.follow(None)
            assert pinger.status() is None


def trouble_of(pinger: HeartbeatPinger) -> str | None:
    report = pinger.status()
    assert report is not None
    return report.trouble
