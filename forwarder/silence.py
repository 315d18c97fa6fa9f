"""Watches over the streams: one that is away, one that is open and brings nothing, events that are expected and do not come.

A stream that looks open and is dead is what all such programs suffer from most. So silence is told, and the connection renewed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from forwarder.core import notices
from forwarder.core.config import Config
from forwarder.core.config.model import ExpectConfig, StreamConfig
from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.core.matching import Subject
from forwarder.core.ports import Clock
from forwarder.core.stream_state import StreamCondition, StreamState
from forwarder.running_clock import RunningClock
from forwarder.watch import Post

_LOOK_EVERY_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Ear:
    """When something was heard last, of a stream or of what is expected; seconds in which the loop ran: no sleep, no standstill."""

    since: float
    """The beginning of the silence: an event, an opening, or the last renewal for it."""
    is_silent: bool = False
    heard_at: float | None = None


@dataclass(slots=True)
class _Absence:
    """A stream that is not connected."""

    since: datetime
    since_s: float
    is_told: bool = False


class SilenceWatch:
    """Of all streams, and of `expect`."""

    def __init__(
        self,
        *,
        config: Callable[[], Config],
        state_of: Callable[[str], StreamState],
        renew: Callable[[str, str], None],
        post: Post,
        clock: Clock,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        """`config` is the one in force; `renew` has a stream of that name connect anew, for that reason."""
        self._config = config
        self._state_of = state_of
        self._renew = renew
        self._post = post
        self._clock = clock
        self._running_s = RunningClock(_LOOK_EVERY_S)
        self._now_s = self._running_s if now_s is None else now_s
        self._heard: dict[str, float] = {}
        """When each stream brought its last event."""
        self._expected: dict[str, float] = {}
        """When the last event came that meets each expectation."""
        self._streams: dict[str, _Ear] = {}
        self._expectations: dict[str, _Ear] = {}
        self._absences: dict[str, _Absence] = {}
        self._number = 0

    def note_arrival(self, event: Event, stream: str, is_new: bool) -> None:
        """Take note of a copy of an event."""
        now = self._now_s()
        self._heard[stream] = now
        expected = self._config().expect
        if expected and is_new:
            subject = Subject(event, self._clock())
            for each in expected:
                if each.match.matches(subject):
                    self._expected[each.name] = now

    async def run(self) -> None:
        """Look now and then."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._running_s.tick():
                self.look()

    def look(self) -> None:
        """See what is away or silent, and tell it."""
        config = self._config()
        open_names = {stream.name for stream in config.streams if self._state_of(stream.name).is_open}
        for stream in config.streams:
            is_covered = bool(open_names - {stream.name})
            if stream.name in open_names:
                self._note_open(stream)
                self._look_at_stream(stream)
            else:
                self._note_away(stream, is_covered=is_covered)
        if open_names:
            for each in config.expect:
                self._look_at_expected(each, config.streams)
        else:  # nobody expects anything of nothing
            self._expectations.clear()
        _keep(self._streams, [stream.name for stream in config.streams])
        _keep(self._absences, [stream.name for stream in config.streams])
        _keep(self._expectations, [each.name for each in config.expect])

    # Away

    def _note_away(self, stream: StreamConfig, *, is_covered: bool) -> None:
        self._streams.pop(stream.name, None)
        now, now_s = self._clock(), self._now_s()
        absence = self._absences.setdefault(stream.name, _Absence(now, now_s))
        state = self._state_of(stream.name)
        has_yielded = state.condition is StreamCondition.YIELDED
        wanted = stream.on_failure
        if wanted is None or absence.is_told:
            return
        if has_yielded or now_s - absence.since_s >= wanted.after.total_seconds():
            absence.is_told = True
            notice = notices.stream_away(
                stream.name,
                since=absence.since,
                now=now,
                reason=state.reason or "it was not connected yet",
                is_covered=is_covered,
                yielded=has_yielded,
            )
            self._tell(notice, stream)

    def _note_open(self, stream: StreamConfig) -> None:
        absence = self._absences.pop(stream.name, None)
        if absence is not None and absence.is_told:
            self._tell(notices.stream_back(stream.name, after=self._clock() - absence.since), stream)

    # Silent

    def _look_at_stream(self, stream: StreamConfig) -> None:
        name, within = stream.name, stream.expect_event_within
        ear = self._streams.setdefault(name, _Ear(self._now_s()))
        if within is None:
            ear.is_silent = False
            return
        if self._is_heard(ear, self._heard.get(name)):
            log.info("stream.heard_again", stream=name)
            self._tell(notices.heard_again(name, is_stream=True), stream)
        if self._has_been_silent(ear, within):
            sentence = f"no event for {notices.spell(within)}"
            log.warning("stream.silent", stream=name, reason=sentence, note="it is renewed")
            if not ear.is_silent:
                self._tell(notices.silent(name, within=within, is_stream=True), stream)
            ear.is_silent = True
            self._renew(name, sentence)

    def _look_at_expected(self, expected: ExpectConfig, streams: Sequence[StreamConfig]) -> None:
        name, within = expected.name, expected.within
        ear = self._expectations.setdefault(name, _Ear(self._now_s()))
        if self._is_heard(ear, self._expected.get(name)):
            log.info("expect.heard_again", expect=name)
            self._tell(notices.heard_again(name, is_stream=False), expected)
        if self._has_been_silent(ear, within):
            sentence = f"none of the events expected as {name} for {notices.spell(within)}"
            log.warning("expect.missing", expect=name, reason=sentence, note="all streams are renewed")
            if not ear.is_silent:
                self._tell(notices.silent(name, within=within, is_stream=False), expected)
            ear.is_silent = True
            for stream in streams:
                self._renew(stream.name, sentence)

    def _is_heard(self, ear: _Ear, heard_at: float | None) -> bool:
        """Take the last event; return whether it ends a silence that was told."""
        if heard_at is None or heard_at == ear.heard_at:
            return False
        ear.heard_at = heard_at
        ear.since = max(ear.since, heard_at)
        was_silent, ear.is_silent = ear.is_silent, False
        return was_silent

    def _has_been_silent(self, ear: _Ear, within: timedelta) -> bool:
        now = self._now_s()
        if now - ear.since < within.total_seconds():
            return False
        ear.since = now
        return True

    # Whom it tells

    def _tell(self, notice: notices.Notice, of: StreamConfig | ExpectConfig) -> None:
        wanted = of.on_failure
        settings = None if wanted is None else self._config().destinations.get(wanted.to)
        if wanted is None or settings is None or not settings.enabled:
            return
        self._number += 1
        log.info("notice.sent", about=notice.about, to=wanted.to, kind=notice.kind)
        event = notices.as_event(notice, now=self._clock(), number=self._number)
        self._post(event, DestinationName(wanted.to), "failure notice")


def _keep(of: dict[str, _Ear] | dict[str, _Absence], names: Sequence[str]) -> None:
    for name in of.keys() - set(names):
        del of[name]
