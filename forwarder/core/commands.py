"""The requests of the control socket of a running daemon, and the result of a change to deliveries.

If no daemon runs, the commands make a `Change` and a `Vacuum` in the outbox file themselves. All other requests (status, reload, diff,
reconnect, upgrade and takeover) are only for a daemon. Replays and changes of dead letters are made in slices: each slice is one
transaction, and its result says where the next slice begins.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SLICE = 500
"""Deliveries that one slice changes at most."""

HIGHEST_RATE = 100_000
"""The highest number of deliveries per second, and the highest multiple of the original speed, that a replay may ask for."""
_Rate = Annotated[float, Field(gt=0, le=HIGHEST_RATE)]
_Whole = Annotated[int, Field(ge=0, le=1 << 53)]
"""What SQLite and JSON hold alike."""
_Pid = Annotated[int, Field(ge=1, le=1 << 22)]
"""The largest number that Linux gives a process."""


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class _Spread(_Request):
    """When the deliveries fall due: from `start_ms` on, `rate` a second, the first of this slice as number `position`."""

    start_ms: _Whole
    rate: _Rate
    position: _Whole = 0

    def due_ms(self, index: int) -> int:
        """Return when the delivery with this index in the slice is due, in Unix milliseconds."""
        return self.start_ms + round((self.position + index) * 1000 / self.rate)


class Replay(_Spread):
    """Deliver events of the history to a destination (again). What waits for it already is left alone."""

    verb: Literal["replay"] = "replay"
    to: str
    since_ms: _Whole
    until_ms: _Whole
    route: str | None = None
    source: str | None = None
    missing: bool = False
    """Leave alone what the destination has got."""
    after_seq: _Whole = 0
    """The last event of the slice before."""
    speed: _Rate | None = None
    """How many times faster than they came the deliveries fall due, with the original spacing; then `rate` and `position` have no effect."""
    begins_ms: _Whole | None = None
    """With `speed`: when the first of all slices was accepted, which is due at `start_ms`. `None` until it is known."""

    def spaced_due_ms(self, accepted_ms: int, *, begins_ms: int, speed: float) -> int:
        """Return when a delivery of an event accepted then is due, in Unix milliseconds, with the original spacing."""
        return self.start_ms + round(max(accepted_ms - begins_ms, 0) / speed)


class DeadLetterChange(_Spread):
    """Try dead letters again, or drop them."""

    verb: Literal["dead_replay", "dead_drop"]
    keys: Annotated[tuple[tuple[_Whole, str], ...], Field(max_length=SLICE, strict=False)] | None = None
    """Of these only, by the number of the event and the destination."""
    destination: str | None = None
    route: str | None = None
    """The route that chose the destination."""
    reason: str | None = None
    """The whole reason why it died; empty: it died of none."""
    since_ms: _Whole
    until_ms: _Whole
    """When it died. Letters that die later are left out: one that dies again would come again and again."""


class Resend(_Request):
    """Deliver these events to these destinations again, now, whatever their outcome was. What is in flight is left alone."""

    verb: Literal["resend"] = "resend"
    keys: Annotated[tuple[tuple[_Whole, str], ...], Field(min_length=1, max_length=SLICE, strict=False)]
    """By the number of the event and the destination."""
    now_ms: _Whole


class Forget(_Request):
    """Delete these events with all that belongs to them. The daemon leaves alone what it still has to deliver."""

    verb: Literal["forget"] = "forget"
    seqs: Annotated[tuple[_Whole, ...], Field(min_length=1, max_length=SLICE, strict=False)]
    """The numbers of the events."""
    bodies: Annotated[tuple[str, ...], Field(max_length=SLICE, strict=False)] = ()
    """What these events get as their bodies, if they are not to be deleted. Only without a daemon, which has some in memory."""
    now_ms: _Whole


class Vacuum(_Request):
    """Give free pages of the file back to the disk."""

    verb: Literal["vacuum"] = "vacuum"


class StatusRequest(_Request):
    """Say how it goes."""

    verb: Literal["status"] = "status"


class MetricsRequest(_Request):
    """Write the metrics for Prometheus."""

    verb: Literal["metrics"] = "metrics"


class Reload(_Request):
    """Read the config again and activate it."""

    verb: Literal["reload"] = "reload"


class Diff(_Request):
    """Report what activating a config would change."""

    verb: Literal["diff"] = "diff"
    file: str
    """Absolute; the daemon reads it."""


class Announce(_Request):
    """A process is about to take over: it opens the streams as well. One at a time; nothing changes yet."""

    verb: Literal["announce_takeover"] = "announce_takeover"
    pid: _Pid
    outbox: str
    """Absolute: the file that it wants."""


class RequestHandover(_Request):
    """The announced process holds the streams: end, and leave it the outbox."""

    verb: Literal["hand_over"] = "hand_over"
    pid: _Pid


class ReportFirstEvents(_Request):
    """What the announced process has received first, so that the other one knows how far it has to read its own connections."""

    verb: Literal["first_events"] = "first_events"
    pid: _Pid
    streams: dict[str, Annotated[tuple[str, ...], Field(max_length=1000, strict=False)]]
    """By the names of its open streams: the ids of their first events."""


class Upgrade(_Request):
    """Start a successor from the program on disk, and hand over to it."""

    verb: Literal["upgrade"] = "upgrade"


class Reconnect(_Request):
    """Open a new connection for a stream, or for all, and close the old one once it is open."""

    verb: Literal["reconnect"] = "reconnect"
    stream: str | None = None


class LogLevelChange(_Request):
    """Write the log at another level from now on, or for a time; without a level, say which one it is."""

    verb: Literal["log_level"] = "log_level"
    level: Literal["debug", "info", "warning", "error"] | None = None
    for_s: Annotated[float, Field(gt=0, le=366 * 86_400)] | None = None
    """After so many seconds it is again the level that it had at the start."""


class SendCanary(_Request):
    """Send the next canary of a destination now."""

    verb: Literal["canary"] = "canary"
    destination: str


class PauseChange(_Request):
    """Send nothing to a destination until it is resumed or a time has come, and keep everything meant for it; or go on."""

    verb: Literal["pause", "resume"]
    destination: str
    why: Annotated[str, Field(max_length=500)] = ""
    now_ms: _Whole
    until_ms: _Whole | None = None
    """When a pause ends by itself, by the wall clock."""


class Watch(_Request):
    """Show what passes from now on: the connection becomes a stream of lines, until one side ends it."""

    verb: Literal["watch"] = "watch"
    source: str | None = None
    destination: str | None = None
    route: str | None = None
    failed: bool = False
    """Only the attempts that failed."""
    with_body: bool = False
    """Send the events' bodies as well, for whoever tests them by a condition."""


