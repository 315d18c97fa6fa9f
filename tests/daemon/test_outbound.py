"""The lanes of a daemon: a reload replaces those that changed and no others, and a stop ends them all."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.commands import PauseChange
from forwarder.core.delivery import DestinationName
from forwarder.core.dispatch.destination_state import PausedBy
from forwarder.core.dispatch.retry import RetryAt
from forwarder.emulator.receiver import Receiver
from tests.support.daemon_parts import MINUTE, DaemonParts, config_to, daemon_parts
from tests.support.lanes import mids
from tests.support.process import look
from tests.support.raw import serving

BOT, OTHER = DestinationName("bot"), DestinationName("other")


def pause(name: str = "bot", *, verb: str = "pause", why: str = "") -> PauseChange:
    return PauseChange.model_validate({"verb": verb, "destination": name, "why": why, "now_ms": 0})


def statuses(path: Path) -> dict[str, int]:
    return dict(look(path, "SELECT status, count(*) FROM deliveries GROUP BY status"))


class Gate:
    """A receiver whose answers wait until a test lets them out."""

    def __init__(self) -> None:
        self.url = ""
        self.begun = asyncio.Semaphore(0)
        """Released for each request that came."""
        self.may_answer = asyncio.Event()
        self.answered = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            self.begun.release()
            await self.may_answer.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            self.answered += 1
            return


@asynccontextmanager
async def gate() -> AsyncIterator[Gate]:
    held = Gate()
    async with serving(held.serve) as port:
        held.url = f"http://127.0.0.1:{port}/hook"
        yield held


async def test_every_enabled_destination_has_a_lane_from_the_start(tmp_path: Path) -> None:
    async with Receiver() as bot, Receiver() as other:
        text = config_to(
            f"bot: {{url: '{bot.url}'}}",
            f"other: {{url: '{other.url}'}}",
            "off: {url: 'http://a.example/', enabled: false}",
        )
        async with daemon_parts(tmp_path, text) as parts:
            assert set(parts.outbound.destinations) == {BOT, OTHER}
            await parts.bring(1, 2)
            await bot.wait_for(2)
            await other.wait_for(2)
    assert statuses(tmp_path / "outbox.db") == {"delivered": 4, "skipped": 2}


async def test_what_waited_in_the_outbox_is_delivered_after_a_start(tmp_path: Path) -> None:
    async with gate() as closed:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{closed.url}', concurrency: 1}}")) as parts:
            await parts.bring(1, 2, 3)
            await closed.begun.acquire()
    assert statuses(tmp_path / "outbox.db") == {"pending": 3}
    async with Receiver() as bot:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{bot.url}'}}")) as parts:
            await parts.attempts.until(lambda attempts: attempts.done == 3)
    assert set(mids(bot)) == {1, 2, 3}


async def test_a_reload_replaces_the_lanes_that_changed_and_no_others(tmp_path: Path) -> None:
    async with Receiver() as bot, Receiver() as other, Receiver() as moved, Receiver() as added:
        stays, gone = f"bot: {{url: '{bot.url}'}}", f"gone: {{url: '{other.url}'}}"
        text = config_to(stays, f"other: {{url: '{other.url}'}}", gone)
        async with daemon_parts(tmp_path, text) as parts:
            before = dict(parts.dispatcher.lanes)
            changed = parts.reload(config_to(stays, f"other: {{url: '{moved.url}'}}", f"added: {{url: '{added.url}'}}"))
            assert changed == {"destination other", "destination gone"}  # one that was only added is not restarted
            lanes = parts.dispatcher.lanes
            assert set(lanes) == {BOT, OTHER, "added"}
            assert lanes[BOT] is before[BOT]
            assert lanes[OTHER] is not before[OTHER]
            await parts.bring(1)
            for receiver in (bot, moved, added):
                await receiver.wait_for(1)
            assert other.received == 0
            assert parts.outbound.follow(parts.active.runtime) == set()
            assert parts.dispatcher.lanes == lanes


async def test_a_reload_while_the_daemon_ends_by_an_error_starts_nothing(tmp_path: Path) -> None:
    async with Receiver() as bot:
        text = config_to(f"bot: {{url: '{bot.url}'}}")
        refused = 0

        async def reload_at_the_end(parts: DaemonParts) -> None:
            nonlocal refused
            try:
                await asyncio.Event().wait()
            finally:
                with pytest.raises(RuntimeError, match="shutting down"):
                    parts.reload(text.replace("bot", "new"))
                refused += 1

        async def run_until_it_fails() -> None:
            async with daemon_parts(tmp_path, text) as parts:
                reloading = parts.group.create_task(reload_at_the_end(parts))
                await asyncio.wait([reloading], timeout=0)
                raise OSError("put there by a test")

        with warnings.catch_warnings(record=True) as warned:
            with pytest.raises(ExceptionGroup) as raised:
                await run_until_it_fails()
            gc.collect()
    assert raised.group_contains(OSError, match="put there by a test")
    assert refused == 1
    assert [str(each.message) for each in warned] == []


async def test_an_attempt_under_way_at_a_reload_is_not_cut_short(tmp_path: Path) -> None:
    async with gate() as old, Receiver() as new:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{old.url}', timeout: 30s}}")) as parts:
            await parts.bring(1)
            await old.begun.acquire()
            assert parts.reload(config_to(f"bot: {{url: '{new.url}'}}")) == {"destination bot"}
            await parts.bring(2)
            await new.wait_for(1)
            assert old.answered == 0
            old.may_answer.set()
            await parts.attempts.until(lambda attempts: attempts.done == 2)
    assert mids(new) == [2]
    assert statuses(tmp_path / "outbox.db") == {"delivered": 2}


async def test_what_a_replaced_lane_could_not_deliver_goes_to_the_new_url(tmp_path: Path) -> None:
    """In their order, which the new lane keeps as well: it waits until the lane before it has ended."""
    async with gate() as old, Receiver() as new:
        ordered = "order: strict"
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{old.url}', timeout: 1s, {ordered}}}")) as parts:
            await parts.bring(1, 2, 3)
            await old.begun.acquire()
            parts.reload(config_to(f"bot: {{url: '{new.url}', {ordered}}}"))
            await parts.bring(4)
            await new.wait_for(4)
            (first,) = [each for each in parts.attempts.made if isinstance(each[2], RetryAt)]
            assert first[0].event_seq == 1
    assert mids(new) == [1, 2, 3, 4]
    assert old.answered == 0


async def test_a_stop_waits_for_the_attempts_under_way(tmp_path: Path) -> None:
    async with gate() as bot:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{bot.url}'}}")) as parts:
            await parts.bring(1)
            await bot.begun.acquire()
            ending = parts.group.create_task(parts.outbound.end(MINUTE))
            bot.may_answer.set()
            await ending
            assert parts.attempts.done == 1
    assert statuses(tmp_path / "outbox.db") == {"delivered": 1}


async def test_after_the_grace_period_the_attempts_are_cut_short_and_given_back_uncounted(tmp_path: Path) -> None:
    async with gate() as bot:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{bot.url}', timeout: 60s}}")) as parts:
            await parts.bring(1)
            await bot.begun.acquire()
            await parts.outbound.end(timedelta(milliseconds=50))
            assert parts.attempts.made == []
    assert look(tmp_path / "outbox.db", "SELECT status, attempts FROM deliveries") == [("pending", 0)]


async def test_a_second_request_to_stop_ends_the_attempts_at_once(tmp_path: Path) -> None:
    async with gate() as bot:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{bot.url}', timeout: 60s}}")) as parts:
            hurrying = parts.group.create_task(parts.outbound.hurry())
            await parts.bring(1)
            await bot.begun.acquire()
            ending = parts.group.create_task(parts.outbound.end(10 * MINUTE))
            waiting, _ = await asyncio.wait([ending], timeout=0)
            assert not waiting
            parts.signals.hurry.set()
            async with asyncio.timeout(30):
                await ending
                await hurrying
            assert parts.attempts.made == []
    assert look(tmp_path / "outbox.db", "SELECT status, attempts FROM deliveries") == [("pending", 0)]


async def test_who_asked_twice_before_the_lanes_stop_does_not_wait_either(tmp_path: Path) -> None:
    async with gate() as bot:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{bot.url}', timeout: 60s}}")) as parts:
            await parts.bring(1)
            await bot.begun.acquire()
            parts.signals.hurry.set()
            async with asyncio.timeout(30):
                await parts.outbound.end(10 * MINUTE)
    assert statuses(tmp_path / "outbox.db") == {"pending": 1}


async def test_a_lane_that_a_reload_replaced_has_no_longer_than_the_grace_period(tmp_path: Path) -> None:
    async with gate() as old, Receiver() as new:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{old.url}', timeout: 5m}}")) as parts:
            await parts.bring(1)
            await old.begun.acquire()
            parts.reload(config_to(f"bot: {{url: '{new.url}'}}"))
            async with asyncio.timeout(30):
                await parts.outbound.end(timedelta(milliseconds=50))
            assert parts.attempts.made == []
    assert statuses(tmp_path / "outbox.db") == {"pending": 1}


async def test_a_destination_that_is_paused_keeps_everything_until_it_is_resumed(tmp_path: Path) -> None:
    async with Receiver() as bot, Receiver() as other:
        text = config_to(f"bot: {{url: '{bot.url}'}}", f"other: {{url: '{other.url}'}}")
        async with daemon_parts(tmp_path, text) as parts:
            parts.outbound.pause_or_resume(pause(why="moving it"))
            assert parts.reporting.monitor.is_paused(BOT)
            assert not parts.reporting.monitor.is_paused(OTHER)
            known = parts.reporting.monitor.state_of(BOT).pause
            assert known is not None
            assert (known.by, known.why) == (PausedBy.PERSON, "moving it")
            await parts.bring(1, 2)
            await other.wait_for(2)
            await parts.attempts.until(lambda attempts: attempts.done == 2)
            await parts.outbox.settle()
            assert bot.received == 0
            assert look(parts.outbox_path, "SELECT DISTINCT status FROM deliveries WHERE destination = 'bot'") == [
                ("pending",)
            ]
            parts.outbound.pause_or_resume(pause(verb="resume"))
            assert not parts.reporting.monitor.is_paused(BOT)
            await bot.wait_for(2)


async def test_a_pause_outlasts_a_reload_and_a_restart(tmp_path: Path) -> None:
    async with Receiver() as bot:
        text = config_to(f"bot: {{url: '{bot.url}'}}")
        async with daemon_parts(tmp_path, text) as parts:
            parts.outbound.pause_or_resume(pause())
            parts.reload(config_to(f"bot: {{url: '{bot.url}', concurrency: 3}}"))
            assert parts.dispatcher.lanes[BOT].admission.is_paused
        async with daemon_parts(tmp_path, text) as parts:
            assert parts.reporting.monitor.is_paused(BOT)
            assert parts.dispatcher.lanes[BOT].admission.is_paused
            parts.outbound.pause_or_resume(pause(verb="resume"))
            await parts.bring(1)
            await bot.wait_for(1)


async def test_a_destination_that_a_reload_removed_meanwhile_can_still_be_resumed(tmp_path: Path) -> None:
    async with Receiver() as bot:
        text = config_to(f"bot: {{url: '{bot.url}'}}", "other: {url: 'http://127.0.0.1:9/'}", to="bot")
        async with daemon_parts(tmp_path, text) as parts:
            parts.outbound.pause_or_resume(pause("other"))
            parts.reload(config_to(f"bot: {{url: '{bot.url}'}}"))
            parts.outbound.pause_or_resume(pause("other", verb="resume"))
            assert not parts.reporting.monitor.is_paused(OTHER)
            assert set(parts.outbound.destinations) == {BOT}


async def test_the_active_config_is_stored_at_the_start_and_at_each_reload_of_the_routes(tmp_path: Path) -> None:
    async with Receiver() as bot:
        one, two = f"bot: {{url: '{bot.url}'}}", f"bot: {{url: '{bot.url}', concurrency: 3}}"
        async with daemon_parts(tmp_path, config_to(one)) as parts:
            await parts.bring(1)
            parts.reload(config_to(two))
            await parts.bring(2)
            parts.reload(config_to(two).replace("name: all", "name: everything"))
            await parts.bring(3)
            await parts.attempts.until(lambda attempts: attempts.done == 3)
            await parts.outbox.settle()
            assert look(parts.outbox_path, "SELECT count(*) FROM config_revisions") == [(2,)]
