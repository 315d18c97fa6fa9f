"""`forwarder emulate`: runs a local emulator of scrape.st, to test a config and its handling of faults."""

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta

from rich.text import Text

from forwarder.cli import exit_codes, output
from forwarder.cli.arguments.emulate import DEFAULT_RATE
from forwarder.cli.listing import now_ms
from forwarder.cli.locations import report_errors
from forwarder.cli.outbox_file import open_outbox_file
from forwarder.cli.recording import Recording
from forwarder.clocks.periodic import periodic
from forwarder.clocks.wall_clock import utc_now
from forwarder.core.counted import counted
from forwarder.core.durations import spell
from forwarder.emulator.faults import GARBAGE
from forwarder.emulator.script import Fresh, packaged_events, play, read_events, replay
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.emulator.state import ServerChange

_PROGRESS_EVERY = timedelta(seconds=10)
_STYLES = {
    ServerChange.CONNECTED: "green",
    ServerChange.DISCONNECTED: "yellow",
    ServerChange.REFUSED: "red",
    ServerChange.FAULT: "magenta",
}


def run(arguments: argparse.Namespace) -> int:
    """Emulate until a signal, or until done, and return the exit code."""
    parser: argparse.ArgumentParser = arguments.parser
    if arguments.hang_for is not None and arguments.hang_at is None:
        parser.error("argument --hang-for: needs --hang-at")
    if arguments.exit_when_done and arguments.loop and arguments.count is None:
        parser.error("argument --exit-when-done: with --loop it also needs --count")
    if arguments.outbox is not None:
        return _run_recorded(arguments)
    if arguments.speed is not None or arguments.since is not None or arguments.until is not None:
        parser.error("--speed, --since and --until need --from")
    try:
        frames = None if arguments.events is None else read_events(arguments.events)
    except OSError as error:
        parser.error(f"argument --events: {arguments.events}: {error.strerror}")
    except ValueError as error:
        parser.error(f"argument --events: {arguments.events}: {error}")
    fresh = None if arguments.fixed else Fresh(frames or packaged_events(), started=utc_now())
    once = arguments.once or (arguments.exit_when_done and not arguments.loop)
    script = replay(
        frames,
        rate=None if arguments.burst else arguments.rate or DEFAULT_RATE,
        count=arguments.count,
        loop=arguments.count is None and not once,
    )
    return asyncio.run(_emulate(arguments, script, fresh))


@report_errors
def _run_recorded(arguments: argparse.Namespace) -> int:
    """Emulate with the history of an outbox."""
    parser: argparse.ArgumentParser = arguments.parser
    if arguments.rate is not None or arguments.burst:
        parser.error(
            "--rate and --burst do not go with --from: its events come as they came; write --speed 60x, or --speed max"
        )
    since_ms = 0 if arguments.since is None else arguments.since
    until_ms = now_ms() if arguments.until is None else arguments.until
    if since_ms >= until_ms:
        parser.error("argument --until: must be later than --since")
    with open_outbox_file(arguments.outbox, option="--from") as history:
        recording = Recording(history, since_ms=since_ms, until_ms=until_ms)
        if not recording.count:
            parser.error(f"argument --from: {arguments.outbox} has no events of that time that could be sent")
        speed = 1.0 if arguments.speed is None else arguments.speed
        _introduce(recording, speed)
        fresh = None if arguments.fixed else Fresh(recording, started=utc_now())
        script = recording.script(speed=speed, count=arguments.count, loop=arguments.loop)
        return asyncio.run(_emulate(arguments, script, fresh))


def _introduce(recording: Recording, speed: float) -> None:
    """Say on standard error what will be sent."""
    pace = (
        "as fast as clients read them"
        if speed == math.inf
        else f"in {spell(timedelta(seconds=recording.lasts_s / speed))}"
    )
    left_out = f"; {counted(recording.left_out, 'cut or unreadable event')} left out" if recording.left_out else ""
    print(f"{counted(recording.count, 'recorded event')}, {pace}, each marked as replayed{left_out}", file=sys.stderr)


