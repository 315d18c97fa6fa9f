"""`forwarder forget`: deletes what the outbox has of one author."""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass

from forwarder.cli import exit_codes
from forwarder.cli.changer import changer
from forwarder.cli.listing import now_ms, print_json, print_prose, shown
from forwarder.cli.locations import Places, UsageError, places, report_errors
from forwarder.cli.names import require_names
from forwarder.cli.outbox import vacuum
from forwarder.cli.progress import progress
from forwarder.core.commands import SLICE, Forget
from forwarder.core.counted import counted
from forwarder.core.event import OWN_SOURCE
from forwarder.core.history import History, Query, Record
from forwarder.core.matching.authorship import Named, account_of, how_named
from forwarder.core.monitoring.listed_authors import ListedAuthor
from forwarder.core.posts import Post, read_post
from forwarder.outbox.open import open_history

_NAMED = 10
"""How many accounts a message names."""
_COPIES = (
    "Not deleted: copies made by forwarder outbox backup or export, posts of others that quote this author, the log, and what was "
    "delivered to receivers."
)


@dataclass(frozen=True, slots=True)
class _Found:
    """An event of the author."""

    event: Record
    post: Post
    named: Named

    @property
    def account(self) -> tuple[str, str]:
        return account_of(self.event["source"], self.post)


@dataclass(frozen=True, slots=True)
class _Listing:
    """A message of forwarder that names the author."""

    event: Record
    left: str
    """Its body without this author; empty if nothing is left of it, or if it is one that only counts posts."""


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Delete the events; exit code 1 if there are none, or if some are still to be delivered and stay."""
    found = places(arguments)
    with open_history(found.outbox) as history:
        written = _written(history, arguments.author, arguments.source)
        listing = _listing(history, arguments.author, arguments.source, written)
        named = [*(each.event for each in written), *(each.event for each in listing)]
        events = sorted(named, key=lambda event: event["event_seq"])
        if not events:
            require_names(found, history, source=arguments.source)
    if not events:
        print(f"no event of {shown(arguments.author)!r} in the outbox", file=sys.stderr)
        return exit_codes.FAILURE
    if arguments.dry_run:
        if arguments.json:
            print_json({"would_delete": len(events), "sources": dict(_sources(events)), "listings": len(listing)})
        else:
            print_prose(f"{_what(events)} would be deleted. {_of_others(listing)}{_COPIES}")
        return exit_codes.OK
    if not arguments.yes and not _is_confirmed(events, listing):
        print("Nothing was deleted.")
        return exit_codes.FAILURE
    deleted, waiting, rewritten = _delete(found, events, listing)
    vacuum(found)
    if arguments.json:
        print_json({"deleted": deleted, "waiting": waiting, "rewritten": rewritten})
    else:
        print_prose(
            f"{counted(deleted, 'event')} deleted. {_of_others(listing) if not waiting and not rewritten else ''}{_COPIES}"
        )
        if rewritten:
            print_prose(
                f"{counted(rewritten, 'digest')} that {'is' if rewritten == 1 else 'are'} still to be sent: only what is of this author was taken out."
            )
        if waiting:
            print_prose(
                f"{counted(waiting, 'event is', 'events are')} still to be delivered, and "
                f"{'stays' if waiting == 1 else 'stay'} until then: run the command again "
                "later. If you stop forwarder first, it deletes these too."
            )
    return exit_codes.FAILURE if waiting else exit_codes.OK


def _delete(found: Places, events: list[Record], listing: list[_Listing]) -> tuple[int, int, int]:
    """Delete the events; return how many were deleted, how many are still to be delivered, and how many digests were written again."""
    deleted, waiting = 0, 0
    rewritten: dict[int, str] = {}
    with changer(found) as change, progress("forgotten", len(events)) as bar:
        if not change.has_daemon:
            rewritten = {each.event["event_seq"]: each.left for each in listing if each.left and _is_open(each.event)}
        for seq, body in rewritten.items():
            change(Forget(seqs=(seq,), bodies=(body,), now_ms=now_ms()))
        seqs = [seq for event in events if (seq := event["event_seq"]) not in rewritten]
        for at in range(0, len(seqs), SLICE):
            done = change(Forget(seqs=tuple(seqs[at : at + SLICE]), now_ms=now_ms()))
            deleted, waiting = deleted + done.changed, waiting + done.left_alone
            bar.to(deleted)
    return deleted, waiting, len(rewritten)


def _written(history: History, name: str, source: str | None) -> list[_Found]:
    """Return the events that the author wrote. Raises `UsageError` if several authors are displayed by this name."""
    found = _named(history, name, source)
    sure = [each for each in found if each.named is Named.BY_HANDLE]
    accounts = sorted({each.account for each in sure or found})
    if not sure and len(accounts) > 1:
        listed = ", ".join(f"{shown(id_)} ({network})" for network, id_ in accounts[:_NAMED])
        raise UsageError(
            f"{len(accounts)} authors are displayed as {shown(name)!r}; name one by its handle or id: {listed}"
        )
    events = {each.event["event_seq"]: each for each in sure or found}
    for account in accounts:  # a source may leave out the handle or the name
        for each in _named(history, account[1], source):
            if each.account == account:
                events[each.event["event_seq"]] = each
    return list(events.values())


def _listing(history: History, name: str, source: str | None, written: list[_Found]) -> list[_Listing]:
    """Return forwarder's own messages that list a post of the author, or that count posts by their author and name this one."""
    is_handle = not written or any(each.named is Named.BY_HANDLE for each in written)
    author = ListedAuthor(name, (each.post for each in written), is_handle=is_handle)
    own = history.events(Query(source=OWN_SOURCE))
    found = []
    for event in own:
        if author.is_in(body := _body(event), source=source):
            left = author.left_of(body, source=source)
            found.append(_Listing(event, "" if left is None else left.decode()))
    return found


