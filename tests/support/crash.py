"""The oracle of the crash tests: it compares what was sent, what the file held at each look, and what the receivers accepted.

It reads the outbox with SQLite alone and knows the schema, not the code of the daemon, so that a bug cannot be in both.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import monotonic

from forwarder.emulator.receiver import Action, Answer, Received, Receiver
from forwarder.emulator.script import replay
from forwarder.emulator.server import Emulator
from tests.support.process import KEY, PROGRAM, Forwarder, command, forwarder, is_sound, look

DUE_S = 0.5
"""A frame that was sent this long before a fault must be on disk. A commit takes milliseconds; the rest is for a busy machine: `lag_s`
shows how long it took at most."""
_QUICK_RETRIES = "[200ms, 500ms" + ", 1s" * 40 + "]"


def write_config(
    folder: Path,
    *,
    emulator: Emulator,
    receivers: Mapping[str, Receiver],
    outbox: Path,
    outbox_options: str = "",
    stream_options: str = "",
    extra: str = "",
) -> Path:
    """Write a config in which each receiver gets every event and retries are quick; return its path."""
    named = "\n".join(
        f"  {name}:\n    url: {receiver.url}\n    timeout: 5s\n    retry: {{delays: {_QUICK_RETRIES}}}"
        for name, receiver in receivers.items()
    )
    path = folder / "config.yaml"
    path.write_text(
        f"streams:\n  - url: {emulator.ws_url}\n    api_key: {KEY}\n    use_fast_x: true\n{stream_options}"
        f"outbox: {{url: 'sqlite:{outbox}'{outbox_options}}}\ndestinations:\n{named}\n"
        f"routes:\n  - name: everything\n    to: [{', '.join(receivers)}]\n{extra}",
        encoding="utf-8",
    )
    return path


@asynccontextmanager
async def daemon(
    config: Path, *, before: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> AsyncIterator[Forwarder]:
    """Run the daemon, with the command `before` in front of its own; its standard error goes to `complaints(config)`.

    `before` must end by becoming the daemon, so that the process id is that of the daemon. It is killed at the end if it still runs.
    """
    with _complaints(config).open("wb") as stderr:
        async with forwarder(config, env=env, program=(*before, *PROGRAM), stderr=stderr) as running:
            yield running


def complaints(config: Path) -> str:
    """Return what the last run of the daemon wrote to its standard error."""
    return _complaints(config).read_text(encoding="utf-8", errors="replace")


def _complaints(config: Path) -> Path:
    return config.with_suffix(".stderr")


async def until(holds: Callable[[], bool], *, limit_s: float, what: str) -> float:
    """Poll until `holds` is true; return after how many seconds it was. For changes that nothing reports. Raises `TimeoutError`."""
    start = monotonic()
    while not holds():
        if monotonic() - start > limit_s:
            raise TimeoutError(f"not within {limit_s} s: {what}")
        await asyncio.sleep(0.05)
    return monotonic() - start


_LAST_SEND_S = 5.0
"""How long the last send may take. It takes longer where a client reads nothing."""


class Load:
    """Sends endless distinct events at a rate, for as long as the block lasts."""

    def __init__(self, emulator: Emulator, *, rate: float, padding: int = 0) -> None:
        """`rate` is in events per second; `padding` makes each event that many bytes longer."""
        self._emulator = emulator
        self._rate = rate
        more = b'{"padding":"%b",' % (b"x" * padding) if padding else b"{"
        self._frames: Iterator[bytes] = (more + frame.removeprefix(b"{") for _, frame in replay(loop=True))

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Send for the length of the block; frames due while no client is connected are skipped, as on the real stream."""
        ended = asyncio.Event()
        task = asyncio.ensure_future(self._send(ended))
        try:
            yield
        finally:
            ended.set()
            await asyncio.wait(
                [task], timeout=_LAST_SEND_S
            )  # one that is cut off has reached some clients and is counted for none
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def send(self, count: int) -> list[bytes]:
        """Send that many at once; return them."""
        frames = list(islice(self._frames, count))
        for frame in frames:
            await self._emulator.send(frame)
        return frames

    async def _send(self, ended: asyncio.Event) -> None:
        start = monotonic()
        for number, frame in enumerate(self._frames):
            if ended.is_set():
                return
            wait_s = start + number / self._rate - monotonic()
            if wait_s > 0 or number % 32 == 0:
                await asyncio.sleep(max(wait_s, 0))
            with suppress(ConnectionError):
                await self._emulator.send(frame)


def flaky(chance: random.Random) -> Callable[[Received], Answer]:
    """Return the behaviour of a receiver: 10 % 503, some slow, some resets after the body was read, some closing after the 2xx."""
    chance = random.Random(chance.getrandbits(64))  # noqa: S311 - its own, so that it does not change the other random moments

    def respond(_received: Received) -> Answer:
        lot = chance.random()
        if lot < 0.10:
            return Answer(status=503)
        if lot < 0.15:
            return Answer(delay_s=chance.uniform(0.05, 0.4))
        if lot < 0.18:
            return Answer(action=Action.RESET)
        if lot < 0.21:
            return Answer(action=Action.CLOSE_AFTER)
        return Answer()

    return respond


