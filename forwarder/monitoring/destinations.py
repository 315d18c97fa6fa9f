"""Keeps the states of the destinations over restarts, logs their changes, and sends notices when one fails or recovers."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import structlog
from msgspec.structs import replace

from forwarder.clocks.periodic import periodic
from forwarder.core.commands import PauseChange
from forwarder.core.counted import counted
from forwarder.core.delivery import Attempt, Delivery, DestinationName
from forwarder.core.destinations.destination import Destination, FailureRecipients
from forwarder.core.dispatch.destination_state import UNKNOWN, DestinationState, FailureStretch, Pause, PausedBy
from forwarder.core.dispatch.lane_events import (
    AddressChanged,
    BreakerClosed,
    BreakerOpened,
    ExpiredUnsent,
    FailedForLonger,
    Failing,
    LaneEvent,
    LocalOutageBegan,
    LocalOutageEnded,
    PausedItself,
    Recovered,
    StretchEnded,
    ThrottledByReceiver,
)
from forwarder.core.dispatch.retry import Dead, Decision, Done, Expired, OnExpiry
from forwarder.core.event import Event
from forwarder.core.monitoring import notices
from forwarder.core.monitoring.attempt_log import author_of
from forwarder.core.monitoring.digests import GivenUpDigests
from forwarder.core.ports import Clock

_LOOK_EVERY = timedelta(seconds=1)
_WORTH_KEEPING = timedelta(seconds=30)
"""A failure is stored once it has lasted this long. Shorter ones are not, because each would cost a write; a restart forgets them."""

_OnlyLogged = AddressChanged | ThrottledByReceiver | LocalOutageBegan | LocalOutageEnded

Post = Callable[[Event, DestinationName, str], None]
"""Sends an event of forwarder's own to a destination; the text names what made the event."""
Keep = Callable[[DestinationName, DestinationState], None]
"""Stores the state of a destination."""

log = structlog.get_logger(__name__)