def _is_open(event: Record) -> bool:
    """Return whether an event is still to be delivered."""
    return any(delivery["status"] in {"pending", "in_flight"} for delivery in event["deliveries"])


def _named(history: History, name: str, source: str | None) -> list[_Found]:
    found = []
    for event in history.events(Query(author=name, source=source)):
        post = read_post(_body(event))
        if (named := how_named(post, name)) is not None:
            found.append(_Found(event, post, named))
    return found


def _body(event: Record) -> bytes:
    body: str = event["body"]
    return body.encode("utf-8", "surrogateescape")


def _sources(events: list[Record]) -> Counter[str]:
    return Counter(event["source"] for event in events)


def _what(events: list[Record]) -> str:
    """Return how many events of which sources there are, with all that belongs to them."""
    each = ", ".join(f"{number:,} of {shown(source)}" for source, number in _sources(events).items())
    deliveries = sum(len(event["deliveries"]) for event in events)
    return f"{counted(len(events), 'event')} ({each}) and {counted(deliveries, 'delivery', 'deliveries')}"


def _of_others(listing: list[_Listing]) -> str:
    """Return a sentence about the own messages among what is deleted: they are also about posts of others."""
    if not listing:
        return ""
    return (
        f"With them {counted(len(listing), 'message of forwarder', 'messages of forwarder')} (a digest or a summary) that "
        f"{'names' if len(listing) == 1 else 'name'} this author, with what is in it of others. "
    )


def _is_confirmed(events: list[Record], listing: list[_Listing]) -> bool:
    """Return whether the person at the terminal agrees. Raises `UsageError` if there is none."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("forget deletes for good: add --yes, or --dry-run to see what it would delete")
    print_prose(f"{_what(events)} will be deleted for good. {_of_others(listing)}{_COPIES}")
    print("Type yes to go on: ", end="", flush=True)
    return sys.stdin.readline().strip().lower() == "yes"
