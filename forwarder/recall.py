"""What the stream side remembers of the time before a start: it is in the outbox."""

from datetime import UTC, datetime, timedelta

from forwarder.core.dedupe import GENERATIONS, RecentEvents
from forwarder.core.ports import Clock
from forwarder.core.preference import CAPACITY, WINDOW, FirstWords
from forwarder.core.recovered import CAPACITY as MOST_RECOVERED
from forwarder.core.recovered import RecoveredPosts
from forwarder.core.routing import Router
from forwarder.outbox.sqlite import SqliteOutbox

_MAX_RECENT = 1_000_000
_NEVER = datetime.max.replace(tzinfo=UTC)


async def recent_events(outbox: SqliteOutbox, window: timedelta, clock: Clock) -> RecentEvents:
    """Return the memory of the events accepted within the window.

    Where the clock was set back since, the last events of the process before seem to come from the future: those count as just accepted.
    """
    recent = RecentEvents(window, capacity=_MAX_RECENT)
    now = clock()
    begin = now - window
    for part in range(GENERATIONS):
        since, until = begin + part * window / GENERATIONS, begin + (part + 1) * window / GENERATIONS
        numbers = await outbox.recent_events(since=since, until=until, limit=_MAX_RECENT // GENERATIONS)
        recent.remember(numbers, latest_at=until)
    numbers = await outbox.recent_events(since=now, until=_NEVER, limit=_MAX_RECENT // GENERATIONS)
    recent.remember(numbers, latest_at=now)
    return recent


async def recovered_posts(outbox: SqliteOutbox, window: timedelta, clock: Clock) -> RecoveredPosts:
    """Return the memory of the posts that the repair of gaps has brought within the window."""
    recovered = RecoveredPosts(window)
    recovered.recall(await outbox.gaps.recovered_events(since=clock() - window, limit=MOST_RECOVERED))
    return recovered


async def first_words(outbox: SqliteOutbox, router: Router, clock: Clock) -> FirstWords:
    """Return the memory of the posts of which a destination has had one of the two events."""
    return await words_since(clock() - WINDOW, outbox, router)


async def words_since(
    since: datetime, outbox: SqliteOutbox, router: Router, *, window: timedelta = WINDOW
) -> FirstWords:
    """Return the same of the time since then, to be remembered for so long."""
    words = FirstWords(window)
    if router.once:
        for brought in await outbox.recent_posts(since=since, limit=CAPACITY):
            words.recall(brought, router.once)
    return words
