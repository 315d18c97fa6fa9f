"""What docs/delivery.md promises, with the real daemon and the commands beside it."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Action, Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import (
    assert_balanced,
    bodies,
    configure,
    is_notice,
    kinds,
    lane,
    notices,
    ok,
    status,
    status_text,
    stopped,
    until_kinds,
)
from tests.support.lanes import event
from tests.support.process import KEY, LOG_ALL, PROGRAM, command, forwarder, look

FRAMES = [event(number).body for number in range(40)]
"""All of one account."""
QUICK = "retry: {delays: [100ms, 1s, 1s, 1s, 1s, 1s, 1s, 1h]}"


async def send(emulator: Emulator, frames: list[bytes]) -> None:
    for frame in frames:
        await emulator.send(frame)


async def waits(folder: Path, count: int) -> None:
    """Return once so many deliveries wait in the outbox."""
    statement = "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'in_flight')"
    await until(lambda: look(folder / "outbox.db", statement) == [(count,)], limit_s=90, what=f"{count} waiting")


# Pausing


async def test_a_pause_alongside_the_daemon_keeps_everything_and_outlasts_a_restart_and_a_kill(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            said = await ok(config, "pause", "bot", "--why", "new release")
            assert said == "bot is paused; 0 deliveries wait for it.\n"
            line = await daemon.wait_for("destination.paused", destination="bot")
            assert (line["by"], line["why"]) == ("person", "new release")
            await send(emulator, FRAMES[:5])
            await waits(tmp_path, 5)
            assert await ok(config, "pause", "bot") == "bot is paused already; 5 deliveries wait for it.\n"
            assert "PAUSED by hand" in await status_text(config)
            daemon.send(signal.SIGKILL)
            await daemon.ended()
            await emulator.wait_until(lambda emulator: not emulator.connections)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            assert (await lane(config))["paused"]["why"] == "new release"
            await send(emulator, FRAMES[5:8])
            await waits(tmp_path, 8)
            await stopped(daemon)
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            assert (await status(config))["waiting"] == {"bot": 8}
            assert bot.received == 0
            said = json.loads(await ok(config, "resume", "bot", "--json"))
            assert (said["paused"], said["changed"]) == (False, True)
            await bot.wait_for(8)
            await daemon.wait_for("destination.resumed", destination="bot")
            assert (await lane(config))["paused"] is None
            assert "already" in await ok(config, "resume", "bot")
            await stopped(daemon)
        assert sorted(bodies(bot)) == sorted(FRAMES[:8])
        await assert_balanced(config)


async def test_a_pause_for_a_time_ends_by_itself_with_a_daemon_and_at_the_next_start(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = configure(tmp_path, emulator, {"bot": (receiver, "")})
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            assert "is paused until " in await ok(config, "pause", "bot", "--for", "1h", "--why", "new release")
            line = await daemon.wait_for("destination.paused", destination="bot")
            assert line["until"] == (await lane(config))["paused"]["until"]
            await emulator.wait_connected()
            await send(emulator, FRAMES[:1])
            await ok(config, "pause", "bot", "--for", "1s")
            line = await daemon.wait_for("destination.resumed", destination="bot")
            assert line["by"] == "time"
            await receiver.wait_for(1)
            assert (await lane(config))["paused"] is None
            await stopped(daemon)
        await ok(config, "pause", "bot", "--for", "200ms")
        async with forwarder(config) as daemon:
            await daemon.wait_for("destination.resumed", destination="bot", by="time")
            await emulator.wait_connected()
            await send(emulator, FRAMES[1:2])
            await receiver.wait_for(2)
            await stopped(daemon)


async def test_a_pause_without_a_daemon_holds_at_the_next_start(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as other:
        config = configure(tmp_path, emulator, {"bot": (bot, ""), "other": (other, "")}, to=("bot", "other"))
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            await stopped(daemon)
        assert "is paused;" in await ok(config, "pause", "bot")
        assert "paused already" in await ok(config, "pause", "bot")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await send(emulator, FRAMES[:3])
            await other.wait_for(3)
            await waits(tmp_path, 3)
            await stopped(daemon)
        assert bot.received == 0
        assert "is resumed; 3 deliveries wait" in await ok(config, "resume", "bot")
        async with forwarder(config) as daemon:
            await bot.wait_for(3)
            await stopped(daemon)
        assert sorted(bodies(bot)) == sorted(FRAMES[:3])
        await assert_balanced(config)


async def test_an_unknown_destination_cannot_be_paused_with_or_without_a_daemon(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, ""), "off": (bot, "enabled: false")})
        sentence = 'no enabled destination is called "bott"; did you mean "bot"? There are: bot\n'
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            for verb in ("pause", "resume"):
                assert await command(verb, "bott", "-c", str(config)) == (exit_codes.USAGE, "", sentence)
            await stopped(daemon)
        assert await command("pause", "bott", "-c", str(config)) == (exit_codes.USAGE, "", sentence)
        assert 'no enabled destination is called "off"' in (await command("pause", "off", "-c", str(config)))[2]


async def test_a_disabled_destination_is_skipped_and_counted(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as off:
        destinations = {"bot": (bot, ""), "off": (off, "enabled: false")}
        config = configure(tmp_path, emulator, destinations, to=("bot", "off"))
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await send(emulator, FRAMES[:3])
            await bot.wait_for(3)
            said = await status(config)
            assert said["since_start"]["skipped"] == 3
            assert list(said["destinations"]) == ["bot"]
            await stopped(daemon)
        assert off.received == 0
        audit = json.loads(await ok(config, "audit", "--json"))
        assert audit["deliveries"]["disabled"] == 3
        skipped = (await ok(config, "deliveries", "--status", "skipped", "--json")).splitlines()
        assert [(json.loads(line)["destination"], json.loads(line)["reason"]) for line in skipped] == [
            ("off", "disabled")
        ] * 3
        await assert_balanced(config)


async def test_a_410_pauses_and_a_resume_delivers_everything(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=410) as bot, Receiver() as alerts:
        destinations = {"bot": (bot, "on_failure: {to: alerts, after: 1h}"), "alerts": (alerts, "")}
        config = configure(tmp_path, emulator, destinations)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            line = await daemon.wait_for("destination.paused")
            assert (line["level"], line["reason"]) == ("error", "HTTP 410")
            assert "forwarder resume bot" in line["note"]
            await send(emulator, FRAMES[1:4])
            await waits(tmp_path, 4)
            assert (await lane(config))["paused"]["by"] == "receiver"
            assert "PAUSED because the receiver is gone" in await status_text(config)
            assert bot.received == 1
            await until_kinds(alerts, "paused")
            bot.status = 200
            await ok(config, "resume", "bot")
            await bot.wait_for(4)
            await until_kinds(alerts, "paused", "recovered")
            await stopped(daemon)
        assert sorted(bodies(bot)) == sorted(FRAMES[:4])
        assert kinds(alerts) == ["paused", "recovered"]
        await assert_balanced(config)


# Who is notified


async def test_a_failure_is_reported_once_after_its_time_and_so_is_the_recovery(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=503) as bot, Receiver() as alerts:
        destinations = {"bot": (bot, f"{QUICK}, on_failure: {{to: alerts, after: 2s}}"), "alerts": (alerts, "")}
        config = configure(tmp_path, emulator, destinations)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            await until_kinds(alerts, "failing")
            assert alerts.requests[0].at - bot.requests[0].at > 2
            (notice,) = notices(alerts)
            assert (notice["level"], notice["destination"], notice["title"]) == ("error", "bot", "bot is failing")
            assert "HTTP 503" in notice["text"]
            assert "failing since" in await status_text(config)
            failed = len(bot.requests)
            await bot.wait_until(lambda bot: len(bot.requests) > failed, 90, "another probe")
            assert kinds(alerts) == ["failing"]
            bot.status = 200
            await until_kinds(alerts, "failing", "recovered", limit_s=90)
            assert notices(alerts)[1]["level"] == "ok"
            await stopped(daemon)
        assert bodies(bot) == [FRAMES[0]]
        await assert_balanced(config)


async def test_dead_letters_are_reported_once_and_then_gathered(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=400) as bot, Receiver() as alerts:
        destinations = {"bot": (bot, "on_failure: {to: alerts, after: 1h}"), "alerts": (alerts, "")}
        config = configure(tmp_path, emulator, destinations)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            await until_kinds(alerts, "dead")
            assert "forwarder gave up 1 delivery to bot" in notices(alerts)[0]["text"]
            await send(emulator, FRAMES[1:4])
            await daemon.wait_for("delivery.dead", count=4)
            bot.status = 410  # another failure, which is reported after a look at the dead letters
            await until_two_looks()
            await emulator.send(FRAMES[4])
            await until_kinds(alerts, "dead", "paused")
            await stopped(daemon)
        assert len((await ok(config, "dead", "list", "--json")).splitlines()) == 4
        await assert_balanced(config)


async def until_two_looks() -> None:
    """Return when it was looked, each second, whether somebody is to be notified."""
    await asyncio.sleep(2.1)


async def test_notices_make_no_notices_even_where_two_destinations_name_each_other(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=501) as one, Receiver(status=501) as two:
        destinations = {
            "one": (one, "on_failure: {to: two, after: 0s}"),
            "two": (two, "on_failure: {to: one, after: 0s}"),
        }
        config = configure(tmp_path, emulator, destinations, to=("one",))
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            # The event's own, one's failure and its dead letter to two, and two's failure to one.
            await daemon.wait_for("delivery.dead", count=4)
            await until_two_looks()
            await emulator.send(FRAMES[1])
            await daemon.wait_for("delivery.dead", count=5)
            await until_two_looks()
            assert len([line for line in daemon.lines if line["event"] == "delivery.dead"]) == 5
            assert sorted(line["kind"] for line in daemon.lines if line["event"] == "notice.sent") == [
                "dead",
                "failing",
                "failing",
            ]
            await stopped(daemon)
        await assert_balanced(config)


async def test_a_notice_outlasts_a_kill_and_is_not_repeated_by_a_restart(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=500) as bot, Receiver() as alerts:
        destinations = {"bot": (bot, f"{QUICK}, on_failure: {{to: alerts, after: 0s}}"), "alerts": (alerts, "")}
        config = configure(tmp_path, emulator, destinations)
        await alerts.stop_listening()
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            await daemon.wait_for("notice.sent", kind="failing")
            await daemon.wait_for("delivery.retry_scheduled", destination="alerts")
            await waits(tmp_path, 2)
            daemon.send(signal.SIGKILL)
            await daemon.ended()
            await emulator.wait_until(lambda emulator: not emulator.connections)
        await alerts.start_listening()
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await until_kinds(alerts, "failing")
            tried = bot.received
            await bot.wait_until(lambda bot: bot.received > tried, 90, "a failure after the restart")
            await until_two_looks()
            assert kinds(alerts) == ["failing"]
            await stopped(daemon)
        bot.status = 200
        async with forwarder(config) as daemon:
            await until_kinds(alerts, "failing", "recovered")
            await stopped(daemon)
        assert bodies(bot) == [FRAMES[0]]
        await assert_balanced(config)


async def test_a_notice_is_readable_where_its_destination_has_a_format(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=501) as bot, Receiver() as alerts:
        destinations = {
            "bot": (bot, "on_failure: {to: alerts, after: 0s}"),
            "alerts": (alerts, "format: discord"),
        }
        config = configure(tmp_path, emulator, destinations)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            await alerts.wait_for(2)
            await stopped(daemon)
        titles = set()
        for request in alerts.requests:
            (embed,) = json.loads(request.body)["embeds"]
            titles.add(embed["title"])
            assert "HTTP 501" in embed["description"]
            assert "{" not in embed["description"]
        assert titles == {"bot is failing", "events for bot could not be delivered"}
        await assert_balanced(config)


async def test_a_replay_leaves_out_what_was_sent_to_others(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=501) as bot, Receiver() as alerts:
        destinations = {"bot": (bot, "on_failure: {to: alerts, after: 0s}"), "alerts": (alerts, "")}
        config = configure(tmp_path, emulator, destinations)
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            await alerts.wait_for(2)
            await daemon.wait_for("delivery.delivered", destination="alerts", count=2)
            bot.status = 200
            assert (
                json.loads(await ok(config, "replay", "--to", "bot", "--since", "1h", "--dry-run", "--json"))[
                    "would_queue"
                ]
                == 1
            )
            await ok(config, "replay", "--to", "bot", "--since", "1h", "--wait")
            await daemon.wait_for("delivery.delivered", destination="alerts", count=3)
            await ok(config, "replay", "--to", "alerts", "--since", "1h", "--wait")
            await stopped(daemon)
        assert bodies(bot) == [FRAMES[0]]
        first = bodies(alerts)[:3]
        assert sorted(bodies(alerts)) == sorted([*first, *first, FRAMES[0]])
        assert {notice["kind"] for notice in notices(alerts)} == {"failing", "dead", "recovered"}
        await assert_balanced(config)


# What is too old


async def test_what_expired_is_reported_in_one_message_and_can_be_delivered_after_all(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        settings = "retry: {delays: [100ms, 1s, 1s, 1s, 1h], max_age: 2s, on_expiry: digest}, breaker: {enabled: false}"
        config = configure(tmp_path, emulator, {"bot": (bot, settings)})
        await bot.stop_listening()
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await send(emulator, FRAMES[:3])
            await daemon.wait_for("delivery.expired", count=3)
            # The message itself finds the receiver down, for longer than the news would have been kept.
            await daemon.wait_for("delivery.retry_scheduled", routes=["digest"], count=4)
            await bot.start_listening()
            await bot.wait_for(1)
            (notice,) = notices(bot)
            assert (notice["kind"], notice["level"]) == ("expired", "warning")
            assert notice["text"].startswith("3 events for bot became too old before they could be delivered")
            listed = [json.loads(line) for line in (await ok(config, "dead", "list", "--json")).splitlines()]
            assert [dead["status"] for dead in listed] == ["expired"] * 3
            assert all(dead["reason"].startswith("expired: ") for dead in listed)
            assert (await status(config))["since_start"]["expired"] == 3
            await assert_balanced(config)
            await ok(config, "dead", "replay", "--destination", "bot")
            await bot.wait_for(4)
            again = [request for request in bot.requests if not is_notice(request)]
            assert sorted(request.body for request in again) == sorted(FRAMES[:3])
            assert {request.headers["x-forwarder-trigger"] for request in again} == {"manual"}
            await stopped(daemon)
        assert await ok(config, "dead", "list", "--json") == ""
        await assert_balanced(config)


async def test_a_stop_reports_what_had_expired_until_then(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        settings = "retry: {delays: [100ms, 1s, 1s, 1s], max_age: 1s, on_expiry: digest}, breaker: {enabled: false}"
        config = configure(tmp_path, emulator, {"bot": (bot, settings)})
        await bot.stop_listening()
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await send(emulator, FRAMES[:3])
            await daemon.wait_for("delivery.expired", count=3)
            await stopped(daemon)  # before the time that a digest gathers is over
        await bot.start_listening()
        async with forwarder(config) as daemon:
            await bot.wait_for(1)
            (notice,) = notices(bot)
            assert notice["text"].startswith("3 events for bot became too old before they could be delivered")
            await stopped(daemon)
        await assert_balanced(config)


# When a destination is down


async def test_the_breaker_is_shown_while_a_receiver_is_down_and_after_it_is_back(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            assert shown(await lane(config)) == ("closed", False)
            await bot.stop_listening()
            await send(emulator, FRAMES[:10])
            await daemon.wait_for("destination.down")
            breaker, is_probed = shown(await lane(config))
            assert breaker in {"open", "half_open"}
            assert is_probed
            assert "DOWN, next probe in" in await status_text(config)
            await bot.start_listening()
            await daemon.wait_for("destination.back", limit_s=90)
            await bot.wait_for(10)
            assert shown(await lane(config)) == ("closed", False)
            assert (await lane(config))["failing_since"] is None
            await stopped(daemon)
        assert sorted(bodies(bot)) == sorted(FRAMES[:10])
        await assert_balanced(config)


def shown(lane_: dict[str, Any]) -> tuple[str, bool]:
    return lane_["breaker"], lane_["next_probe_in_s"] is not None


async def test_one_that_has_reached_its_limit_of_rate_says_so_as_long_as_something_waits(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "rate_limit: 1/m")})
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            await daemon.wait_for("delivery.delivered")
            assert "rate limited" not in await status_text(config)
            await emulator.send(FRAMES[1])
            await waits(tmp_path, 1)
            assert "ok; rate limited, next in" in await status_text(config)
            await stopped(daemon)


async def test_one_that_hangs_and_one_that_is_busy_do_not_delay_a_third(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as hangs, Receiver(status=503) as busy, Receiver() as well:
        hangs.respond = lambda _request: Answer(action=Action.HANG)
        destinations = {"hangs": (hangs, "timeout: 5m"), "busy": (busy, ""), "well": (well, "")}
        config = configure(tmp_path, emulator, destinations, to=tuple(destinations), extra="grace_period: 1s\n")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for count, frame in enumerate(FRAMES, start=1):
                await emulator.send(frame)
                await well.wait_for(count)  # well within the 5 minutes of the one that hangs
            await hangs.wait_until(lambda it: it.received >= 16)
            assert hangs.received == 16  # its concurrency: the rest waits
            assert bodies(well) == FRAMES
            await stopped(daemon)
        await assert_balanced(config)


# Settings that change


async def test_an_order_and_a_rate_set_by_a_reload_hold_for_what_waits_already(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver(status=503) as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await send(emulator, FRAMES[:20])
            await daemon.wait_for("destination.down")
            await waits(tmp_path, 20)
            configure(tmp_path, emulator, {"bot": (bot, "order: sid, rate_limit: 10/s")})
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done", restarted=["destination bot"])
            await send(emulator, FRAMES[20:30])
            bot.status = 200
            await bot.wait_for(30, timeout=90)
            taken = [request for request in bot.requests if request.accepted]
            assert [request.body for request in taken] == FRAMES[:30]
            assert taken[-1].at - taken[0].at > 29 / 10 - 0.5  # the rate is what is tested
            await stopped(daemon)
        await assert_balanced(config)


@pytest.mark.parametrize(
    ("option", "why"), [("rate_limit: 1/h", "ok; rate limited, next in"), ("", "PAUSED by hand")], ids=["rate", "pause"]
)
async def test_a_command_that_waits_for_a_replay_says_why_nothing_is_sent(
    tmp_path: Path, option: str, why: str
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, option)})
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send(FRAMES[0])
            await daemon.wait_for("delivery.delivered")
            if not option:
                await ok(config, "pause", "bot")
            replay = ("replay", "--to", "bot", "--since", "1h", "--wait", "-c", str(config))
            process = await asyncio.create_subprocess_exec(*PROGRAM, *replay, stderr=asyncio.subprocess.PIPE)
            assert process.stderr is not None
            async with asyncio.timeout(60):
                while f"1 delivery waits for bot: {why}" not in (await process.stderr.readline()).decode():
                    assert process.returncode is None
            process.send_signal(signal.SIGINT)
            await process.communicate()
            await stopped(daemon)
