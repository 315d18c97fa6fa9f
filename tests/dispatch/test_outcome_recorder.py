"""Each decision is recorded in the outbox, and the queue of the lane keeps what comes again."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from forwarder.core.delivery import Answered, Attempt
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, Postponed, RetryAt
from forwarder.destinations.formats.discord import DiscordFormat
from forwarder.dispatch.admission import Admission
from forwarder.dispatch.lane_queue import LaneQueue
from forwarder.dispatch.message_edits import Edits
from forwarder.dispatch.outcome_recorder import OutcomeRecorder
from forwarder.dispatch.workers import Workers
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.lanes import destination
from tests.support.outbox import BOT, NOW, attempt, keep
from tests.support.process import look

SOON, LATE = NOW + timedelta(seconds=5), NOW + timedelta(hours=5)


class Scene:
    """A recorder with a real outbox and the queue of a lane that does not run."""

    def __init__(self, outbox: SqliteOutbox, path: Path, *, edits: Edits | None = None) -> None:
        self.outbox = outbox
        self.path = path
        self.queue = LaneQueue(
            destination("http://127.0.0.1:9/"),
            outbox,
            lambda: NOW,
            admission=Admission(concurrency=1, bucket=None, quotas=[], breaker=BreakerPolicy()),
            workers=Workers(),
            follows=False,
        )
        self.delivery = keep(outbox, 0)
        self.recorder = OutcomeRecorder(outbox, self.queue, edits=edits, wall=lambda: NOW)

    async def record(self, made: Attempt, decision: Decision, *, early: bool = False) -> None:
        self.recorder.record(self.delivery, made, decision, NOW, SOON if early else None)
        await self.outbox.settle()

    def row(self, columns: str) -> tuple[Any, ...]:
        ((found),) = look(self.path, f"SELECT {columns} FROM deliveries")  # noqa: S608 - our own words
        return found

    def kept(self) -> list[tuple[int, int]]:
        """Return attempts and refusals of what the queue keeps for a retry."""
        return [(each.attempts, each.refusals) for each in self.queue.work.give_back()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
async def scene(path: Path) -> AsyncIterator[Scene]:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        yield Scene(outbox, path)


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


async def test_what_is_delivered_is_complete_and_nothing_is_kept(scene: Scene) -> None:
    await scene.record(attempt(200), Done())
    assert scene.row("status, attempts, http_status, receipt") == ("delivered", 1, 200, None)
    assert scene.kept() == []


async def test_the_message_that_was_made_is_stored_with_the_delivery(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, durability="normal")) as outbox:
        edits = Edits(BOT, DiscordFormat(target="/api/webhooks/1/t"), outbox)
        scene = Scene(outbox, path, edits=edits)
        answered = Attempt(
            number=1, started_at=NOW, duration=timedelta(), outcome=Answered(status=200, body=b'{"id":"42"}')
        )
        await scene.record(answered, Done())
        assert scene.row("status, receipt") == ("delivered", "42")


@pytest.mark.parametrize("is_refusal", [False, True])
async def test_a_retry_is_counted_and_kept_in_memory_until_it_is_due(scene: Scene, is_refusal: bool) -> None:
    await scene.record(attempt(500), RetryAt(at=SOON, reason="HTTP 500", is_refusal=is_refusal))
    assert scene.row("attempts, refusals, due_ms, http_status, reason") == (
        1,
        is_refusal,
        ms(SOON),
        500,
        "HTTP 500: no",
    )
    assert scene.kept() == [(1, is_refusal)]


async def test_a_retry_that_is_far_away_waits_in_the_outbox_alone(scene: Scene) -> None:
    await scene.record(attempt(500), RetryAt(at=LATE, reason="HTTP 500"))
    assert scene.row("status, attempts, due_ms") == ("pending", 1, ms(LATE))
    assert scene.kept() == []


async def test_a_paused_lane_keeps_no_retry(scene: Scene) -> None:
    scene.queue.pause()
    await scene.record(attempt(500), RetryAt(at=SOON, reason="HTTP 500"))
    assert scene.row("status, attempts") == ("pending", 1)
    assert scene.kept() == []


async def test_a_postponed_attempt_is_not_counted(scene: Scene) -> None:
    await scene.record(attempt(500), Postponed(at=SOON, reason="no network"))
    assert scene.row("attempts, due_ms, reason") == (0, ms(SOON), "no network")
    assert scene.kept() == [(0, 0)]


async def test_a_probe_that_failed_leaves_its_delivery_due_as_it_was(scene: Scene) -> None:
    await scene.record(attempt(500), Postponed(at=None, reason="HTTP 500"), early=True)
    assert scene.row("attempts, due_ms") == (0, ms(NOW))
    early = scene.queue.work.take_early()
    assert early is not None
    assert early.due == SOON


async def test_what_is_given_up_is_a_dead_letter_with_its_reason(scene: Scene) -> None:
    await scene.record(attempt(400), Dead(reason="HTTP 400: the receiver will not take this request"))
    assert scene.row("status, attempts, http_status, reason") == (
        "dead",
        1,
        400,
        "HTTP 400: the receiver will not take this request",
    )
    assert scene.kept() == []


async def test_what_expires_after_an_attempt_is_stored_with_that_attempt(scene: Scene) -> None:
    await scene.record(attempt(503), Expired(reason="expired: 1 h old; last error: HTTP 503"))
    assert scene.row("status, attempts, http_status, reason") == (
        "expired",
        1,
        503,
        "expired: 1 h old; last error: HTTP 503",
    )


async def test_what_expires_before_its_attempt_is_stored_without_one(scene: Scene) -> None:
    scene.recorder.expire(scene.delivery, None, reason="expired: 1 h old")
    await scene.outbox.settle()
    assert scene.row("status, attempts, http_status, reason") == ("expired", 0, None, "expired: 1 h old")
