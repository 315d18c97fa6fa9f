"""The rows of `gaps`, and the gaps that they hold."""

from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.outbox.sqlite.statements import from_ms, ms_or_none, storable, time_or_none, to_ms

GapRow = tuple[int, str, int, int, int | None, str, int, str, int, int, str]


def gap_of(row: GapRow) -> Gap:
    """Return the gap of a row."""
    id_, stream, began_ms, noticed_ms, ended_ms, reason, is_covered, repair, found, recovered, note = row
    return Gap(
        id=GapId(id_),
        stream=stream,
        began=from_ms(began_ms),
        noticed=from_ms(noticed_ms),
        ended=time_or_none(ended_ms),
        reason=reason,
        is_covered=bool(is_covered),
        repair=Repair(repair),
        found=found,
        recovered=recovered,
        note=note,
    )


def row_of(gap: Gap) -> GapRow:
    """Return the row of a gap."""
    return (
        gap.id,
        storable(gap.stream),
        to_ms(gap.began),
        to_ms(gap.noticed),
        ms_or_none(gap.ended),
        storable(gap.reason),
        int(gap.is_covered),
        str(gap.repair),
        gap.found,
        gap.recovered,
        storable(gap.note),
    )
