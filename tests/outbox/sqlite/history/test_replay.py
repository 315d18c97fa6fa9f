"""A range of the history is read page by page, with the choice of the routes of its time."""

from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.commands import DeadLetterChange, Replay
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.history import FOREVER_MS
from forwarder.core.ledger import SkipReason
from forwarder.outbox.sqlite.access import reading, writing
from forwarder.outbox.sqlite.editor import open_editor
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.history import replay
from forwarder.outbox.sqlite.history.replay import past_events, span_of
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.prune_slices import delete_events
from forwarder.outbox.sqlite.statements import to_ms
from forwarder.outbox.sqlite.transactions import transaction
from tests.support.outbox import BOT, NOW, attempt, keep, keep_unmatched

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    """Return an outbox with six events, a minute apart: delivered, dead, pending, sampled, limited, unmatched."""
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        outbox.bury(keep(outbox, 1, at=NOW + MINUTE), attempt(400), reason="r")
        keep(outbox, 2, DeliveryStatus.PENDING, at=NOW + 2 * MINUTE)
        keep(outbox, 3, SkipReason.SAMPLED, at=NOW + 3 * MINUTE)
        keep(outbox, 4, SkipReason.LIMITED, at=NOW + 4 * MINUTE)
        keep_unmatched(outbox, 5, at=NOW + 5 * MINUTE)
    return path


@pytest.mark.parametrize(
    ("minutes", "limit", "expected"),
    [
        (0, None, (1, 6)),
        (2, None, (3, 4)),
        (0, 2, (5, 2)),
        (4, 100, (5, 2)),
        (60, None, (0, 0)),
    ],
)
def test_a_span_begins_at_a_time_or_has_a_number_of_events(
    filled: Path, minutes: int, limit: int | None, expected: tuple[int, int]
) -> None:
    with reading(filled) as connection:
        span = span_of(connection, since_ms=to_ms(NOW + minutes * MINUTE), limit=limit)
    assert (span.first_seq, span.count) == expected
    assert span.begins_at == (None if expected == (0, 0) else NOW + (expected[0] - 1) * MINUTE)


@pytest.mark.parametrize("page", [1, 2, 200])
def test_pages_of_any_size_have_the_same_events(filled: Path, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(replay, "_PAGE", page)
    with reading(filled) as connection:
        found = list(past_events(connection, span_of(connection, since_ms=0, limit=None)))
    assert [each.seq for each in found] == [1, 2, 3, 4, 5, 6]
    assert [each.chosen for each in found] == [{BOT: ("r",)}] * 3 + [{}] * 3
    assert [each.accepted_at for each in found] == [NOW + number * MINUTE for number in range(6)]


def test_a_dropped_dead_letter_was_chosen_and_what_a_replay_added_was_not(filled: Path) -> None:
    fields = {"since_ms": 0, "until_ms": FOREVER_MS, "start_ms": 0, "rate": 1.0}
    with open_editor(filled) as editor:
        editor.apply(DeadLetterChange.model_validate({"verb": "dead_drop", **fields}))
        editor.apply(Replay.model_validate({"to": "other", **fields}))
    with reading(filled) as connection:
        found = list(past_events(connection, span_of(connection, since_ms=0, limit=2 * 3)))
    assert found[1].chosen == {BOT: ("r",)}
    assert all("other" not in each.chosen for each in found)


async def test_events_that_come_later_are_left_out_and_pruned_ones_are_counted(filled: Path) -> None:
    with reading(filled) as connection:
        span = span_of(connection, since_ms=0, limit=None)
    async with open_outbox(FileSettings(path=filled)) as outbox:
        keep_unmatched(outbox, 6, at=NOW + 6 * MINUTE)
    with writing(filled) as connection:
        assert [each.seq for each in past_events(connection, span)] == [1, 2, 3, 4, 5, 6]
        with transaction(connection):
            delete_events(connection, [1, 6, 7])
        assert [each.seq for each in past_events(connection, span)] == [2, 3, 4, 5]
        assert span_of(connection, since_ms=0, limit=None).pruned == 3
