"""How soon a receiver that is back gets something, and what it gets of the time in which it was away.

    python -m benchmarks.outage [--lengths 1 5 20 60 300] [--kinds refuses 503 hangs] [--every 7] [--folder DISK] [--json FILE]

The daemon and the plain script each send to a receiver of their own, which takes everything, then is away for so many seconds (its port
refuses connections, it answers 503, or it takes requests and says nothing), then takes everything again. An event comes a tenth of a
second after it has gone, and then one every seven seconds: news is rare, and what shows is who asks again, and when.
The measured times are compared with computed ones: when Svix and Alertmanager, by their schedules, would deliver an event that came
when the outage began. It takes as long as the longest outage and half a minute more. Exit code 1: the daemon was later than
`max(1 s, 5 %)` of an outage (half a minute at most, and the timeout of an attempt where the receiver hangs), or an event did not arrive.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate, count
from pathlib import Path
from typing import Literal

from benchmarks import rig
from benchmarks.rig import BenchmarkError
from forwarder.emulator.receiver import Action, Answer, Receiver
from forwarder.emulator.server import Emulator

KEY = "benchmark-key"
SUBJECTS = ("daemon", "script")
LENGTHS_S = (1.0, 5.0, 20.0, 60.0, 300.0)
KINDS = ("refuses", "503", "hangs")
_AT_ONCE = 12
"""Runs at the same time; each waits nearly all the time."""
_FIRST_AFTER_S = 0.1
_BUSY_S = 0.25
"""What a busy machine may add to a bound before it counts as missed."""
_TIMEOUT_S = 5.0
"""Of one attempt: the default of a destination."""
_SVIX_S = (0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000)
"""Waits before its attempts (docs.svix.com/retries)."""
_ALERTMANAGER = 0.5, 1.5, 60.0
"""First wait, growth and longest wait of the exponential backoff that it retries with, here without its spread of ±50 %
(github.com/cenkalti/backoff, `NewExponentialBackOff`, used in Alertmanager's `notify/retry_stage.go`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The result of one run; times in seconds after the receiver was back."""

    first_s: float | None
    """The first delivery of any event; `None`: none came for two minutes."""
    oldest_s: float | None
    """That of the first event of the outage; `None`: never."""
    all_s: float | None
    """Until it had every event of the outage; `None`: never."""
    sent: int
    lost: int


def bound_s(outage_s: float, kind: str) -> float:
    """Return how late the first delivery may be. Where a receiver hangs, an attempt is not given up before its timeout."""
    bound = min(max(1.0, 0.05 * outage_s), 30.0)
    return max(bound, _TIMEOUT_S) if kind == "hangs" else bound


def late_s(waits_s: Sequence[float], outage_s: float) -> float:
    """Return how long after an outage the first attempt comes that is made after these waits, one after the other."""
    return next((at - outage_s for at in accumulate(waits_s) if at >= outage_s), float("inf"))


def alertmanager_waits_s() -> list[float]:
    first, growth, longest = _ALERTMANAGER
    return [0.0, *(min(first * growth**number, longest) for number in range(40))]


@asynccontextmanager
async def _process(arguments: Sequence[str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *arguments), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 30)
        except TimeoutError:
            process.kill()
            await process.wait()


def _arguments(subject: str, folder: Path, emulator: Emulator, receiver: Receiver) -> list[str]:
    if subject == "script":
        return ["benchmarks.plain_script", emulator.ws_url, KEY, receiver.url]
    config = folder / "config.yaml"
    config.write_text(
        f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}}}]\n"
        f"outbox: {{url: 'sqlite://{folder}/outbox.db'}}\n"
        f"destinations: {{bot: {{url: '{receiver.url}'}}}}\nroutes: [{{to: [bot]}}]\n",
        encoding="utf-8",
    )
    return rig.daemon_arguments(config, "info")


