"""What people did with the outbox and the config: the entries that are kept of it, and how they are worded."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_never

import msgspec

from forwarder.core.commands import Change, DeadLetterChange, Forget, PauseChange, Replay, Resend

EDIT = "edit"
"""The verb of a config that became active."""
_MOST_SENTENCES = 3
_LONGEST_REASON = 120


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a person did."""

    person: str
    """The user who did it, as `forwarder.control.peer.person` names users."""
    verb: str
    what: str
    """To which destinations, of which time, and so on: no text of a post and no secret."""
    group: str = ""
    """The slices of one command have the same; empty: it is an action of its own."""


def action_of(change: Change, *, person: str) -> Action:
    """Return the entry of a change that was made."""
    match change:
        case PauseChange():
            until = "" if change.until_ms is None else f" until {_time(change.until_ms)}"
            why = f": {change.why}" if change.why else ""
            return Action(person=person, verb=change.verb, what=f"{change.destination}{until}{why}")
        case Replay():
            only = ", only what is missing" if change.missing else ""
            what = f"to {change.to}{_of(route=change.route, source=change.source)}{_since(change.since_ms)}{only}"
            return Action(person=person, verb="replay", what=what, group=f"replay {change.start_ms}")
        case DeadLetterChange():
            chosen = _of(route=change.route, to=change.destination)
            if change.reason is not None:
                chosen += f" that died of: {change.reason[:_LONGEST_REASON] or 'no reason'}"
            if not chosen and change.keys is not None:
                chosen = "by their ids"
            what = f"{chosen}{_since(change.since_ms)}".lstrip() or "all"
            return Action(
                person=person,
                verb=change.verb.replace("_", " "),
                what=what,
                group=f"{change.verb} {change.start_ms}",
            )
        case Resend():
            names = ", ".join(sorted({name for _, name in change.keys}))
            return Action(person=person, verb="resend", what=f"to {names}", group=f"resend {change.now_ms}")
        case Forget():
            return Action(person=person, verb="forget", what="events of one author", group=f"forget {change.now_ms}")
        case _:
            assert_never(change)


def reconnect_of(streams: Sequence[str], *, person: str) -> Action:
    """Return the entry of streams that were reconnected."""
    return Action(person=person, verb="reconnect", what=", ".join(streams))


def canary_of(destination: str, *, person: str) -> Action:
    """Return the entry of a canary that was sent at once."""
    return Action(person=person, verb="canary", what=destination)


def edit_of(digest: str, plan: tuple[str, ...], *, person: str) -> Action:
    """Return the entry of a config that became active; `plan` says what it changes."""
    more = f"; and {len(plan) - _MOST_SENTENCES} more" if len(plan) > _MOST_SENTENCES else ""
    return Action(person=person, verb=EDIT, what=f"config {digest}: {'; '.join(plan[:_MOST_SENTENCES])}{more}")


def start_of(digest: str) -> Action:
    """Return the entry of a config that was edited before the daemon started with it."""
    return Action(person="(start)", verb=EDIT, what=f"config {digest}: edited before this start")


def _of(*, route: str | None = None, source: str | None = None, to: str | None = None) -> str:
    named = {"to": to, "of route": route, "of source": source}
    return "".join(f" {word} {name}" for word, name in named.items() if name is not None)


def _since(since_ms: int) -> str:
    return f" since {_time(since_ms)}" if since_ms else ""


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
