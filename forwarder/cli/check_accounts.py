"""Says, for `check --connect`, which accounts that rules name are not tracked at scrape.st, and which tracked ones no rule names."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from forwarder.cli.listing import shown
from forwarder.cli.locations import places_of
from forwarder.core.config import Config
from forwarder.core.config.named_accounts import NamedAccount, compare, named_accounts
from forwarder.core.counted import counted
from forwarder.core.history import Query
from forwarder.core.posts import read_post
from forwarder.gaps.tracked import TrackedUnknownError, tracked_accounts
from forwarder.outbox.open import open_history
from forwarder.outbox.problems import OutboxUnusableError

_MOST_EVENTS = 2_000
"""How many events of each source are looked at for the handles of ids, the newest."""
_MOST_NAMED = 20


def lines_about_accounts(config: Config, file: Path) -> list[str]:
    """Return what to print. A list of tracked accounts that cannot be had is a note: scrape.st promises none."""
    if any(stream.is_public for stream in config.streams):  # it brings posts of accounts that others track
        return []
    named = named_accounts(config)
    try:
        tracked = asyncio.run(tracked_accounts(config))
    except TrackedUnknownError as error:
        return [f"note: it is not known which X accounts are tracked ({error})"] if named else []
    found = compare(config, named, tracked, _handles(file) if any(each.is_id for each in named) else {})
    lines = []
    if found.untracked:
        lines.append(
            f"not tracked at scrape.st, so no post comes of: {_named(found.untracked, named)}. Track them there, or correct the names"
        )
    if found.unknown:
        lines.append(f"it is not known whether these ids are tracked: {_named(found.unknown, named)}")
    if found.unnamed:
        lines.append(f"tracked at scrape.st, and no rule names: {_listed(list(map(shown, found.unnamed)))}")
    if found.tracked and not (found.untracked or found.unknown):
        lines.append(f"{counted(len(found.tracked), 'X account')} named in rules: all tracked at scrape.st")
    return lines


def _handles(file: Path) -> dict[str, str]:
    """Return the handles of the ids in the events that the outbox has; empty if there is no outbox, or none to read."""
    found: dict[str, str] = {}
    try:
        with open_history(places_of(file).outbox) as history:
            for source in ("x", "fast-x"):
                for event in history.events(Query(source=source, limit=_MOST_EVENTS)):
                    author = read_post(event["body"].encode("utf-8", "surrogateescape")).author
                    if author.handle:
                        found.setdefault(event["sid"], author.handle)
    except OutboxUnusableError:
        return {}
    return found


def _named(accounts: Sequence[NamedAccount], routes: Mapping[NamedAccount, Sequence[str]]) -> str:
    return _listed([f"{shown(each.name)} ({', '.join(map(shown, routes[each][:3]))})" for each in accounts])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