async def _run(subject: str, kind: str, outage_s: float, settings: argparse.Namespace) -> Figures:
    sent: dict[int, float] = {}
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:

        async def send(number: int) -> None:
            body = f'{{"mid":"{number}","sid":"1","source":"x","timestamp":1,"payload":{{"text":"{number}"}}}}'
            await emulator.send(body)
            sent[number] = time.monotonic()

        async def go_on() -> None:
            await asyncio.sleep(_FIRST_AFTER_S)
            for number in count(2):
                await send(number)
                await asyncio.sleep(settings.every)

        with rig.fresh_folder(settings.folder) as folder:
            async with _process(_arguments(subject, folder, emulator, receiver)):
                await emulator.wait_connected(timeout=60)
                await send(1)
                await receiver.wait_for(1, timeout=60)
                went_at = time.monotonic()
                await _go(receiver, kind)
                sending = asyncio.ensure_future(go_on())
                try:
                    await asyncio.sleep(went_at + outage_s - time.monotonic())
                    before = receiver.accepted
                    back_at = time.monotonic()
                    await _come_back(receiver, kind)
                    missed = [number for number, at in sent.items() if went_at <= at < back_at]
                    with suppress(TimeoutError):
                        await receiver.wait_until(lambda receiver: receiver.accepted > before, timeout=120)
                        limit_s = 10 if subject == "script" else 60
                        await receiver.wait_until(
                            lambda receiver: set(missed) <= _taken(receiver).keys(), timeout=limit_s
                        )
                finally:
                    sending.cancel()
        taken = _taken(receiver)
        after = [at for at in taken.values() if at >= back_at]
        times = [taken[number] - back_at for number in missed if number in taken]
        return Figures(
            first_s=min(after) - back_at if after else None,
            oldest_s=taken[missed[0]] - back_at if missed and missed[0] in taken else None,
            all_s=max(times, default=0.0) if len(times) == len(missed) else None,
            sent=len(missed),
            lost=len(missed) - len(times),
        )


async def _go(receiver: Receiver, kind: str) -> None:
    match kind:
        case "refuses":
            await receiver.stop_listening()
        case "503":
            receiver.status = 503
        case _:
            receiver.respond = lambda _: Answer(action=Action.HANG)


async def _come_back(receiver: Receiver, kind: str) -> None:
    receiver.respond, receiver.status = None, 200
    if kind == "refuses":
        await receiver.start_listening()


def _taken(receiver: Receiver) -> dict[int, float]:
    """Return when each event was first taken."""
    taken: dict[int, float] = {}
    for request in receiver.requests:
        if request.accepted:
            taken.setdefault(int(json.loads(request.body)["mid"]), request.at)
    return taken


async def _run_all(settings: argparse.Namespace) -> dict[tuple[str, float, str], Figures]:
    found: dict[tuple[str, float, str], Figures] = {}
    free = asyncio.Semaphore(_AT_ONCE)

    async def run(kind: str, outage_s: float, subject: str) -> None:
        async with free:
            figures = found[kind, outage_s, subject] = await _run(subject, kind, outage_s, settings)
            print(f"{subject}, {kind}, {outage_s:g} s: {figures}", file=sys.stderr, flush=True)

    async with asyncio.TaskGroup() as group:
        for outage_s in sorted(settings.lengths, reverse=True):
            for kind in settings.kinds:
                for subject in SUBJECTS:
                    group.create_task(run(kind, outage_s, subject))
    return found


def _shown(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"


def main() -> Literal[0, 1]:
    parser = argparse.ArgumentParser(description="Measure how soon a receiver that is back gets something.")
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS_S, help="outages, in seconds")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="how the receiver is away")
    parser.add_argument("--every", type=float, default=7.0, help="seconds from event to event (default 7)")
    parser.add_argument(
        "--folder", type=Path, help="where outboxes are made: a real disk (default: the temporary folder)"
    )
    parser.add_argument("--json", type=Path, help="write the results there")
    settings = parser.parse_args()
    machine = rig.describe_machine(settings.folder)
    print("; ".join(f"{name} {value}" for name, value in machine.items()) + "\n", flush=True)
    found = asyncio.run(_run_all(settings))
    rows, is_missed = [], False
    for kind in settings.kinds:
        for outage_s in settings.lengths:
            daemon, script = (found[kind, outage_s, subject] for subject in SUBJECTS)
            is_late = daemon.first_s is None or daemon.first_s > bound_s(outage_s, kind) + _BUSY_S
            is_missed = is_missed or is_late or daemon.lost > 0
            rows.append([
                kind, f"{outage_s:g}", _shown(bound_s(outage_s, kind)),
                _shown(daemon.first_s), _shown(daemon.oldest_s), _shown(daemon.all_s), f"{daemon.lost} of {daemon.sent}",
                _shown(script.first_s), f"{script.lost} of {script.sent}",
                _shown(late_s(_SVIX_S, outage_s)), _shown(late_s(alertmanager_waits_s(), outage_s)),
            ])  # fmt: skip
    header = ["receiver", "away, s", "bound, s", "daemon: first, s", "its oldest, s", "all, s", "lost"]
    header += ["script: first, s", "lost", "Svix: oldest, s", "Alertmanager: oldest, s"]
    rig.print_table(header, rows)
    if settings.json is not None:
        rig.write_json(
            settings.json, {"machine": machine, "rows": [dict(zip(header, row, strict=True)) for row in rows]}
        )
    if is_missed:
        raise BenchmarkError("the daemon was later than its bound, or lost an event")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
