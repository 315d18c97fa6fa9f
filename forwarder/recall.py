"""What the stream side remembers of the time before a start: it is in the outbox."""

from datetime import datetime, timedelta

from forwarder.core.dedupe import GENERATIONS, RecentEvents
from forwarder.core.ports import Clock
from forwarder.core.preference import CAPACITY, WINDOW, FirstWords
from forwarder.core.recovered import CAPACITY as MOST_RECOVERED
from forwarder.core.recovered import RecoveredPosts
from forwarder.core.routing import Router
from forwarder.outbox.sqlite import SqliteOutbox

_MAX_RECENT = 1_000_000
_FAR_AHEAD = timedelta(days=100 * 365)


async def recent_events(outbox: SqliteOutbox, window: timedelta, steady: Clock) -> RecentEvents:
    """Return the memory of the events accepted within the window.

    An event that seems to come from the future counts as just accepted: an older version has written it, and the clock was set back.
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


async def recovered_posts(outbox: SqliteOutbox, window: timedelta, steady: Clock) -> RecoveredPosts:
    """Return the memory of the posts that the repair of gaps has brought within the window."""
    recovered = RecoveredPosts(window)
    now = steady()
    ahead = outbox.accepted_wall(now) - now
    found = await outbox.gaps.recovered_events(since=outbox.accepted_wall(now - window), limit=MOST_RECOVERED)
    recovered.recall({post: at - ahead for post, at in found.items()})
    return recovered


async def first_words(outbox: SqliteOutbox, router: Router, steady: Clock) -> FirstWords:
    """Return the memory of the posts of which a destination has had one of the two events."""
    return await words_since(steady() - WINDOW, outbox, router)


async def words_since(
    since: datetime, outbox: SqliteOutbox, router: Router, *, window: timedelta = WINDOW
) -> FirstWords:
    """Return the same of the time since then (in steady time), to be remembered for so long."""
    words = FirstWords(window)
    if router.once:
        for brought in await outbox.recent_posts(since=since, limit=CAPACITY):
            words.recall(brought, router.once)
    return words