class DestinationMonitor:
    """Tracks the state of every destination and decides which notices to send about it."""

    def __init__(
        self,
        states: Mapping[DestinationName, DestinationState],
        *,
        keep: Keep,
        post: Post,
        recipients: FailureRecipients,
        clock: Clock,
        steady: Clock | None = None,
    ) -> None:
        """`keep` writes the state of a destination to the outbox; `post` sends a notice to a destination.

        `clock` is the wall clock; `steady` is the time that everything lasts by, the same where it is left out.
        """
        self._states = dict(states)
        self._kept = dict(states)
        self._keep = keep
        self._post = post
        self._recipients = recipients
        self._clock = clock
        self._steady = clock if steady is None else steady
        self.failures: dict[DestinationName, str] = {}
        """Why the last attempt failed, of each destination at which it did."""
        self._given_up = GivenUpDigests(
            {name: state.dead_reported_at for name, state in states.items() if state.dead_reported_at is not None}
        )
        self._resumed: dict[DestinationName, datetime] = {}
        """Destinations that a person resumed after their failure was reported, and when it began: their recovery is reported too."""
        self._down = {name: state.failing_since for name, state in states.items() if state.failing_since is not None}
        """Destinations that are down, and since when they fail; also those that were so when the process before this one ended."""
        self._resumed_at: dict[DestinationName, datetime] = {}
        """When a person resumed destinations: from then on they have the time of `after` again, before it is reported that they fail."""
        self._late: dict[DestinationName, bool] = {}
        """Destinations of which a missed canary was reported, and whether they failed by then: then that is the same outage."""
        self._number = 0

    def follow(self, recipients: FailureRecipients) -> None:
        """Notify these from now on."""
        self._recipients = recipients

    def state_of(self, name: DestinationName) -> DestinationState:
        """Return the state of a destination."""
        return self._states.get(name, UNKNOWN)

    def is_paused(self, name: DestinationName) -> bool:
        """Return whether a destination is paused, by a person or by itself."""
        return self.state_of(name).pause is not None

    def due_to_resume(self) -> list[DestinationName]:
        """Return the destinations whose pause has ended by itself."""
        now = self._clock()
        return [name for name, state in self._states.items() if state.pause is not None and state.pause.is_over(now)]

    def has_pause(self, asked: PauseChange) -> bool:
        """Return whether a destination is paused or resumed already, as a person asks for."""
        pause = self.state_of(DestinationName(asked.destination)).pause
        if pause is None or asked.verb == "resume":
            return (pause is not None) == (asked.verb == "pause")
        return asked.until_ms == (None if pause.until is None else round(pause.until.timestamp() * 1000))

    async def run(self) -> None:
        """Send the notices that are due, each second, until cancelled."""
        await periodic(_LOOK_EVERY, self.look)

    def report_pauses(self, names: Iterable[DestinationName]) -> None:
        """Log which of these were paused automatically before this process started."""
        for name in names:
            pause = self.state_of(name).pause
            if pause is not None and pause.by is not PausedBy.PERSON:
                _log_pause(name, pause)

    # What happens at the destinations

    def state_changed(self, destination: Destination, event: LaneEvent) -> None:
        """Note a change of state that a lane reports."""
        name, now = destination.name, self._steady()
        match event:
            case Failing(reason=reason):
                self.failures[name] = reason
                self._set(name, failing_since=now)
            case FailedForLonger(stretch=stretch):
                self._set(name, stretch=stretch)
            case StretchEnded():
                self._end_stretch(name)
            case Recovered():
                self._recover(name, now)
            case BreakerOpened(reason=reason):
                log.warning(
                    "destination.down",
                    destination=name,
                    reason=reason,
                    note="deliveries are queued; retrying until it responds",
                )
                self._down.setdefault(name, self.state_of(name).failing_since or now)
                self._write(name)
            case BreakerClosed(after=after):
                self._report_back(name, after, now)
            case PausedItself(pause=pause):
                _log_pause(name, pause)
                self._set(name, pause=pause)
                self._write(name)
                self._report_pause(name, pause)
            case ExpiredUnsent(delivery=delivery, reason=reason):
                log.warning(
                    "delivery.expired",
                    event_id=delivery.event_id,
                    delivery_id=delivery.id,
                    destination=name,
                    **author_of(delivery.body),
                    reason=reason,
                )
                self._note_expired(destination, delivery, reason)
            case _:
                _log_change(name, event)

    def note_attempt(self, destination: Destination, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Note why an attempt failed, and whether its delivery was given up."""
        match decision:
            case Done():
                self.failures.pop(destination.name, None)
                return
            case Dead(reason=reason) if not delivery.is_own:  # otherwise notices would cause notices
                self._given_up.note_dead(delivery, reason, self._steady())
            case Expired(reason=reason):
                self._note_expired(destination, delivery, reason)
            case _:
                pass
        self.failures[destination.name] = attempt.outcome.reason

    def note_change(self, asked: PauseChange) -> None:
        """Note that a person paused or resumed a destination."""
        name = DestinationName(asked.destination)
        if asked.verb == "pause":
            before = self.state_of(name).pause
            until = None if asked.until_ms is None else datetime.fromtimestamp(asked.until_ms / 1000, UTC)
            since = self._clock() if before is None else before.since
            self._set(name, pause=Pause(since=since, by=PausedBy.PERSON, why=asked.why, until=until))
        else:
            state = self.state_of(name)
            pause = state.pause
            is_known = state.reported_at is not None or (pause is not None and pause.by is not PausedBy.PERSON)
            if is_known and pause is not None:
                paused_at = self._steady() - (self._clock() - pause.since)
                self._resumed[name] = state.failing_since or paused_at
            if state.failing_since is not None and pause is not None and pause.by is not PausedBy.PERSON:
                self._down.setdefault(name, state.failing_since)
            self._resumed_at[name] = self._steady()
            self._set(name, pause=None, reported_at=None, stretch=None)  # only a success ends that it fails
        self._write(name)

    def _note_expired(self, destination: Destination, delivery: Delivery, reason: str) -> None:
        if destination.retry.on_expiry is OnExpiry.DIGEST and not delivery.is_own:
            self._given_up.note_expired(delivery, reason, self._steady())

    # Notices

    def look(self) -> None:
        """Send the notices that are due, and store the failures that have lasted long enough."""
        now = self._steady()
        for name, state in list(self._states.items()):
            since = state.failing_since
            if since is None:
                continue
            if now - since >= _WORTH_KEEPING:
                self._write(name)
            wanted = self._recipients.of_destination.get(name)
            counts_from = max(since, self._resumed_at.get(name, since))
            is_due = wanted is not None and state.reported_at is None and now - counts_from >= wanted.after
            if is_due and state.pause is None:  # a pause was reported when it began
                self._set(name, reported_at=now)
                self._write(name)
                if name in self._late:  # one outage is one notice
                    self._late[name] = True
                    continue
                reason = self.failures.get(name, "unknown, because forwarder was restarted")
                self._notify(name, notices.FAILING.about(name, time=now - since, reason=reason))
        for name, dead in self._given_up.due_dead(now):
            deliveries = counted(dead.count, "delivery", "deliveries")
            self._set(name, dead_reported_at=now)
            self._write(name)
            self._notify(name, notices.DEAD.about(name, deliveries=deliveries, reason=dead.reason))
        self._send_digests(now, is_last=False)

    def flush_on_stop(self) -> None:
        """Send the digests that are only in memory, because the process ends."""
        self._send_digests(self._steady(), is_last=True)

    def _send_digests(self, now: datetime, *, is_last: bool) -> None:
        ahead = self._clock() - self._steady()
        for name, expired in self._given_up.due_expired(now, is_last=is_last):
            events = counted(expired.count, "event")
            notice = notices.EXPIRED.about(name, events=events, first=expired.first + ahead, last=expired.last + ahead)
            self._post_notice(notice, to=name, made_by="digest")

    def _end_stretch(self, name: DestinationName) -> None:
        self._set(name, stretch=None)
        if self._kept.get(name, UNKNOWN).stretch is not None:  # otherwise a kill now would restore it
            self._write(name)

    def _recover(self, name: DestinationName, now: datetime) -> None:
        state = self.state_of(name)
        self._resumed_at.pop(name, None)
        self._set(name, failing_since=None, reported_at=None, stretch=None)
        self.failures.pop(name, None)
        self._write(name)
        is_reported = state.reported_at is not None or self._late.get(name, False)
        if is_reported:
            self._late.pop(name, None)
        since = self._resumed.pop(name, state.failing_since if is_reported else None)
        if since is not None:
            self._notify(name, notices.RECOVERED.about(name, time=now - since))

    def _report_back(self, name: DestinationName, after: timedelta | None, now: datetime) -> None:
        """Log that a destination is back if it was down; a probe after an edit, a start or a resume of one that was not is no news.

        The time counts from the first failure, also over a pause or a reload; `after` is what the lane knows.
        """
        since = self._down.pop(name, None)
        if since is not None:
            after = max(now - since, timedelta())
        if after is not None:
            log.warning("destination.back", destination=name, after_s=round(after.total_seconds(), 1))

    def notify_of_canary(self, notice: notices.Notice) -> None:
        """Send a notice of a missed canary, or of one that arrives again, unless the outage that it belongs to was, or is, reported."""
        name = DestinationName(notice.about)
        state = self.state_of(name)
        if notice.level is notices.Level.OK:
            is_part_of_failure = self._late.get(name, False) and state.failing_since is not None  # its end is reported
            if not is_part_of_failure and self._late.pop(name, None) is not None:
                self._notify(name, notice)
        elif state.reported_at is None:
            self._late[name] = state.failing_since is not None
            self._notify(name, notice)

    def notify(self, notice: notices.Notice) -> None:
        """Send a notice to whom the `on_failure` of the destination that it is about names."""
        self._notify(DestinationName(notice.about), notice)

    def _notify(self, name: DestinationName, notice: notices.Notice) -> None:
        wanted = self._recipients.of_destination.get(name)
        if wanted is not None:
            self._send(name, notice, to=wanted.to)

    def _report_pause(self, name: DestinationName, pause: Pause) -> None:
        """Report an automatic pause to whom the destination's `on_failure` names, or else to everybody that any `on_failure` names.

        Recipients that are paused themselves are left out, unless all of them are: then they get it when they are resumed.
        """
        own = self._recipients.of_destination.get(name)
        others = [each.to for each in self._recipients.all if each.to != name]
        is_own_paused = own is not None and self.state_of(own.to).pause is not None
        to = others if own is None or is_own_paused else [own.to]
        awake = [each for each in to if self.state_of(each).pause is None]
        notice = notices.PAUSED.about(name, reason=pause.why)
        for each in awake or to:
            self._send(name, notice, to=each)

    def _send(self, name: DestinationName, notice: notices.Notice, *, to: DestinationName) -> None:
        log.info("notice.sent", destination=name, to=to, kind=notice.kind)
        self._post_notice(notice, to=to, made_by="failure notice")

    def _post_notice(self, notice: notices.Notice, *, to: DestinationName, made_by: str) -> None:
        self._number += 1
        self._post(notices.as_event(notice, now=self._clock(), number=self._number), to, made_by)

    # States

    def _set(self, name: DestinationName, **changes: Pause | FailureStretch | datetime | None) -> None:
        self._states[name] = replace(self.state_of(name), **changes)

    def _write(self, name: DestinationName) -> None:
        """Store the state of a destination if it has changed."""
        state = self.state_of(name)
        if self._kept.get(name, UNKNOWN) != state:
            self._kept[name] = state
            self._keep(name, state)


def _log_change(name: DestinationName, event: _OnlyLogged) -> None:
    """Log a change that nothing else follows from."""
    match event:
        case AddressChanged(address=address):
            log.warning(
                "destination.address_changed",
                destination=name,
                note=f"the group has a new number, which is used until forwarder stops; write {address} in the config",
            )
        case ThrottledByReceiver(until=until, reason=reason):
            log.warning(
                "destination.held", destination=name, reason=reason, until=until.isoformat(timespec="seconds"),
                note="the receiver asked to wait",
            )  # fmt: skip
        case LocalOutageBegan(reason=reason):
            log.warning(
                "destination.unreachable_from_here",
                destination=name,
                reason=reason,
                note="local fault; not counted against the destination",
            )
        case LocalOutageEnded():
            log.info("destination.reachable_again", destination=name)


def _log_pause(name: DestinationName, pause: Pause) -> None:
    log.error(
        "destination.paused", destination=name, reason=pause.why, since=pause.since.isoformat(timespec="seconds"),
        note=f"events are queued; when the problem is fixed: forwarder resume {name}",
    )  # fmt: skip
