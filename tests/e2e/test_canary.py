"""Canaries, with the real daemon: they arrive on schedule, and one that does not is reported."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.canary_clock import PROGRAM, CanaryClock
from tests.support.crash import until
from tests.support.delivery import (
    assert_balanced,
    configure,
    is_canary,
    kinds,
    lane,
    notices,
    ok,
    status,
    status_text,
    stopped,
    until_kinds,
)
from tests.support.process import KEY, LOG_ALL, Forwarder, forwarder, look

HOURLY = "canary: {every: 1h, within: 30m}"
HOUR_S = 3600.0
FIRST_AFTER_S = 2.0
TOLD = "on_failure: {to: alerts, after: 1h}"


@pytest.fixture
def clock(tmp_path: Path) -> CanaryClock:
    return CanaryClock(tmp_path)


@asynccontextmanager
async def running(config: Path, clock: CanaryClock) -> AsyncIterator[Forwarder]:
    """Run the daemon, its canaries by that clock."""
    async with forwarder(config, *LOG_ALL, program=PROGRAM, env=clock.env) as daemon:
        await daemon.wait_for("daemon.ready")
        yield daemon


async def first_is_due(config: Path, clock: CanaryClock, name: str = "bot") -> None:
    """Once the schedule of a destination has begun, set the clock forward to its first canary."""
    while (await lane(config, name))["canary"] is None:  # noqa: ASYNC110 - it is only in the status
        await asyncio.sleep(0.05)
    clock.advance(FIRST_AFTER_S)


async def nothing_more(receiver: Receiver) -> None:
    """The daemon has looked twice what is due, and sent nothing."""
    received = receiver.received
    await asyncio.sleep(0.6)
    assert receiver.received == received


async def test_a_canary_comes_soon_after_the_start_and_on_schedule_and_status_shows_its_time(
    tmp_path: Path, clock: CanaryClock
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as alerts:
        config = configure(tmp_path, emulator, {"bot": (bot, f"{HOURLY}, {TOLD}"), "alerts": (alerts, "")})
        async with running(config, clock) as daemon:
            await first_is_due(config, clock)
            await bot.wait_for(1)
            await daemon.wait_for("delivery.delivered")
            clock.advance(HOUR_S - 60)
            await nothing_more(bot)
            clock.advance(60)
            await bot.wait_for(2)
            first, _second = bot.requests
            assert is_canary(first)
            event = json.loads(first.body)
            assert (event["source"], event["sid"], event["payload"]["kind"]) == ("forwarder", "bot", "canary")
            await daemon.wait_for("delivery.delivered", count=2)
            seen = (await lane(config))["canary"]
            assert 0 < seen["last_ms"] < 60_000
            assert seen["missed"] is False
            assert "canary" in await status_text(config)
            assert (await lane(config, "alerts"))["canary"] is None
            await stopped(daemon)
        assert alerts.received == 0
        await assert_balanced(config)


async def test_a_canary_that_does_not_arrive_is_reported_once_and_so_is_the_next_that_does(
    tmp_path: Path, clock: CanaryClock
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=500) as bot, Receiver() as alerts:
        # No other way for it to be tried soon: the breaker would probe.
        settings = f"canary: {{every: 5s, within: 1s}}, {TOLD}, retry: {{delays: [1h]}}, breaker: {{enabled: false}}"
        config = configure(tmp_path, emulator, {"bot": (bot, settings), "alerts": (alerts, "")})
        async with running(config, clock) as daemon:
            await first_is_due(config, clock)
            await daemon.wait_for("delivery.retry_scheduled")
            clock.advance(1)
            await until_kinds(alerts, "canary")
            (missed,) = notices(alerts)
            assert (missed["level"], missed["destination"]) == ("error", "bot")
            assert "HTTP 500" in missed["text"]
            line = await daemon.wait_for("canary.missed")
            assert (line["level"], line["destination"]) == ("error", "bot")
            assert "CANARY MISSED" in await status_text(config)
            # It is given up when the next one is due, which fails as well and is not reported.
            await bot.wait_until(lambda bot: ids(bot, 2), 90, "two canaries")
            assert kinds(alerts) == ["canary"]
            bot.status = 200
            await until_kinds(alerts, "canary", "recovered")  # one outage has one end
            assert notices(alerts)[1]["level"] == "ok"
            async with asyncio.timeout(
                90
            ):  # until one comes in time: on a slow machine that is not the first that comes
                while (await lane(config))["canary"]["missed"]:  # noqa: ASYNC110 - the daemon is another process
                    await asyncio.sleep(0.1)
            await stopped(daemon)
        await assert_balanced(config)
        assert (await ok(config, "dead", "list", "--json")) == ""
        assert look(tmp_path / "outbox.db", "SELECT count(*) FROM deliveries WHERE reason = 'missed canary'") != [(0,)]


def ids(receiver: Receiver, count: int) -> bool:
    return len({request.headers["webhook-id"] for request in receiver.requests}) >= count


async def test_a_canary_that_is_refused_for_good_is_reported_at_once_and_is_no_dead_letter(
    tmp_path: Path, clock: CanaryClock
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=400) as bot, Receiver() as alerts:
        settings = f"canary: {{every: 1h}}, {TOLD}"
        config = configure(tmp_path, emulator, {"bot": (bot, settings), "alerts": (alerts, "")})
        async with running(config, clock) as daemon:
            await first_is_due(config, clock)
            await until_kinds(alerts, "canary")
            assert "HTTP 400" in notices(alerts)[0]["text"]
            said = await status(config)
            assert said["dead"] == {}
            assert (said["since_start"]["dead"], said["since_start"]["missed_canaries"]) == (0, 1)
            ended = "SELECT status FROM deliveries WHERE destination = 'bot'"
            await until(
                lambda: look(tmp_path / "outbox.db", ended) == [("skipped",)], limit_s=90, what="its end on disk"
            )
            (shown,) = json.loads(f"[{await ok(config, 'deliveries', '--destination', 'bot', '--json')}]")
            shown = json.loads(await ok(config, "deliveries", "show", shown["delivery_id"], "--json"))
            assert (shown["status"], shown["reason"], shown["trigger"]) == ("skipped", "missed canary", "canary")
            assert [(each["http_status"], each["number"]) for each in shown["attempts"]] == [(400, 1)]
            assert "HTTP 400" in shown["attempts"][0]["reason"]
            await stopped(daemon)
        await assert_balanced(config)


async def test_a_canary_that_arrives_late_is_reported_and_followed_by_another_at_once(
    tmp_path: Path, clock: CanaryClock
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as alerts:

        def late_at_first(_request: Received) -> Answer:
            if bot.received == 1:
                clock.advance(HOUR_S * 0.6)  # it is on its way for so long
            return Answer()

        bot.respond = late_at_first
        settings = f"{HOURLY}, {TOLD}"
        config = configure(tmp_path, emulator, {"bot": (bot, settings), "alerts": (alerts, "")})
        async with running(config, clock) as daemon:
            await first_is_due(config, clock)
            await until_kinds(alerts, "canary", "canary")
            assert [notice["level"] for notice in notices(alerts)] == ["error", "ok"]
            assert bot.received == 2
            await daemon.wait_for("canary.back", level="warning")
            await stopped(daemon)
        await assert_balanced(config)


async def test_every_attempt_of_a_canary_says_that_it_is_one_and_holds_up_no_event(
    tmp_path: Path, clock: CanaryClock
) -> None:
    def refuse_canaries(request: Received) -> Answer:
        return Answer(status=500 if is_canary(request) else 200)

    async with Emulator(api_key=KEY) as emulator, Receiver(respond=refuse_canaries) as bot:
        settings = (
            "canary: {every: 1h, within: 30m}, order: strict, retry: {delays: [100ms, 1h]}, breaker: {enabled: false}"
        )
        config = configure(tmp_path, emulator, {"bot": (bot, settings)})
        async with running(config, clock) as daemon:
            await emulator.wait_connected()
            await first_is_due(config, clock)
            await daemon.wait_for("delivery.retry_scheduled", count=2)
            assert [request.headers["x-forwarder-attempt"] for request in bot.requests] == ["1", "2"]
            assert all(map(is_canary, bot.requests))
            for frame in packaged_events()[:5]:
                await emulator.send(frame)
            await bot.wait_for(5)
            await stopped(daemon)
        await assert_balanced(config)


async def test_a_paused_destination_gets_no_canary_and_is_not_reported(tmp_path: Path, clock: CanaryClock) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as probe, Receiver() as alerts:
        destinations = {
            "bot": (bot, f"{HOURLY}, {TOLD}"),
            "off": (bot, f"{HOURLY}, enabled: false"),
            "probe": (probe, HOURLY),
            "alerts": (alerts, ""),
        }
        config = configure(tmp_path, emulator, destinations)
        async with running(config, clock) as daemon:
            await ok(config, "pause", "bot")
            await first_is_due(config, clock, "probe")
            await daemon.wait_for("delivery.delivered", destination="probe")
            clock.advance(HOUR_S)
            await probe.wait_for(2)
            assert (bot.received, alerts.received) == (0, 0)
            await ok(config, "resume", "bot")
            await bot.wait_for(1)
            assert is_canary(bot.requests[0])
            await stopped(daemon)
        assert alerts.received == 0
        assert {line["event"] for line in daemon.lines}.isdisjoint({"canary.missed", "delivery.expired"})
        await assert_balanced(config)


async def test_the_schedule_goes_on_over_a_reload_and_begins_again_at_a_start(
    tmp_path: Path, clock: CanaryClock
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as other:
        destinations = {"bot": (bot, "canary: {every: 1h}"), "other": (other, "")}
        config = configure(tmp_path, emulator, destinations)
        async with running(config, clock) as daemon:
            await first_is_due(config, clock)
            await bot.wait_for(1)
            await daemon.wait_for("delivery.delivered", destination="bot")
            configure(tmp_path, emulator, {**destinations, "other": (other, "canary: {every: 1h}, timeout: 4s")})
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done")
            await first_is_due(config, clock, "other")
            await other.wait_for(1)  # the new one's first; the old one's was not due
            assert bot.received == 1
            configure(tmp_path, emulator, {**destinations, "bot": (bot, "canary: {every: 30m}")})
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done", count=2)
            clock.advance(HOUR_S / 3)
            await nothing_more(bot)
            clock.advance(HOUR_S / 6)  # its step is another; it is counted from the last one
            await bot.wait_for(2)
            await stopped(daemon)
        configure(tmp_path, emulator, destinations)
        async with running(config, clock) as daemon:
            await first_is_due(config, clock)
            await bot.wait_for(3)
            await daemon.wait_for("delivery.delivered", destination="bot")
            await stopped(daemon)
        await assert_balanced(config)


async def test_old_canaries_are_given_up_and_not_sent_when_a_receiver_is_back(
    tmp_path: Path, clock: CanaryClock
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "canary: {every: 1h}")})
        await bot.stop_listening()
        for count in (1, 2):  # each run leaves one
            async with running(config, clock) as daemon:
                await first_is_due(config, clock)
                await left(tmp_path, count)
                await stopped(daemon)
        configure(tmp_path, emulator, {"bot": (bot, "")})  # without canaries, what is left of them is of no use
        await bot.start_listening()
        await asyncio.sleep(1.1)  # so long past its time a delivery may still be tried
        async with running(config, clock) as daemon:
            await emulator.wait_connected()
            await emulator.send(packaged_events()[0])
            await bot.wait_for(1)
            await daemon.wait_for("delivery.expired", count=2)
            await stopped(daemon)
        assert [request.body for request in bot.requests] == [packaged_events()[0]]
        await left(tmp_path, 0)
        await assert_balanced(config)


async def left(folder: Path, count: int) -> None:
    """Wait until so many deliveries wait in the outbox."""
    waiting = "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'in_flight')"
    await until(lambda: look(folder / "outbox.db", waiting) == [(count,)], limit_s=90, what=f"{count} waiting")


async def test_a_replay_of_the_history_leaves_canaries_out(tmp_path: Path, clock: CanaryClock) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "canary: {every: 1h}")})
        async with running(config, clock) as daemon:
            await emulator.wait_connected()
            await emulator.send(packaged_events()[0])
            await first_is_due(config, clock)
            await bot.wait_for(2)
            await daemon.wait_for("delivery.delivered", count=2)
            await ok(config, "replay", "--to", "bot", "--since", "1h", "--wait")
            await bot.wait_for(3)
            await stopped(daemon)
        assert [is_canary(request) for request in bot.requests].count(True) == 1
        await assert_balanced(config)
