"""A slice of a fallback looks at so many events at most, so that no long history holds up the writer."""

import pytest

from forwarder.core.ports import FallbackSlice
from forwarder.outbox.sqlite import fallback
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.contracts.test_fallback import LATER
from tests.support.outbox import BOT, keep


async def test_a_slice_ends_after_a_window_of_events(outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "_WINDOW", 3)
    for number in range(7):
        keep(outbox, number)
    after_seq, changed, ends = 0, [], []
    for _ in range(3):
        done = await outbox.fall_back(FallbackSlice(of=BOT, to="spare", before=LATER, now=LATER, after_seq=after_seq))
        after_seq = done.last_seq
        changed.append(done.changed)
        ends.append(done.is_last)
    assert changed == [3, 3, 1]
    assert ends == [False, False, True]


async def test_an_empty_outbox_has_nothing_that_waits(outbox: SqliteOutbox) -> None:
    done = await outbox.fall_back(FallbackSlice(of=BOT, to="spare", before=LATER, now=LATER, after_seq=0))
    assert (done.changed, done.is_last) == (0, True)
