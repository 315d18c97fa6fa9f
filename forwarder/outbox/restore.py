"""Restores from the outbox what ingest remembers of the time before the start."""

from datetime import datetime, timedelta

from forwarder.core.gaps.recovered import CAPACITY as MOST_RECOVERED
from forwarder.core.gaps.recovered import RecoveredPosts
from forwarder.core.ports import Clock
from forwarder.core.routing.dedupe import GENERATIONS, RecentEvents
from forwarder.core.routing.first_word import CAPACITY, WINDOW, FirstWords
from forwarder.core.routing.router import Router
from forwarder.outbox.store import OutboxStore

_MAX_RECENT = 1_000_000
_FAR_AHEAD = timedelta(days=100 * 365)


async def recent_events(outbox: OutboxStore, window: timedelta, steady: Clock) -> RecentEvents:
    """Return the memory of the events that were accepted within the window.

    An event with a time in the future counts as just accepted: an older version wrote it, and the clock was set back.
    """
    recent = RecentEvents(window, capacity=_MAX_RECENT)
    now = steady()
    begin = now - window
    limit = _MAX_RECENT // GENERATIONS
    for part in range(GENERATIONS):
        since, until = begin + part * window / GENERATIONS, begin + (part + 1) * window / GENERATIONS
        recent.remember(await outbox.recent_events(since=since, until=until, limit=limit), latest_at=until)
    recent.remember(await outbox.recent_events(since=now, until=now + _FAR_AHEAD, limit=limit), latest_at=now)
    return recent


async def recovered_posts(outbox: OutboxStore, window: timedelta, steady: Clock) -> RecoveredPosts:
    """Return the memory of the posts that the repair of gaps brought within the window."""
    recovered = RecoveredPosts(window)
    now = steady()
    ahead = outbox.accepted_wall(now) - now
    found = await outbox.recovered_events(since=outbox.accepted_wall(now - window), limit=MOST_RECOVERED)
    recovered.recall({post: at - ahead for post, at in found.items()})
    return recovered


async def first_words(outbox: OutboxStore, router: Router, steady: Clock) -> FirstWords:
    """Return the memory of the X posts of which a destination got one of the two events."""
    return await words_since(steady() - WINDOW, outbox, router)


async def words_since(
    since: datetime, outbox: OutboxStore, router: Router, *, window: timedelta = WINDOW
) -> FirstWords:
    """Return the same since then, in steady time, to be remembered for `window`."""
    words = FirstWords(window)
    if router.once:
        for brought in await outbox.recent_posts(since=since, limit=CAPACITY):
            words.recall(brought, router.once)
    return words