ALIVE = b'{"event":"alive"}'
"""The line that who watches gets from time to time when nothing passes."""
END = b'{"event":"end"}'
"""The last line that who watches gets where the daemon stops."""

Change = Replay | DeadLetterChange | PauseChange | Resend | Forget
Succession = Announce | RequestHandover | ReportFirstEvents | Upgrade
_Single = (
    Replay
    | DeadLetterChange
    | PauseChange
    | Resend
    | Forget
    | Vacuum
    | StatusRequest
    | MetricsRequest
    | Reload
    | Reconnect
    | SendCanary
    | LogLevelChange
    | Diff
    | Succession
)
Request = Annotated[_Single, Field(discriminator="verb")]
"""A request that has one answer."""
AnyRequest = Annotated[_Single | Watch, Field(discriminator="verb")]


class Changed(BaseModel):
    """What one slice did."""

    model_config = ConfigDict(frozen=True)

    changed: int
    left_alone: int
    """Already waiting, or already delivered where that was asked."""
    destinations: tuple[str, ...]
    """Of the changed ones."""
    last_seq: int
    is_last: bool
    begins_ms: int | None = None
    """Of a replay with `speed`: the next slice's `begins_ms`."""


class _Answer(BaseModel):
    """An answer of a daemon, which may be of another version: what is unknown is kept."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


class ReloadAnswer(_Answer):
    """The result of a reload, or what one would do."""

    applied: bool
    file: str = ""
    digest: str = ""
    changed: bool = False
    plan: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    failing_tests: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ReconnectResult(_Answer):
    """The streams that reconnect."""

    streams: tuple[str, ...]


class LogLevelAnswer(_Answer):
    """The level of the log."""

    level: str
    until: str | None = None
    """When it ends by itself; `None` where it does not."""
    at_start: str
    """The level that the daemon was started with, which is active again then."""


class VacuumAnswer(_Answer):
    """What one slice of a vacuum has freed; 0 at the end."""

    freed_bytes: _Whole


class MetricsAnswer(_Answer):
    """The metrics."""

    text: str
    """In Prometheus' text format."""


class UpgradeAnswer(_Answer):
    """The process that takes over, and the one that is replaced."""

    successor: int
    pid: int
    version: str


class AnnounceAnswer(_Answer):
    """The daemon that is about to be replaced."""

    pid: int
    open_streams: tuple[str, ...]


class HandoverAnswer(_Answer):
    """How long the daemon may take to end."""

    within_s: Annotated[float, Field(ge=0, le=86_400)]


class RequestRefusedError(Exception):
    """A request that cannot be done now; the text says why."""
