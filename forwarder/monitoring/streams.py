"""Reports streams that are disconnected or silent, and expected events that do not arrive.

A connection can look open and be dead. So a silence that is too long is reported, and the connection is replaced.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from forwarder.clocks.periodic import periodic
from forwarder.clocks.running_clock import RunningClock
from forwarder.core.config.model.stream import ExpectConfig, StreamConfig
from forwarder.core.config.runtime import ActiveConfig
from forwarder.core.delivery import DestinationName
from forwarder.core.durations import spell
from forwarder.core.monitoring import notices
from forwarder.core.ports import Clock
from forwarder.core.streams.state import StreamCondition, StreamStates
from forwarder.monitoring.destinations import Post

_LOOK_EVERY = timedelta(seconds=1)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _SilenceTimer:
    """How long a stream, or an expectation, has received nothing. Times are seconds in which the loop ran, without sleep or standstill."""

    since: float
    """When the silence began: the last event, the opening of the connection, or the last reconnect because of this silence."""
    is_silent: bool = False
    """Whether the silence has been reported."""
    events: int = 0
    """How many events had come when they were last counted."""


@dataclass(slots=True)
class _Absence:
    """Since when a stream is not connected, and whether that was reported."""

    since: datetime
    since_s: float
    is_reported: bool = False


class StreamWatchdog:
    """Reports streams that are away or silent, and expected events that do not come; renews silent connections."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        states: StreamStates,
        met: Mapping[str, int],
        renew: Callable[[str, str], None],
        post: Post,
        clock: Clock,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        """`met` counts how many events met each expectation, as `states` counts those of each stream.

        `renew` is called with the name of a stream and a reason; it replaces the connection of that stream.
        """
        self._active = active
        self._states = states
        self._met = met
        self._renew = renew
        self._post = post
        self._clock = clock
        self._running_s = RunningClock(_LOOK_EVERY)
        self._now_s = self._running_s if now_s is None else now_s
        self._streams: dict[str, _SilenceTimer] = {}
        self._expectations: dict[str, _SilenceTimer] = {}
        self._absences: dict[str, _Absence] = {}
        self._number = 0

    async def run(self) -> None:
        """Check the streams each second, until cancelled."""
        await periodic(_LOOK_EVERY, self._look_unless_late)

    def _look_unless_late(self) -> None:
        if self._running_s.tick():
            self.look()

    def look(self) -> None:
        """Check which streams are disconnected or silent, and report them."""
        config = self._active.config
        open_names = {stream.name for stream in config.streams if self._states.of(stream.name).is_open}
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
        else:  # without an open stream no event can arrive: what was reported lasts, and no other time passes
            for name, timer in list(self._expectations.items()):
                if timer.is_silent:
                    timer.since = self._now_s()
                else:
                    del self._expectations[name]
        _keep(self._streams, [stream.name for stream in config.streams])
        _keep(self._absences, [stream.name for stream in config.streams])
        _keep(self._expectations, [each.name for each in config.expect])

    # Disconnected

    def _note_away(self, stream: StreamConfig, *, is_covered: bool) -> None:
        now, now_s = self._clock(), self._now_s()
        silence = self._streams.get(stream.name)
        is_known = silence is not None and silence.is_silent
        if silence is not None and is_known:
            silence.since = now_s  # it lasts until an event comes; its time counts from the next connection
        else:
            self._streams.pop(stream.name, None)
        absence = self._absences.setdefault(stream.name, _Absence(now, now_s))
        state = self._states.of(stream.name)
        has_yielded = state.condition is StreamCondition.YIELDED
        wanted = stream.on_failure
        if wanted is None or absence.is_reported or (is_known and not has_yielded):  # one outage is one notice
            return
        if has_yielded or now_s - absence.since_s >= wanted.after.total_seconds():
            absence.is_reported = True
            template = notices.STREAM_AWAY_COVERED if is_covered else notices.STREAM_AWAY
            notice = template.about(
                stream.name,
                time=now - absence.since,
                reason=state.reason or "it has not been connected yet",
                retry=notices.YIELDED if has_yielded else "",
            )
            self._notify(notice, stream)

    def _note_open(self, stream: StreamConfig) -> None:
        absence = self._absences.pop(stream.name, None)
        if absence is not None and absence.is_reported:
            self._notify(notices.STREAM_BACK.about(stream.name, time=self._clock() - absence.since), stream)

    # Silent

    def _look_at_stream(self, stream: StreamConfig) -> None:
        name, within = stream.name, stream.expect_event_within
        timer = self._streams.setdefault(name, _SilenceTimer(self._now_s()))
        if within is None:
            timer.is_silent = False
            return
        if self._ends_silence(timer, self._states.of(name).events):
            log.info("stream.heard_again", stream=name)
            self._notify(notices.STREAM_HEARD_AGAIN.about(name), stream)
        if self._has_been_silent(timer, within):
            sentence = f"no event for {spell(within)}"
            log.warning("stream.silent", stream=name, reason=sentence, note="reconnecting it")
            if not timer.is_silent:
                self._notify(notices.STREAM_SILENT.about(name, time=within), stream)
            timer.is_silent = True
            self._renew(name, sentence)

    def _look_at_expected(self, expected: ExpectConfig, streams: Sequence[StreamConfig]) -> None:
        name, within = expected.name, expected.within
        timer = self._expectations.setdefault(name, _SilenceTimer(self._now_s()))
        if self._ends_silence(timer, self._met.get(name, 0)):
            log.info("expect.heard_again", expect=name)
            self._notify(notices.EXPECT_HEARD_AGAIN.about(name), expected)
        if self._has_been_silent(timer, within):
            sentence = f"none of the events expected as {name} for {spell(within)}"
            log.warning("expect.missing", expect=name, reason=sentence, note="reconnecting all streams")
            if not timer.is_silent:
                self._notify(notices.EXPECT_SILENT.about(name, time=within), expected)
            timer.is_silent = True
            for stream in streams:
                self._renew(stream.name, sentence)

    def _ends_silence(self, timer: _SilenceTimer, events: int) -> bool:
        """Note how many events have come so far; return whether one of them ends a silence that was reported."""
        if events == timer.events:
            return False
        timer.events, timer.since = events, self._now_s()
        was_silent, timer.is_silent = timer.is_silent, False
        return was_silent

    def _has_been_silent(self, timer: _SilenceTimer, within: timedelta) -> bool:
        now = self._now_s()
        if now - timer.since < within.total_seconds():
            return False
        timer.since = now
        return True

    # Notices

    def _notify(self, notice: notices.Notice, of: StreamConfig | ExpectConfig) -> None:
        wanted = of.on_failure
        settings = None if wanted is None else self._active.config.destinations.get(wanted.to)
        if wanted is None or settings is None or not settings.enabled:
            return
        self._number += 1
        log.info("notice.sent", about=notice.about, to=wanted.to, kind=notice.kind)
        event = notices.as_event(notice, now=self._clock(), number=self._number)
        self._post(event, DestinationName(wanted.to), "failure notice")


def _keep(of: dict[str, _SilenceTimer] | dict[str, _Absence], names: Sequence[str]) -> None:
    for name in of.keys() - set(names):
        del of[name]
