"""`forwarder audit`: checks that every event and every delivery is accounted for."""

import argparse
from datetime import timedelta

from forwarder.cli import exit_codes
from forwarder.cli.listing import print_json, print_prose, shown
from forwarder.cli.locations import Places, places, report_errors
from forwarder.control.client import control
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.core.commands import StatusRequest
from forwarder.core.counted import counted
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.history import Record
from forwarder.core.ledger import Audit, LedgerEntry, SkipReason
from forwarder.core.monitoring.status import UnreadableStatusError, decode_status
from forwarder.outbox.open import open_history

_ANSWER_WITHIN = timedelta(seconds=2)


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Print what came in and its outcome; exit code 1 if they differ."""
    where = places(arguments)
    with open_history(where.outbox) as history:
        audit, incomplete = history.audit(since_ms=arguments.since)
    in_memory = _in_memory(where)
    if arguments.json:
        print_json(_record(audit, incomplete) | {"events_in_memory": in_memory})
    else:
        _print(audit, incomplete)
        if in_memory:
            are = "is" if in_memory == 1 else "are"
            print_prose(
                f"{counted(in_memory, 'event')} {are} only in the daemon's memory, because the outbox cannot be written; "
                f"{are} not in these figures, and lost if the daemon ends before it can be written."
            )
    return exit_codes.OK if audit.is_balanced else exit_codes.FAILURE


def _in_memory(where: Places) -> int | None:
    """Return how many events the running daemon cannot write; `None` where none answers. What it is writing now is not counted."""
    try:
        with control(where.socket, outbox=where.outbox) as daemon:
            outbox = decode_status(daemon.ask(StatusRequest(), within=_ANSWER_WITHIN)).outbox
    except (NoDaemonError, DaemonRefusedError, UnreadableStatusError):
        return None
    return 0 if outbox.is_ok else outbox.events_in_memory


def _ends(audit: Audit) -> dict[str, int]:
    return {
        "delivered": audit.ended_as(DeliveryStatus.DELIVERED),
        "waiting": audit.waiting,
        "dead": audit.ended_as(DeliveryStatus.DEAD),
        "expired": audit.ended_as(DeliveryStatus.EXPIRED),
        **{cause.value: audit.ended_as(cause) for cause in SkipReason},
        **audit.unknown_ends,
    }


def _record(audit: Audit, incomplete: list[Record]) -> Record:
    return {
        "balanced": audit.is_balanced,
        "events": {
            "seen": audit.entry(LedgerEntry.SEEN),
            "matched": audit.entry(LedgerEntry.MATCHED),
            "unmatched": audit.entry(LedgerEntry.UNMATCHED),
            "double": audit.entry(LedgerEntry.DUPLICATE),
            "kept": audit.events,
        },
        "deliveries": {
            "planned": audit.entry(LedgerEntry.PLANNED),
            "replayed": audit.entry(LedgerEntry.REPLAYED),
            "fallback": audit.entry(LedgerEntry.FALLBACK),
            **_ends(audit),
        },
        "findings": [
            {"line": line.what, "expected": line.expected, "found": line.found, "remainder": line.remainder}
            for line in audit.findings
        ],
        "incomplete_events": incomplete,
    }


def _print(audit: Audit, incomplete: list[Record]) -> None:
    kept = audit.events
    print(f"events      seen {audit.entry(LedgerEntry.SEEN):>10,}")
    print_prose(
        f"            = matched {audit.entry(LedgerEntry.MATCHED):,} + unmatched {audit.entry(LedgerEntry.UNMATCHED):,}"
        f" + duplicates {audit.entry(LedgerEntry.DUPLICATE):,};  kept now: {kept:,}",
        hanging=2,
    )
    fallback = audit.entry(LedgerEntry.FALLBACK)
    print(
        f"deliveries  planned {audit.entry(LedgerEntry.PLANNED):>7,} + replayed {audit.entry(LedgerEntry.REPLAYED):,}"
        f"{f' + fallback {fallback:,}' if fallback else ''}"
    )
    ends = " + ".join(f"{shown(name)} {number:,}" for name, number in _ends(audit).items())
    print_prose(f"            = {ends}", hanging=2)
    if audit.is_balanced:
        print("Everything is accounted for.")
        return
    print("Not everything is accounted for:")
    for line in audit.findings:
        missing = f"{line.remainder:,} missing" if line.remainder > 0 else f"{-line.remainder:,} too many"
        print_prose(f"  {line.what}: {line.expected:,} expected, {line.found:,} found, {missing}", hanging=2)
    for event in incomplete[:20]:
        print_prose(
            f"  event {event['event_id']}: {counted(event['planned'], 'delivery', 'deliveries')} planned, {event['found']} found",
            hanging=2,
        )
    if len(incomplete) > 20:
        print(f"  … and {counted(len(incomplete) - 20, 'more event')} (--json lists all)")
