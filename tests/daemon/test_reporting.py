"""What watches over the destinations is built of what the outbox knows, follows a reload, and leaves nothing in memory at a stop."""

from datetime import timedelta
from pathlib import Path

from forwarder.core.commands import PauseChange
from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.dispatch.lane_events import ExpiredUnsent
from forwarder.emulator.receiver import Receiver
from tests.support.daemon_parts import config_to, daemon_parts
from tests.support.delivery import bodies, kinds
from tests.support.lanes import event

BOT, OPS = DestinationName("bot"), DestinationName("ops")
NOBODY = "http://127.0.0.1:9/"


async def test_what_the_outbox_knows_of_a_destination_is_known_from_the_start(tmp_path: Path) -> None:
    text = config_to(f"bot: {{url: '{NOBODY}'}}")
    async with daemon_parts(tmp_path, text) as parts:
        pause = PauseChange(verb="pause", destination="bot", why="moving", now_ms=0)
        parts.reporting.monitor.note_change(pause)
    async with daemon_parts(tmp_path, text) as parts:
        known = parts.reporting.monitor.state_of(BOT)
        assert known.pause is not None
        assert known.pause.why == "moving"


async def test_each_attempt_is_counted_and_whoever_listens_is_notified(tmp_path: Path) -> None:
    async with Receiver() as bot:
        async with daemon_parts(tmp_path, config_to(f"bot: {{url: '{bot.url}'}}")) as parts:
            await parts.bring(1, 2)
            await parts.attempts.until(lambda attempts: attempts.done == 2)
            assert parts.counters.delivered == 2


async def test_a_reload_changes_whom_a_failure_is_reported_to_and_the_canaries(tmp_path: Path) -> None:
    async with Receiver() as ops:
        bot, named = f"bot: {{url: '{NOBODY}'}}", f"bot: {{url: '{NOBODY}', on_failure: {{to: ops, after: 1s}}}}"
        to = f"ops: {{url: '{ops.url}'}}"
        async with daemon_parts(tmp_path, config_to(bot, to, to="bot")) as parts:
            reporting = parts.reporting
            assert reporting.monitor._recipients.of_destination == {}
            assert reporting.canaries._policies == {}
            runtime = parts.load(config_to(named, f"ops: {{url: '{ops.url}', canary: {{every: 1h}}}}", to="bot"))
            assert reporting.follow(runtime) == set()
            assert reporting.monitor._recipients.of_destination[BOT].to == OPS
            assert list(reporting.canaries._policies) == [OPS]


async def test_a_digest_that_is_in_memory_alone_is_sent_before_the_process_ends(tmp_path: Path) -> None:
    async with Receiver() as bot:
        text = config_to(f"bot: {{url: '{bot.url}', retry: {{max_age: 1h, on_expiry: digest}}}}")
        async with daemon_parts(tmp_path, text) as parts:
            (destination,) = parts.active.runtime.destinations
            old = new_delivery(
                event(1), BOT, ("all",), event_seq=1, accepted_at=parts.clock.steady() - timedelta(hours=2)
            )
            parts.reporting.attempts.state_changed(destination, ExpiredUnsent(delivery=old, reason="expired: 2 h old"))
            assert parts.counters.expired == 1
            parts.reporting.flush_on_stop()
            await bot.wait_for(1)
    assert kinds(bot) == ["expired"]
    assert len(bodies(bot)) == 1
