"""The state of the daemon in a word, and the line for systemd."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from forwarder.core.monitoring.counters import Counters
from forwarder.core.monitoring.status import Backlog, ConfigReport, StatusReport
from forwarder.daemon.status import StatusReporter, state_of
from forwarder.emulator.receiver import Receiver
from forwarder.outbox.open import read_backlog
from tests.support.daemon_parts import DaemonParts, config_to, daemon_parts


@pytest.mark.parametrize(
    ("is_left", "is_stopping", "state"),
    [
        (False, False, "running"),
        (False, True, "stopping"),
        (True, True, "handing over"),
        (True, False, "handing over"),
    ],
)
def test_the_state_is_one_of_three(is_left: bool, is_stopping: bool, state: str) -> None:
    assert state_of(is_left=is_left, is_stopping=is_stopping) == state


def test_the_summary_has_what_was_seen_and_its_outcome() -> None:
    assert Counters(seen=3, delivered=2, dead=1).summary() == "3 events seen, 2 delivered, 1 dead"


def status_of(parts: DaemonParts) -> StatusReport:
    reporter = StatusReporter(
        started_at=parts.clock(),
        clock=parts.clock,
        counters=parts.counters,
        inbound=parts.inbound,
        dispatcher=parts.dispatcher,
        reporting=parts.reporting,
        active=parts.active,
    )
    return reporter.report(state="running", config=ConfigReport(), outbox=parts.outbox.health())


def backlog_of(parts: DaemonParts) -> Backlog:
    return read_backlog(parts.outbox_path, now=datetime.now(UTC))


async def test_each_destination_has_its_own_figures_and_a_disabled_one_what_it_missed(tmp_path: Path) -> None:
    async with Receiver() as bot, Receiver(status=400) as strict, Receiver(status=503) as down:
        text = config_to(
            f"bot: {{url: '{bot.url}'}}",
            f"strict: {{url: '{strict.url}'}}",
            f"down: {{url: '{down.url}', retry: {{delays: [1h]}}}}",
            f"off: {{url: '{bot.url}', enabled: false}}",
        )
        async with daemon_parts(tmp_path, text) as parts:
            began = datetime.now(UTC).isoformat(timespec="milliseconds")
            await parts.bring(1, 2)
            await parts.attempts.until(lambda attempts: len(attempts.made) == 6)
            status = status_of(parts)
            assert await parts.outbox.settle()
            backlog = backlog_of(parts)
    assert status.disabled == {"off": 2}
    assert list(status.routes.values()) == [2]
    assert set(status.destinations) == {"bot", "strict", "down"}
    of_bot, of_strict, of_down = (status.destinations[name] for name in ("bot", "strict", "down"))
    assert (of_bot.delivered, of_bot.failed_attempts, of_bot.recent.success_rate) == (2, 0, 1.0)
    assert 0 < (of_bot.recent.attempt_p50_ms or 0) <= (of_bot.recent.latency_p99_ms or 0)
    assert (of_strict.delivered, of_strict.failed_attempts, of_strict.dead) == (0, 2, 2)
    assert (of_down.recent.success_rate, of_down.recent.latency_p50_ms, of_down.dead) == (0.0, None, 0)
    assert backlog.waiting == {"down": 2}
    assert list(backlog.oldest) == ["down"]
    assert began <= backlog.oldest["down"] <= datetime.now(UTC).isoformat(timespec="milliseconds")
    assert backlog.dead == {"strict": 2}


async def test_what_has_left_the_config_is_forgotten_by_a_reload(tmp_path: Path) -> None:
    async with Receiver() as bot:
        both = config_to(f"bot: {{url: '{bot.url}'}}", f"off: {{url: '{bot.url}', enabled: false}}")
        async with daemon_parts(tmp_path, both) as parts:
            await parts.bring(1)
            await parts.attempts.until(lambda attempts: attempts.done == 1)
            parts.reporting.follow(parts.load(config_to(f"new: {{url: '{bot.url}'}}")))
            assert parts.reporting.attempts.figures.by_name == {}
            assert parts.counters.skipped_by == {}
