"""Watches over the destinations: what of them outlasts a restart, and who is told when one fails or works again."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from forwarder.core import notices
from forwarder.core.changes import PauseChange
from forwarder.core.delivery import Attempt, Delivery, DestinationName
from forwarder.core.destination import Destination, OnFailure
from forwarder.core.event import Event
from forwarder.core.news import (
    BreakerClosed,
    BreakerOpened,
    FailedForLonger,
    Failing,
    Held,
    News,
    OursBegan,
    OursEnded,
    PausedItself,
    StretchEnded,
    TooOld,
    Working,
)
from forwarder.core.ports import Clock
from forwarder.core.retry import Dead, Decision, Done, Expired, OnExpiry
from forwarder.core.standing import NOTHING_KNOWN, FailureStretch, Pause, PausedBy, Standing

_LOOK_EVERY_S = 1.0
_WORTH_KEEPING = timedelta(seconds=30)
"""A destination that fails for less is forgotten by a restart; each failure would be a write otherwise."""
_DEAD_EVERY = timedelta(hours=1)
"""Of dead letters one is told at once, the others so often, by their number."""
_DIGEST_AFTER = timedelta(seconds=5)
"""What expired is told of when nothing more has for so long,"""
_DIGEST_AT_LATEST = timedelta(minutes=10)
"""or, where that goes on and on, so long after the first of it."""

Post = Callable[[Event, DestinationName, str], None]
"""Brings an event of our own on its way to a destination, under the name of what made it."""
Keep = Callable[[DestinationName, Standing], None]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Gathered:
    """Deliveries that came to the same end, and are told of together."""

    count: int = 0
    first: datetime | None = None
    """When the oldest of them was accepted."""
    last: datetime | None = None
    reason: str = ""
    began: datetime | None = None
    """When the first one came,"""
    at: datetime | None = None
    """and when the last one did."""

    def add(self, delivery: Delivery, reason: str, now: datetime) -> None:
        accepted = delivery.accepted_at
        self.count += 1
        self.first = accepted if self.first is None else min(self.first, accepted)
        self.last = accepted if self.last is None else max(self.last, accepted)
        self.began = now if self.began is None else self.began
        self.reason, self.at = reason, now

    def is_over(self, now: datetime) -> bool:
        """Whether it is time to tell of them as a digest."""
        if self.began is None or self.at is None:
            return False
        return now - self.at >= _DIGEST_AFTER or now - self.began >= _DIGEST_AT_LATEST


class Watch:
    """Hears the news of all lanes."""

    def __init__(
        self,
        standings: Mapping[DestinationName, Standing],
        *,
        keep: Keep,
        post: Post,
        on_failure: Callable[[DestinationName], OnFailure | None],
        on_any_failure: Callable[[], Sequence[OnFailure]] = list,
        clock: Clock,
        steady: Clock | None = None,
    ) -> None:
        """`keep` writes a standing down; `on_failure` says whom to tell, by the config in force, and `on_any_failure` who else is there.

        `clock` is the wall clock; `steady` is the time that everything lasts by, the same where it is left out.
        """
        self._standings = dict(standings)
        self._kept = dict(standings)
        self._keep = keep
        self._post = post
        self._on_failure = on_failure
        self._on_any_failure = on_any_failure
        self._clock = clock
        self._steady = clock if steady is None else steady
        self._reasons: dict[DestinationName, str] = {}
        self._dead: dict[DestinationName, _Gathered] = {}
        self._dead_told_at: dict[DestinationName, datetime] = {}
        self._too_old: dict[DestinationName, _Gathered] = {}
        self._resumed: dict[DestinationName, datetime] = {}
        """Since when those failed that somebody was told of, and that a person has resumed: their success is told too."""
        self._number = 0

    def standing(self, name: DestinationName) -> Standing:
        """Return how a destination stands."""
        return self._standings.get(name, NOTHING_KNOWN)

    def last_failure(self, name: DestinationName) -> str | None:
        """Return what the last attempt came to, where that was a failure."""
        return self._reasons.get(name)

    async def run(self) -> None:
        """See now and then whether somebody is to be told."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.look()

    def report_pauses(self, names: Iterable[DestinationName]) -> None:
        """Log which of these an earlier process has paused without a person's doing."""
        for name in names:
            pause = self.standing(name).pause
            if pause is not None and pause.by is not PausedBy.PERSON:
                _log_pause(name, pause)

    # What it hears

    def hear(self, destination: Destination, news: News) -> None:
        """Take note of what a lane tells."""
        name, now = destination.name, self._steady()
        match news:
            case Failing(reason=reason):
                self._reasons[name] = reason
                self._set(name, failing_since=now)
            case FailedForLonger(stretch=stretch):
                self._set(name, stretch=stretch)
            case StretchEnded():
                self._end_stretch(name)
            case Working():
                self._recover(name, now)
            case BreakerOpened(reason=reason):
                log.warning(
                    "destination.down",
                    destination=name,
                    reason=reason,
                    note="everything waits; it is probed until it answers",
                )
                self._write(name)
            case BreakerClosed(after=None):
                log.info("destination.back", destination=name, note="it answers, and gets what waited for it")
            case BreakerClosed(after=timedelta() as after):
                log.warning("destination.back", destination=name, after_s=round(after.total_seconds(), 1))
            case Held(until=until, reason=reason):
                log.warning(
                    "destination.held", destination=name, reason=reason, until=until.isoformat(timespec="seconds"),
                    note="the receiver asks for it",
                )  # fmt: skip
            case OursBegan(reason=reason):
                log.warning(
                    "destination.unreachable_from_here", destination=name, reason=reason, note="not counted against it"
                )
            case OursEnded():
                log.info("destination.reachable_again", destination=name)
            case PausedItself(pause=pause):
                _log_pause(name, pause)
                self._set(name, pause=pause)
                self._write(name)
                self._tell_of_pause(name, pause)
            case TooOld(delivery=delivery, reason=reason):
                log.warning(
                    "delivery.expired",
                    event_id=delivery.event_id,
                    delivery_id=delivery.id,
                    destination=name,
                    reason=reason,
                )
                self._note_too_old(destination, delivery, reason)

    def note_attempt(self, destination: Destination, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Take note of an attempt that ended a delivery badly, or of why one failed."""
        match decision:
            case Done():
                self._reasons.pop(destination.name, None)
                return
            case Dead(reason=reason) if not notices.is_own(delivery):  # or notices would make notices
                self._dead.setdefault(destination.name, _Gathered()).add(delivery, reason, self._steady())
            case Expired(reason=reason):
                self._note_too_old(destination, delivery, reason)
            case _:
                pass
        self._reasons[destination.name] = attempt.outcome.reason

    def note_change(self, asked: PauseChange) -> None:
        """Take note that a person paused or resumed a destination."""
        name = DestinationName(asked.destination)
        if asked.verb == "pause":
            self._set(name, pause=Pause(since=self._clock(), by=PausedBy.PERSON, why=asked.why))
        else:
            standing = self.standing(name)
            pause = standing.pause
            is_known = standing.told_at is not None or (pause is not None and pause.by is not PausedBy.PERSON)
            if is_known and pause is not None:
                paused_at = self._steady() - (self._clock() - pause.since)
                self._resumed[name] = standing.failing_since or paused_at
            self._set(name, pause=None, failing_since=None, told_at=None, stretch=None)
        self._write(name)

    def _note_too_old(self, destination: Destination, delivery: Delivery, reason: str) -> None:
        if destination.retry.on_expiry is OnExpiry.DIGEST and not notices.is_own(delivery):
            self._too_old.setdefault(destination.name, _Gathered()).add(delivery, reason, self._steady())

    # Whom it tells

    def look(self) -> None:
        """Tell what is due to be told, and write down what has lasted long enough."""
        now = self._steady()
        for name, standing in list(self._standings.items()):
            since = standing.failing_since
            if since is None:
                continue
            if now - since >= _WORTH_KEEPING:
                self._write(name)
            wanted = self._on_failure(name)
            is_due = wanted is not None and standing.told_at is None and now - since >= wanted.after
            if is_due and standing.pause is None:  # of a pause was told when it began, and nothing is tried in it
                self._set(name, told_at=now)
                self._write(name)
                reason = self._reasons.get(name, "nothing is known of it since the restart")
                self._tell(name, notices.failing(name, since=since, now=now, reason=reason))
        for name, gathered in list(self._dead.items()):
            told_at = self._dead_told_at.get(name)
            if told_at is None or now - told_at >= _DEAD_EVERY:
                del self._dead[name]
                self._dead_told_at[name] = now
                self._tell(name, notices.dead(name, count=gathered.count, reason=gathered.reason))
        self._tell_what_expired(now, is_last=False)

    def take_leave(self) -> None:
        """Tell what is gathered in memory alone: the process ends."""
        self._tell_what_expired(self._steady(), is_last=True)

    def _tell_what_expired(self, now: datetime, *, is_last: bool) -> None:
        for name, gathered in list(self._too_old.items()):
            if is_last or gathered.is_over(now):
                del self._too_old[name]
                ahead = self._clock() - self._steady()
                first, last = (gathered.first or now) + ahead, (gathered.last or now) + ahead
                digest = notices.expired(name, count=gathered.count, first=first, last=last)
                self._bring(digest, to=name, made_by="digest")

    def _end_stretch(self, name: DestinationName) -> None:
        self._set(name, stretch=None)
        if self._kept.get(name, NOTHING_KNOWN).stretch is not None:  # or a kill now would bring it back
            self._write(name)

    def _recover(self, name: DestinationName, now: datetime) -> None:
        standing = self.standing(name)
        self._set(name, failing_since=None, told_at=None, stretch=None)
        self._reasons.pop(name, None)
        self._write(name)
        since = self._resumed.pop(name, standing.failing_since if standing.told_at is not None else None)
        if since is not None:
            self._tell(name, notices.recovered(name, after=now - since))

    def tell(self, notice: notices.Notice) -> None:
        """Tell whoever is to be told of failures of the destination that the notice is about."""
        self._tell(DestinationName(notice.about), notice)

    def _tell(self, name: DestinationName, notice: notices.Notice) -> None:
        wanted = self._on_failure(name)
        if wanted is not None:
            self._send(name, notice, to=wanted.to)

    def _tell_of_pause(self, name: DestinationName, pause: Pause) -> None:
        """Tell that a destination was paused without a person's doing: whom it names, or whoever is told of anything.

        Where all of them are paused themselves they get it when they are resumed.
        """
        own = self._on_failure(name)
        others = [each.to for each in self._on_any_failure() if each.to != name]
        is_own_paused = own is not None and self.standing(own.to).pause is not None
        to = others if own is None or is_own_paused else [own.to]
        awake = [each for each in to if self.standing(each).pause is None]
        notice = notices.paused(name, why=pause.why)
        for each in awake or to:
            self._send(name, notice, to=each)

    def _send(self, name: DestinationName, notice: notices.Notice, *, to: DestinationName) -> None:
        log.info("notice.sent", destination=name, to=to, kind=notice.kind)
        self._bring(notice, to=to, made_by="failure notice")

    def _bring(self, notice: notices.Notice, *, to: DestinationName, made_by: str) -> None:
        self._number += 1
        self._post(notices.as_event(notice, now=self._clock(), number=self._number), to, made_by)

    # What it keeps

    def _set(self, name: DestinationName, **changes: Pause | FailureStretch | datetime | None) -> None:
        self._standings[name] = replace(self.standing(name), **changes)  # type: ignore[arg-type] # the fields' own types

    def _write(self, name: DestinationName) -> None:
        """Write a standing down, if what is written is another."""
        standing = self.standing(name)
        if self._kept.get(name, NOTHING_KNOWN) != standing:
            self._kept[name] = standing
            self._keep(name, standing)


def _log_pause(name: DestinationName, pause: Pause) -> None:
    log.error(
        "destination.paused", destination=name, reason=pause.why, since=pause.since.isoformat(timespec="seconds"),
        note=f"everything is kept; when it is mended: forwarder resume {name}",
    )  # fmt: skip
