"""A gap is the same again after it was stored."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.outbox.sqlite.gap_rows import gap_of, row_of
from tests.support.outbox import NOW

LASTS = Gap(
    id=GapId(3), stream="main", began=NOW, noticed=NOW + timedelta(seconds=1), reason="the connection was reset"
)
OVER = Gap(
    id=GapId(4),
    stream="é",
    began=NOW,
    noticed=NOW + timedelta(milliseconds=1),
    ended=NOW + timedelta(hours=1),
    reason="",
    is_covered=True,
    repair=Repair.PARTIAL,
    found=7,
    recovered=5,
    note="account 12 is gone",
)


@pytest.mark.parametrize("gap", [LASTS, OVER], ids=["it lasts", "it is over"])
def test_a_gap_survives_its_row(gap: Gap) -> None:
    assert gap_of(row_of(gap)) == gap


@pytest.mark.parametrize("repair", Repair)
def test_every_state_of_a_repair_survives_its_row(repair: Repair) -> None:
    assert gap_of(row_of(replace(LASTS, repair=repair))).repair is repair


def test_texts_that_utf_8_cannot_hold_are_stored_without_the_mark() -> None:
    odd = Gap(id=GapId(1), stream="a\ud800", began=NOW, noticed=NOW, reason="b\ud800", note="c\ud800")
    stored = gap_of(row_of(odd))
    assert (stored.stream, stored.reason, stored.note) == ("a?", "b?", "c?")
