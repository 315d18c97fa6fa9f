"""Whether a daemon is well: one verdict on a status, with what is wrong, the worst first. Pure.

`forwarder status`, its exit code, the status line of the service and the health checks all show this verdict.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from forwarder.core.counted import counted
from forwarder.core.durations import spell
from forwarder.core.monitoring.condition import DestinationCondition, condition_of
from forwarder.core.monitoring.status import DestinationReport, OutboxReport, StatusReport, StreamReport
from forwarder.core.streams.state import StreamCondition

DOWN_AFTER_S = 30.0
"""How long no stream may be open, or the disk may not answer the writer, before the daemon counts as down."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_LEAVING = {
    "stopping": (
        "forwarder is stopping: nothing is read any more",
        "What is under way is finished first. What still waits is kept, and is sent after the next start.",
    ),
    "handing over": (
        "forwarder is handing over to another process: this one reads nothing any more",
        "The other process answers in a moment.",
    ),
}
"""The states in which the streams are not read any more, and what they mean."""
_NAMED = 3
"""How many names of one kind of trouble are listed."""


class HealthLevel(StrEnum):
    """How well a daemon is."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    """Events come, but a person should look at something."""
    DOWN = "DOWN"
    """Events are missed, or cannot be stored."""


class Concern(msgspec.Struct, frozen=True):
    """Something that is wrong."""

    level: HealthLevel
    what: str
    """What is wrong, as a part of a sentence."""
    advice: str
    """What a person can do, as a sentence; empty if there is nothing to do but to wait."""


class Verdict(msgspec.Struct, frozen=True):
    """How well a daemon is, and why."""

    level: HealthLevel = HealthLevel.OK
    concerns: tuple[Concern, ...] = ()
    """What is wrong, the worst first."""
    paused_by_hand: tuple[str, ...] = ()
    """The destinations that a person has paused. That is no fault, and is easily forgotten."""

    @property
    def line(self) -> str:
        """The verdict in one line: the level, and all that is wrong; if nothing is, which destinations a person has paused."""
        if self.concerns:
            return f"{self.level}: {'; '.join(concern.what for concern in self.concerns)}"
        return f"{self.level} (paused by hand: {_listed(self.paused_by_hand)})" if self.paused_by_hand else self.level

    @property
    def is_down(self) -> bool:
        """Whether events are missed, or cannot be stored."""
        return self.level is HealthLevel.DOWN

    @property
    def advice(self) -> str:
        """What to do about the worst of it; empty if there is nothing to do."""
        return next((concern.advice for concern in self.concerns if concern.advice), "")


def judge(status: StatusReport, *, now: datetime, unrepaired_gaps: int = 0) -> Verdict:
    """Return the verdict on a status.

    `now` is by the wall clock of the machine of the daemon. `unrepaired_gaps` counts the gaps of the last 24 hours of which posts
    may be missing. Raises `ValueError` for a status in which a moment is none.
    """
    inbound = _leaving(status.state) if status.state in _LEAVING else _streams(status, now)
    found = [*inbound, *_outbox(status.outbox), *_destinations(status), *_config(status)]
    if unrepaired_gaps:
        found.append(
            Concern(
                HealthLevel.DEGRADED,
                f"{counted(unrepaired_gaps, 'gap')} of the last 24 h not repaired",
                "forwarder gaps shows them.",
            )
        )
    return _verdict(status, found)


def judge_flow(status: StatusReport, *, now: datetime) -> Verdict:
    """Return the verdict on what events go through alone: streams, outbox and destinations. See `judge`."""
    return _verdict(status, [*_streams(status, now), *_outbox(status.outbox), *_destinations(status)])


def _verdict(status: StatusReport, found: Iterable[Concern]) -> Verdict:
    concerns = tuple(sorted(found, key=lambda concern: concern.level is not HealthLevel.DOWN))
    return Verdict(
        level=concerns[0].level if concerns else HealthLevel.OK,
        concerns=concerns,
        paused_by_hand=tuple(
            name for name, each in status.destinations.items() if condition_of(each) is DestinationCondition.PAUSED
        ),
    )


def is_replaced(stream: StreamReport) -> bool:
    """Return whether another connection with its key replaced the stream: only a person can see to that."""
    return stream.condition != StreamCondition.OPEN and stream.fault == "replaced"


def _leaving(state: str) -> Iterator[Concern]:
    what, advice = _LEAVING[state]
    yield Concern(HealthLevel.DEGRADED, what, advice)


def _streams(status: StatusReport, now: datetime) -> Iterator[Concern]:
    away = {name: stream for name, stream in status.streams.items() if stream.condition != StreamCondition.OPEN}
    if not away:
        return
    replaced = [name for name, stream in away.items() if is_replaced(stream)]
    advice = "The state of the stream says why. Events that are sent now are missed, unless the gap can be repaired."
    if replaced:
        advice = (
            f"Another program uses the same API key: stop it, then run forwarder reconnect {shlex.quote(replaced[0])}."
        )
    if len(away) < len(status.streams):
        yield Concern(HealthLevel.DEGRADED, f"{_named('stream', away)} not open", advice if replaced else "")
        return
    began = max((stream.away_since or status.started_at for stream in away.values()), key=_moment)
    lasts_s = max(0.0, (now - _moment(began)).total_seconds()) if began else 0.0
    level = HealthLevel.DOWN if lasts_s >= DOWN_AFTER_S else HealthLevel.DEGRADED
    yield Concern(level, f"no stream has been open for {spell(timedelta(seconds=round(lasts_s)))}", advice)


def _outbox(outbox: OutboxReport) -> Iterator[Concern]:
    if outbox.stuck_s >= DOWN_AFTER_S:
        yield Concern(
            HealthLevel.DOWN,
            f"the disk of the outbox has not answered for {outbox.stuck_s:.0f} s",
            "Is its file system frozen, its device gone, its network down?",
        )
    elif not outbox.is_ok:
        why = f" ({outbox.trouble})" if outbox.trouble else ""
        yield Concern(
            HealthLevel.DEGRADED,
            f"the outbox cannot be written{why}",
            "Nothing is lost while memory lasts; make room on the disk, or mend it.",
        )


def _destinations(status: StatusReport) -> Iterator[Concern]:
    down: dict[str, DestinationReport] = {}
    for name, destination in status.destinations.items():
        match condition := condition_of(destination):
            case DestinationCondition.PAUSED_ITSELF:
                yield Concern(
                    HealthLevel.DEGRADED,
                    f"{name} has paused itself",
                    f"Once it works again, run forwarder resume {shlex.quote(name)}.",
                )
            case DestinationCondition.REFUSING:
                yield Concern(
                    HealthLevel.DEGRADED,
                    f"{name} {condition} ({destination.last_failure})",
                    f"forwarder dead list --destination {shlex.quote(name)} shows what it says.",
                )
            case _ if condition.is_down:
                down[name] = destination
        if destination.canary is not None and destination.canary.missed and destination.paused is None:
            yield Concern(HealthLevel.DEGRADED, f"a canary of {name} is missing", "")
    if down:
        name, first = next(iter(down.items()))
        last = first.ours or first.last_failure
        why = f" ({last})" if last and len(down) == 1 else ""
        yield Concern(
            HealthLevel.DEGRADED,
            f"{_named('destination', down)} down{why}",
            f"Deliveries are kept and retried. forwarder deliveries --failed --destination {shlex.quote(name)} shows its errors.",
        )


def _config(status: StatusReport) -> Iterator[Concern]:
    if status.config.refused is not None:
        yield Concern(
            HealthLevel.DEGRADED, "the last edit of the config was refused", "forwarder check shows what is wrong."
        )
    if status.config.hangs is not None:
        yield Concern(
            HealthLevel.DEGRADED,
            f"a reload hangs at {status.config.hangs.file}",
            "Does its file system respond?",
        )
    if status.gap_repair_off:
        reason = next(iter(status.gap_repair_off.values()))
        yield Concern(HealthLevel.DEGRADED, f"gaps are not repaired ({reason})", "")
    if status.log.trouble:
        yield Concern(HealthLevel.DEGRADED, f"the log cannot be written ({status.log.trouble})", "")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text) if text else _LONG_AGO


def _named(what: str, names: "dict[str, StreamReport] | dict[str, DestinationReport]") -> str:
    """Return the names of one kind with a verb: `stream main is`, `streams main, second and 2 more are`."""
    return f"{what} {next(iter(names))} is" if len(names) == 1 else f"{what}s {_listed(list(names))} are"


def _listed(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
