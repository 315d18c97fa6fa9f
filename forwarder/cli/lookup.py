"""Finds the events that a person means: by the link of a post, by its id (mid), by an event's id, or by a webhook-id."""

import sys
from dataclasses import dataclass

from forwarder.cli.listing import moments, screen_width, short_id, shown, table_lines
from forwarder.cli.locations import UsageError
from forwarder.core.delivery import event_of
from forwarder.core.history import History, Query, Record
from forwarder.core.posts import read_post
from forwarder.core.posts.links import Fit, NoPostLinkError, PostLink, fits, read_link

MOST_EVENTS = 20
"""The most events of one post that are looked at."""
LEAST_DIGITS = 4
"""The fewest digits of an event's id by which an event is sent."""
ID_LENGTH = 32
HEX_DIGITS = frozenset("0123456789abcdef")
_START = 60
"""The most characters of a post's text in a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The events that a text means."""

    events: list[Record]
    """Oldest first."""
    is_post: bool
    """Whether the text is a link or the id of a post: then several events may be meant, as one of x and one of fast-x."""
    uncertain: list[Record]
    """The events that may be of the post or not: the link names a channel by its name, and they have only its id."""


def find(history: History, text: str, *, source: str | None = None, is_to_send: bool = False) -> Found:
    """Return the events that a text means, of one source or of all. Raises `UsageError` for a link that names no post.

    What is to be sent must be named well: raises `UsageError` for a part of a `webhook-id`, and for a very short beginning of an id.
    """
    posts = history.find_posts(
        text, source=source, limit=MOST_EVENTS
    )  # first: the id of an article may look like a link
    if not posts and (link := link_of(text)) is not None:
        return _of_link(history, link, source)
    others = _with_id(history, text, source, posts, is_to_send=is_to_send)
    return Found(events=[*posts, *others], is_post=bool(posts) and not others, uncertain=[])


def link_of(text: str) -> PostLink | None:
    """Return what the text names, if it is a link. Raises `UsageError` for one that names no post."""
    try:
        return read_link(text)
    except NoPostLinkError as error:
        raise UsageError(f"{shown(text, limit=100)!r}: {error}") from None


def _with_id(history: History, text: str, source: str | None, posts: list[Record], *, is_to_send: bool) -> list[Record]:
    """Return the events whose id begins so, without those of `posts`."""
    known = {event["event_seq"] for event in posts}
    beginning = _beginning_in(text, is_to_send=is_to_send, is_post=bool(posts))
    return [
        event
        for event in (history.find_events(beginning) if beginning else ())
        if event["event_seq"] not in known and source in {None, event["source"]}
    ]


def _beginning_in(text: str, *, is_to_send: bool, is_post: bool) -> str:
    """Return the id of an event, or its beginning, that a text has; empty if it can only be a post's id. Raises `UsageError`."""
    lowered = text.lower()
    of_delivery = event_of(lowered)
    if of_delivery is not None:
        return of_delivery[0]
    digits = lowered.removeprefix("msg_")
    is_hex = not set(digits) - HEX_DIGITS
    is_delivery = digits != lowered
    if digits and not is_to_send:
        return digits[:ID_LENGTH]
    if is_hex and not is_delivery and LEAST_DIGITS <= len(digits) <= ID_LENGTH:
        return digits
    if is_post or not (is_delivery or is_hex) or (digits.isdecimal() and not is_delivery):
        return ""
    raise UsageError(
        f"{shown(text, limit=100)!r} is neither a webhook-id (msg_ and {ID_LENGTH + 8} hex digits), nor an event's id ({ID_LENGTH} of them) "
        f"or the beginning of one (at least {LEAST_DIGITS})"
    )


def _of_link(history: History, link: PostLink, source: str | None) -> Found:
    found = history.find_posts(link.mid, source=source, limit=MOST_EVENTS)
    if link.address and not found:
        found = list(history.events(Query(link=link.address, source=source, limit=MOST_EVENTS)))[::-1]
    by_fit: dict[Fit, list[Record]] = {fit: [] for fit in Fit}
    for event in found:
        post = read_post(event["body"].encode("utf-8", "surrogateescape"))
        by_fit[fits(link, source=event["source"], post=post)].append(event)
    uncertain = [] if by_fit[Fit.YES] else by_fit[Fit.POSSIBLE]
    return Found(events=by_fit[Fit.YES], is_post=True, uncertain=uncertain)


def said(record: Record, *, limit: int = _START) -> str:
    """Return the start of a post's text, on one line."""
    return shown(" ".join(record["text"].split()), limit=limit)


def headline(record: Record) -> str:
    """Return who wrote a post, and the start of its text."""
    return f"{shown(record['author'])}: {said(record)}" if record["author"] else said(record)


def print_events(found: list[Record]) -> None:
    """Print events on standard error, so that a person can choose."""
    accepted, times = moments("ACCEPTED", [event["accepted_at"] for event in found])
    rows = [
        (time, short_id(event["event_id"], is_wide=False), event["source"], event["author"] or None, said(event))
        for time, event in zip(times, found, strict=True)
    ]
    lines = table_lines(
        (accepted, "EVENT", "SOURCE", "AUTHOR", "TEXT"), rows, width=screen_width(), cut=("AUTHOR", "TEXT")
    )
    print("\n".join(lines), file=sys.stderr)


def print_uncertain(text: str, found: list[Record]) -> None:
    """Say that a link may mean these events or not."""
    print(
        f"{shown(text)!r} names a channel by its name, and the events have only its id. These have the same number; name one by its id:",
        file=sys.stderr,
    )
    print_events(found)