@dataclass
class Oracle:
    """Checks what must be true from one look at the file to the next, and at the end."""

    outbox: Path
    receivers: Mapping[str, Receiver]
    committed: dict[int, bytes] = field(default_factory=dict)
    """The body of each row of `events` that was ever seen, by its number."""
    repeats: int = 0
    lag_s: float = 0.0
    """The longest time between sending the oldest frame that is not on disk and a fault."""
    may_prune: bool = False
    """Whether delivered history may be missing at a later look."""

    def __post_init__(self) -> None:
        self._bodies: set[bytes] = set()

    @property
    def bodies(self) -> set[bytes]:
        """The bodies of all events ever seen in the file."""
        return self._bodies

    def look(self) -> int:
        """Read the new events in the file and check that those seen before are still there; return how many are new."""
        if not self.outbox.exists():
            assert not self.committed, "the file is gone"
            return 0
        last = max(self.committed, default=0)
        tables = look(self.outbox, "SELECT count(*) FROM sqlite_schema WHERE name = 'events'")
        if tables == [(0,)]:
            assert not self.committed, "the events' table is gone"
            return 0
        rows = look(self.outbox, f"SELECT seq, body FROM events WHERE seq > {last}")  # noqa: S608 - a number
        if not self.may_prune:
            ((still,),) = look(self.outbox, f"SELECT count(*) FROM events WHERE seq <= {last}")  # noqa: S608 - a number
            assert still == len(self.committed), f"{len(self.committed) - still} committed events are gone"
        for seq, body in rows:
            self.committed[seq] = body
            self._bodies.add(body)
        return len(rows)

    def forget(self, seq: int) -> None:
        """Forget an event, where it may be lost."""
        self._bodies.discard(self.committed.pop(seq))

    def lost(self) -> list[int]:
        """Return the numbers of events that were in the file before and are not now."""
        now = {seq for (seq,) in look(self.outbox, "SELECT seq FROM events")}
        return sorted(set(self.committed) - now)

    def assert_sound(self) -> None:
        """Assert that the file is intact."""
        assert is_sound(self.outbox), look(self.outbox, "PRAGMA integrity_check")

    def assert_due(self, emulator: Emulator, *, since: int, fault_at: float) -> int:
        """Assert that each frame sent from number `since` on, at least `DUE_S` before the fault, is in the file; return how many."""
        sent = list(islice(emulator.sent, since, None))
        lags = (fault_at - each.at for each in sent if each.frame not in self._bodies)
        self.lag_s = max(self.lag_s, next(lags, 0.0))
        due = [each.frame for each in sent if each.at < fault_at - DUE_S]
        missing = [frame for frame in due if frame not in self._bodies]
        assert not missing, f"{len(missing)} of {len(due)} frames sent {DUE_S} s before the fault are not on disk"
        return len(due)

    def waiting(self) -> int:
        """Return how many deliveries in the file are still open."""
        ((count,),) = look(self.outbox, "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'in_flight')")
        return int(count)

    async def drained(self, *, limit_s: float = 240) -> None:
        """Return once no delivery in the file is open."""
        await until(lambda: self.waiting() == 0, limit_s=limit_s, what="an outbox in which nothing waits")

    def assert_nothing_lost(self) -> None:
        """Assert that what was committed has arrived or is dead with a reason, and that repeats have one id and the same bytes."""
        dead = {
            (destination, seq)
            for destination, seq, reason in look(
                self.outbox, "SELECT destination, event_seq, reason FROM deliveries WHERE status = 'dead'"
            )
            if reason
        }
        claimed = look(self.outbox, "SELECT destination, event_seq FROM deliveries WHERE status = 'delivered'")
        self.repeats = 0
        for name, receiver in self.receivers.items():
            taken = {request.body for request in receiver.requests if request.accepted}
            missing = [seq for seq, body in self.committed.items() if body not in taken and (name, seq) not in dead]
            assert not missing, f"{len(missing)} committed events never reached {name}: {missing[:5]}"
            self.look()  # what is delivered may be newer than the last look
            untrue = [seq for to, seq in claimed if to == name and self.committed.get(seq) not in taken]
            assert not untrue, f"{len(untrue)} deliveries are noted as delivered to {name} and were not"
            self.repeats += _repeats(receiver.requests)


def _repeats(requests: Sequence[Received]) -> int:
    """Return how many accepted requests were repeats; each repeat has the id of the first, and the same bytes."""
    body_of: dict[str, bytes] = {}
    id_of: dict[bytes, str] = {}
    accepted = 0
    for request in requests:
        id_ = request.headers["webhook-id"]
        assert body_of.setdefault(id_, request.body) == request.body, f"{id_} came with other bytes"
        assert id_of.setdefault(request.body, id_) == id_, "one body came under two ids"
        accepted += request.accepted
    return accepted - len({request.body for request in requests if request.accepted})


async def assert_balanced(config: Path) -> None:
    """Assert that everything in the outbox is accounted for, with `forwarder audit`."""
    code, out, err = await command("audit", "-c", str(config))
    assert code == 0, out + err


def seeded(name: str) -> random.Random:
    """Return the random numbers of a test: from `FORWARDER_CRASH_SEED`, or from a new seed. It is printed, so that the test can be repeated."""
    seed = int(os.environ.get("FORWARDER_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    say(f"{name}: FORWARDER_CRASH_SEED={seed}")
    return random.Random(seed)  # noqa: S311 - has to be repeatable


def say(text: str) -> None:
    """Print figures, which pytest shows for a test that failed, and with -s."""
    print(text)  # noqa: T201 - pytest shows it with a failure


def amount(name: str, default: int) -> int:
    """Return how much of a test to run: the environment's number of that name, or the default."""
    return int(os.environ.get(name) or default)
