"""The changes that a person asks for: each slice says where the next one begins, and changes nothing twice."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.commands import DeadLetterChange, PauseChange, Replay
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.history import FOREVER_MS
from forwarder.core.ledger import SkipReason
from forwarder.outbox.sqlite import commands
from forwarder.outbox.sqlite.commands import apply
from forwarder.outbox.sqlite.editor import open_editor
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import BOT, NOW, attempt, audit, keep
from tests.support.process import look

REPLAY = Replay(to=BOT, since_ms=0, until_ms=FOREVER_MS, start_ms=1_000, rate=2.0)


@pytest.fixture
async def filled(path: Path) -> Path:
    """Return an outbox with a delivered, a dead, a pending, a sampled and a disabled delivery."""
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        outbox.bury(keep(outbox, 1), attempt(400), reason="HTTP 400")
        keep(outbox, 2, DeliveryStatus.PENDING)
        keep(outbox, 3, SkipReason.SAMPLED)
        keep(outbox, 4, SkipReason.DISABLED)
    return path


def test_a_replay_leaves_alone_what_waits_and_with_missing_what_was_not_to_be_sent(filled: Path) -> None:
    with open_editor(filled) as editor:
        done = editor.apply(REPLAY.model_copy(update={"missing": True}))
        assert (done.changed, done.left_alone) == (2, 3)  # the dead one, and the one that was disabled
        done = editor.apply(REPLAY)
        assert (done.changed, done.left_alone) == (2, 3)
    found = look(filled, "SELECT event_seq, status, trigger FROM deliveries ORDER BY 1")
    assert found == [(seq, "pending", "first" if seq == 3 else "replay") for seq in range(1, 6)]
    assert audit(filled).is_balanced


def test_a_replay_goes_on_slice_by_slice_and_its_deliveries_are_due_at_the_rate(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SLICE", 2)
    done, after, slices = 0, 0, []
    with open_editor(filled) as editor:
        while True:
            asked = REPLAY.model_copy(update={"to": "other", "position": done, "after_seq": after})
            changed = editor.apply(asked)
            slices.append((changed.changed, changed.last_seq, changed.is_last))
            done, after = done + changed.changed, changed.last_seq
            if changed.is_last:
                break
    assert slices == [(2, 2, False), (2, 4, False), (1, 5, True)]
    due = look(filled, "SELECT due_ms FROM deliveries WHERE destination = 'other' ORDER BY event_seq")
    assert due == [(1_000,), (1_500,), (2_000,), (2_500,), (3_000,)]
    assert audit(filled).is_balanced


async def test_a_replay_with_a_speed_keeps_the_times_between_the_events_over_all_slices(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "SLICE", 2)
    async with open_outbox(FileSettings(path=path)) as outbox:
        for number, second in enumerate((0, 3, 9, 9, 8)):  # the last one as after a clock that was set back
            outbox.complete(keep(outbox, number, at=NOW + timedelta(seconds=second)), attempt(200))
    after, begins_ms = 0, None
    with open_editor(path) as editor:
        while True:
            asked = {"to": "other", "speed": 3.0, "after_seq": after, "begins_ms": begins_ms}
            changed = editor.apply(REPLAY.model_copy(update=asked))
            after, begins_ms = changed.last_seq, changed.begins_ms
            assert begins_ms == NOW.timestamp() * 1000
            if changed.is_last:
                break
    due = look(path, "SELECT due_ms FROM deliveries WHERE destination = 'other' ORDER BY event_seq")
    assert due == [(1_000,), (2_000,), (4_000,), (4_000,), (3_667,)]
    assert audit(path).is_balanced


def test_a_dropped_dead_letter_keeps_its_attempt_in_the_history(filled: Path) -> None:
    asked = DeadLetterChange(verb="dead_drop", since_ms=0, until_ms=FOREVER_MS, start_ms=0, rate=1.0)
    with open_editor(filled) as editor:
        assert editor.apply(asked).changed == 1
        assert editor.apply(asked).changed == 0
    assert look(filled, "SELECT status, reason FROM deliveries WHERE event_seq = 2") == [("skipped", "dropped")]
    assert look(filled, "SELECT event_seq, number, http_status FROM attempts") == [(2, 1, 400)]
    assert audit(filled).is_balanced


@pytest.mark.parametrize(
    ("keys", "destination", "reason", "changed"),
    [
        (None, None, None, 1),
        (((2, "bot"),), None, None, 1),
        (((1, "bot"),), None, None, 0),
        (None, "other", None, 0),
        (None, "bot", "HTTP 400", 1),
        (((2, "bot"),), "bot", "HTTP 400", 1),
        (None, None, "another", 0),
        (((2, "bot"),), None, "another", 0),
    ],
)
def test_dead_letters_are_named_by_key_by_destination_or_by_reason(
    filled: Path,
    keys: tuple[tuple[int, str], ...] | None,
    destination: str | None,
    reason: str | None,
    changed: int,
) -> None:
    asked = DeadLetterChange(
        verb="dead_replay",
        keys=keys,
        destination=destination,
        reason=reason,
        since_ms=0,
        until_ms=FOREVER_MS,
        start_ms=1_000,
        rate=1.0,
    )
    with open_editor(filled) as editor:
        done = editor.apply(asked)
    assert (done.changed, done.destinations, done.is_last) == (changed, ("bot",) * changed, True)
    assert len(look(filled, "SELECT 1 FROM deliveries WHERE trigger = 'manual' AND due_ms = 1000")) == changed


def test_a_pause_is_stored_once_and_a_resume_ends_it(connection: sqlite3.Connection) -> None:
    def apply_pause(verb: str) -> tuple[int, int]:
        asked = PauseChange.model_validate({"verb": verb, "destination": BOT, "why": "too loud", "now_ms": 5})
        done = apply(connection, asked)
        return done.changed, done.left_alone

    rows = "SELECT name, paused_ms, paused_why FROM destinations WHERE paused_ms IS NOT NULL"
    assert apply_pause("resume") == (0, 1)
    assert [apply_pause("pause"), apply_pause("pause")] == [(1, 0), (0, 1)]
    assert connection.execute(rows).fetchall() == [(BOT, 5, "too loud")]
    assert [apply_pause("resume"), apply_pause("resume")] == [(1, 0), (0, 1)]
    assert connection.execute(rows).fetchall() == []
