"""The deliveries that quiet hours keep: what a digest reads of them, and how their end is changed when the config is."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from forwarder.core.delivery import DIGEST_KEY, DestinationName, KeptDelivery, WaitsFor
from forwarder.core.routing.quiet import Kept, Then
from forwarder.outbox.sqlite.delivery_row import WAIT_LEVELS, RowKey, names_of
from forwarder.outbox.sqlite.statements import from_ms, load, to_ms
from forwarder.outbox.sqlite.transactions import Step

_SQL = load(__package__, "quiet_rows.sql")
KeepFor = Callable[[Sequence[str]], Kept | None]
"""Returns until when deliveries that these routes chose are kept, by the wall clock, or `None` if they are sent at once."""


def kept_for_digest(
    destination: DestinationName, *, now: datetime, limit: int, without: Collection[RowKey]
) -> Step[list[KeptDelivery]]:
    """Return a step that reads what is due to be put into a digest, oldest first, without what is in one already."""

    def look(connection: sqlite3.Connection) -> list[KeptDelivery]:
        values = {"destination": destination, "key": DIGEST_KEY, "now_ms": to_ms(now), "limit": limit + len(without)}
        return [
            KeptDelivery(event_seq=seq, post=(source, sid, mid), accepted_at=from_ms(accepted_ms), body=body)
            for seq, source, sid, mid, accepted_ms, body in connection.execute(_SQL["kept_for_digest"], values)
            if (seq, destination) not in without
        ][:limit]

    return look


def keeps_any(destination: DestinationName, *, steady: datetime) -> Step[bool]:
    """Return a step that says whether quiet hours keep anything for a destination: mostly they do not, and nothing has to be written."""
    values = {"destination": destination, "key": DIGEST_KEY, "now_ms": to_ms(steady)}
    return lambda connection: connection.execute(_SQL["routes_of_kept"], values).fetchone() is not None


def keep_again(destination: DestinationName, keep_for: KeepFor, *, steady: datetime, ahead_ms: int) -> Step[int]:
    """Return a step that gives everything that a destination keeps the end that the active config says; it returns how many changed.

    `ahead_ms` is how far the wall clock is ahead of the steady clock.
    """

    def change(connection: sqlite3.Connection) -> int:
        values = {"destination": destination, "key": DIGEST_KEY, "now_ms": to_ms(steady)}
        changed = 0
        for (routes,) in connection.execute(_SQL["routes_of_kept"], values).fetchall():
            kept = keep_for(names_of(routes))
            is_digest = kept is not None and kept.then is Then.DIGEST
            row = values | {
                "routes": routes,
                "due_ms": values["now_ms"] if kept is None else to_ms(kept.until) - ahead_ms,
                "level": WAIT_LEVELS[WaitsFor.DIGEST if is_digest else WaitsFor.QUIET_END],
                "new_key": DIGEST_KEY if is_digest else None,
            }
            changed += connection.execute(_SQL["keep_again"], row).rowcount
        return changed

    return change