async def _emulate(arguments: argparse.Namespace, script: Iterator[tuple[float, bytes]], fresh: Fresh | None) -> int:
    stop = output.stop_on_signals()
    out = output.LineOutput(as_json=arguments.json, on_broken_pipe=stop.set)
    emulator = Emulator(
        EmulatorSettings(host=arguments.host, port=arguments.port, record=False),
        api_key=arguments.key,
        on_change=lambda change, facts: _show(out, change, facts),
    )
    try:
        await emulator.__aenter__()
    except OSError as error:
        print(output.cannot_listen(arguments.host, arguments.port, error), file=sys.stderr)
        return exit_codes.FAILURE

    async def replay_to_end() -> None:
        await _replay(arguments, script, fresh, emulator, out)
        if arguments.exit_when_done:
            stop.set()

    try:
        _greet(out, emulator, arguments.key)
        if arguments.refuse is not None:
            emulator.refuse(arguments.refuse)
        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(replay_to_end()),
                group.create_task(_progress(emulator, out)),
                group.create_task(_drop(arguments, emulator)),
                group.create_task(_hang(arguments, emulator)),
            ]
            await stop.wait()
            for task in work:
                task.cancel()
        out.say(Text(f"done: {_summary(emulator.counters())}", style="bold"))
        out.record("summary", **emulator.counters())
    finally:
        await emulator.__aexit__()
    if out.broken:
        raise BrokenPipeError
    return exit_codes.OK


async def _replay(
    arguments: argparse.Namespace,
    script: Iterator[tuple[float, bytes]],
    fresh: Fresh | None,
    emulator: Emulator,
    out: output.LineOutput,
) -> None:
    if arguments.wait_for_client:
        await emulator.wait_connected(timeout=float("inf"))
    played = 0

    async def send(frame: bytes) -> None:
        nonlocal played
        await emulator.send(frame if fresh is None else fresh.frame(frame, utc_now()))
        played += 1
        if arguments.garbage_every is not None and played % arguments.garbage_every == 0:
            await emulator.garbage()

    started = time.monotonic()
    await play(script, send)
    out.say(f"{_now()} replayed {counted(played, 'event')} in {time.monotonic() - started:.1f} s")
    out.record("replayed", events=played, seconds=round(time.monotonic() - started, 3))


async def _progress(emulator: Emulator, out: output.LineOutput) -> None:
    last = emulator.counters()

    def look() -> None:
        nonlocal last
        counters = emulator.counters()
        if counters != last:
            rate = (counters["sent"] - last["sent"]) / _PROGRESS_EVERY.total_seconds()
            out.say(Text(f"{_now()} {_summary(counters)}, {rate:,.0f}/s", style="dim"))
            out.record("progress", **counters)
        last = counters

    await periodic(_PROGRESS_EVERY, look)


async def _drop(arguments: argparse.Namespace, emulator: Emulator) -> None:
    async def drop() -> None:
        if emulator.connections:
            await emulator.drop()

    if arguments.drop_every is not None:
        await periodic(timedelta(seconds=arguments.drop_every), drop)


async def _hang(arguments: argparse.Namespace, emulator: Emulator) -> None:
    if arguments.hang_at is not None:
        await emulator.wait_connected(timeout=float("inf"))
        await asyncio.sleep(arguments.hang_at)
        emulator.hang(60.0 if arguments.hang_for is None else arguments.hang_for)


def _greet(out: output.LineOutput, emulator: Emulator, key: str) -> None:
    out.record("listening", url=emulator.url, ws_url=emulator.ws_url)
    # JSON is YAML, so a key with any character can be pasted.
    out.say(
        f"""An emulator of scrape.st listens on {emulator.url}. In config.yaml:

streams:
  - name: local
    url: {emulator.ws_url}
    api_key: {json.dumps(key)}

Faults, while it runs:

curl {emulator.url}/emulator/fault -d '{{"fault":"drop"}}'        # how: reset, close (code), close_frame
curl {emulator.url}/emulator/fault -d '{{"fault":"hang","seconds":60}}'
curl {emulator.url}/emulator/fault -d '{{"fault":"refuse","status":429,"handshakes":3,"retry_after":5}}'
curl {emulator.url}/emulator/fault -d '{{"fault":"garbage"}}'        # {len(GARBAGE)} odd frames
curl {emulator.url}/emulator/fault -d '{{"fault":"clear"}}'
curl {emulator.url}/emulator/send -d @event.json
curl {emulator.url}/emulator/stats
"""
    )


def _show(out: output.LineOutput, change: ServerChange, facts: Mapping[str, object]) -> None:
    details = "  ".join(f"{name} {value}" for name, value in facts.items() if value not in {None, ""})
    out.say(Text.assemble((f"{_now()} ", "dim"), (f"{change.value:<12} ", _STYLES[change]), details))
    out.record(change.value, **facts)


def _summary(counters: Mapping[str, int]) -> str:
    return ", ".join(
        f"{counters[name]:,} {label}"
        for name, label in (
            ("sent", "events sent"),
            ("skipped", "skipped (no client was connected)"),
            ("connections", "connected"),
            ("handshakes", "handshakes"),
            ("refused", "refused"),
        )
    )


def _now() -> str:
    return time.strftime("%H:%M:%S")
