"""The rows of `gaps`: for how long a stream was away, and what became of that."""

from forwarder.core.gaps import Gap, GapId, Repair
from forwarder.outbox.statements import from_ms, storable, to_ms

GapRow = tuple[int, str, int, int, int | None, str, int, str, int, int, str]


def gap_of(row: GapRow) -> Gap:
    """Return what a row stands for."""
    id_, stream, began_ms, noticed_ms, ended_ms, reason, is_covered, repair, found, recovered, note = row
    return Gap(
        id=GapId(id_),
        stream=stream,
        began=from_ms(began_ms),
        noticed=from_ms(noticed_ms),
        ended=None if ended_ms is None else from_ms(ended_ms),
        reason=reason,
        is_covered=bool(is_covered),
        repair=Repair(repair),
        found=found,
        recovered=recovered,
        note=note,
    )


def row_of(gap: Gap) -> GapRow:
    """Return the row for it."""
    return (
        gap.id,
        storable(gap.stream),
        to_ms(gap.began),
        to_ms(gap.noticed),
        None if gap.ended is None else to_ms(gap.ended),
        storable(gap.reason),
        int(gap.is_covered),
        str(gap.repair),
        gap.found,
        gap.recovered,
        storable(gap.note),
    )
