"""Filters of what passes that need the event itself: they are evaluated here and not in the daemon, which they must not slow."""

from collections.abc import Callable, Mapping

from forwarder.cli.listing import SHORT_ID
from forwarder.core.event import Event, NotAnEventError, decode_event
from forwarder.core.matching import Condition, Subject
from forwarder.core.matching.post_search import PostSearch
from forwarder.core.monitoring.live import AttemptOutcome, Passing, PassingAttempt, PassingEvent

Wants = Callable[[Passing], bool]
"""Returns whether to show what passes."""

_REMEMBERED = 2_000
"""For how many events the result is remembered, so that their attempts need not ask again."""
_OUTCOMES: Mapping[str, tuple[AttemptOutcome, ...]] = {
    "delivered": (AttemptOutcome.DELIVERED,),
    "dead": (AttemptOutcome.DEAD,),
    "expired": (AttemptOutcome.EXPIRED,),
    "waiting": (AttemptOutcome.RETRY, AttemptOutcome.POSTPONED),
    "pending": (AttemptOutcome.RETRY, AttemptOutcome.POSTPONED),
}
"""The outcomes after which a delivery has a status."""
STATUSES = tuple(_OUTCOMES)
"""The statuses that a delivery may have after an attempt."""


def passes_rule(condition: Condition) -> Wants:
    """Return what lets through the events that match, and their attempts. The items have bodies."""

    def matches(item: Passing) -> bool:
        event = _event_of(item)
        return event is not None and condition.matches(Subject(event, item.at))

    return _once_an_event(matches)


def finds_post(search: PostSearch) -> Wants:
    """Return what lets through the events whose post is found, and their attempts. The items have bodies."""
    return _once_an_event(lambda item: search.finds(_body_of(item)))


def has_mid(mid: str) -> Wants:
    """Return what lets through the events of one post, and their attempts. The items have bodies."""

    def matches(item: Passing) -> bool:
        event = _event_of(item)
        return event is not None and event.mid == mid

    return _once_an_event(matches)


def is_event(item: Passing) -> bool:
    """Return whether it is an event that is new, as the outbox has it."""
    return isinstance(item, PassingEvent) and item.result != "duplicate"


def is_attempt(item: Passing) -> bool:
    """Return whether it is an attempt."""
    return isinstance(item, PassingAttempt)


def has_status(status: str) -> Wants:
    """Return what lets through the attempts after which a delivery has this status."""
    outcomes = _OUTCOMES[status]
    return lambda item: isinstance(item, PassingAttempt) and item.outcome in outcomes


def has_words(written: str) -> Wants:
    """Return what lets through the lines that have these words: in the post, its author or source, a route, a destination or a reason.

    A word may also be the beginning of an event's id, as lists show it.
    """
    words = written.lower().split()

    def wants(item: Passing) -> bool:
        if isinstance(item, PassingAttempt):
            about = [item.destination, *item.routes, item.outcome, item.reason]
        else:
            about = [item.result, *item.routes, *item.destinations, *item.held]
        line = " ".join([item.source, item.author, item.text, *about]).lower()
        return all(word in line or (len(word) >= SHORT_ID and item.event_id.startswith(word)) for word in words)

    return wants


def _once_an_event(matches: Wants) -> Wants:
    known: dict[str, bool] = {}

    def wants(item: Passing) -> bool:
        found = known.get(item.event_id)
        if found is None:
            found = known[item.event_id] = matches(item)
            if len(known) > _REMEMBERED:
                del known[next(iter(known))]
        return found

    return wants


def _body_of(item: Passing) -> bytes:
    return (item.body or "").encode()


def _event_of(item: Passing) -> Event | None:
    try:
        return decode_event(_body_of(item))
    except NotAnEventError:  # one of the public stream, whose body is cut, is an event too
        return None
