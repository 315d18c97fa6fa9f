"""`forwarder audit`: whether every event and every delivery is accounted for."""

import argparse

from forwarder.cli import exit_codes
from forwarder.cli.places import add_config, places, told
from forwarder.cli.records import add_json, moment, print_json
from forwarder.core.books import Audit, Cause, Entry
from forwarder.core.delivery import DeliveryStatus
from forwarder.outbox.access import reading
from forwarder.outbox.history import Record, audit


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("audit", help="do the books balance: is anything without its end?")
    add_config(parser)
    parser.add_argument("--since", type=moment, default=0, metavar="WHEN", help="default: all that is kept")
    add_json(parser)
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Print both sides; exit code 1 where something is left over."""
    with reading(places(arguments).outbox) as connection:
        books, incomplete = audit(connection, since_ms=arguments.since)
    if arguments.json:
        print_json(_record(books, incomplete))
    else:
        _print(books, incomplete)
    return exit_codes.OK if books.is_balanced else exit_codes.FAILURE


def _ends(books: Audit) -> dict[str, int]:
    return {
        "delivered": books.ended_as(DeliveryStatus.DELIVERED),
        "waiting": books.waiting,
        "dead": books.ended_as(DeliveryStatus.DEAD),
        "expired": books.ended_as(DeliveryStatus.EXPIRED),
        **{cause.value: books.ended_as(cause) for cause in Cause},
    }


def _record(books: Audit, incomplete: list[Record]) -> Record:
    return {
        "balanced": books.is_balanced,
        "events": {
            "seen": books.entry(Entry.SEEN),
            "matched": books.entry(Entry.MATCHED),
            "unmatched": books.entry(Entry.UNMATCHED),
            "double": books.entry(Entry.DOUBLE),
            "kept": books.events,
        },
        "deliveries": {
            "planned": books.entry(Entry.PLANNED),
            "replayed": books.entry(Entry.REPLAYED),
            **_ends(books),
        },
        "findings": [
            {"line": line.what, "expected": line.expected, "found": line.found, "remainder": line.remainder}
            for line in books.findings
        ],
        "incomplete_events": incomplete,
    }


def _print(books: Audit, incomplete: list[Record]) -> None:
    kept = books.events
    print(f"events      seen {books.entry(Entry.SEEN):>10,}")
    print(
        f"            = matched {books.entry(Entry.MATCHED):,} + unmatched {books.entry(Entry.UNMATCHED):,}"
        f" + double {books.entry(Entry.DOUBLE):,};  kept now: {kept:,}"
    )
    print(f"deliveries  planned {books.entry(Entry.PLANNED):>7,} + replayed {books.entry(Entry.REPLAYED):,}")
    print("            = " + " + ".join(f"{name} {number:,}" for name, number in _ends(books).items()))
    if books.is_balanced:
        print("The books balance.")
        return
    print("The books do not balance:")
    for line in books.findings:
        missing = f"{line.remainder:,} missing" if line.remainder > 0 else f"{-line.remainder:,} too many"
        print(f"  {line.what}: {line.expected:,} against {line.found:,}, {missing}")
    for event in incomplete[:20]:
        print(f"  event {event['event_id']}: {event['planned']} deliveries planned, {event['found']} found")
    if len(incomplete) > 20:
        print(f"  … and {len(incomplete) - 20:,} more events (--json names all)")
