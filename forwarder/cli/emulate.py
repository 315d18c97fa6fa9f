"""`forwarder emulate`: a scrape.st on this machine, to try and to torment a config with."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.text import Text

from forwarder.cli import exit_codes, lines
from forwarder.emulator.faults import GARBAGE
from forwarder.emulator.script import play, read_events, replay
from forwarder.emulator.server import Change, Emulator

_PROGRESS_EVERY_S = 10.0
_DEFAULT_PORT = 8765
_DEFAULT_RATE = 10.0
_STYLES = {Change.CONNECTED: "green", Change.DISCONNECTED: "yellow", Change.REFUSED: "red", Change.FAULT: "magenta"}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "emulate",
        help="a local stand-in for scrape.st: WebSocket, SSE, faults on demand",
        description="A local stand-in for scrape.st. It replays events to whoever connects and fails on demand.",
    )
    parser.add_argument("--host", type=lines.host, default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument(
        "--port", type=lines.port, default=_DEFAULT_PORT, help=f"default: {_DEFAULT_PORT}; 0 takes any that is free"
    )
    parser.add_argument(
        "--key",
        default="test-key",
        help="the API key it takes (default: test-key); a made-up one, so it may stand on a command line",
    )
    events = parser.add_argument_group("events")
    events.add_argument("--events", type=Path, metavar="FILE", help="one event a line (default: 208 that come with it)")
    pace = events.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=lines.rate, default=_DEFAULT_RATE, help="events per second (default: 10)")
    pace.add_argument("--burst", action="store_true", help="as fast as they are taken")
    events.add_argument("--count", type=lines.count, metavar="N", help="stop after N events")
    again = events.add_mutually_exclusive_group()
    again.add_argument("--loop", action="store_true", help="over and over, with new ids (default)")
    again.add_argument("--once", action="store_true", help="the events once")
    events.add_argument(
        "--wait-for-client",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="start when the first client is connected (default)",
    )
    events.add_argument(
        "--exit-when-done", action="store_true", help="exit after the last event; without --count: once"
    )
    faults = parser.add_argument_group("faults", "Durations such as 30s; a bare number is seconds.")
    faults.add_argument("--garbage-every", type=lines.count, metavar="N", help="odd frames after each N events")
    faults.add_argument("--drop-every", type=lines.positive_seconds, metavar="TIME", help="reset all connections")
    faults.add_argument(
        "--hang-at", type=lines.seconds, metavar="TIME", help="go silent so long after the first client"
    )
    faults.add_argument("--hang-for", type=lines.positive_seconds, metavar="TIME", help="how long (default: 60s)")
    faults.add_argument("--refuse", type=lines.status, metavar="STATUS", help="turn every client away")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(handler=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Emulate until a signal, or until done, and return the exit code."""
    parser: argparse.ArgumentParser = arguments.parser
    if arguments.hang_for is not None and arguments.hang_at is None:
        parser.error("argument --hang-for: needs --hang-at")
    if arguments.exit_when_done and arguments.loop and arguments.count is None:
        parser.error("argument --exit-when-done: never done with --loop and no --count")
    try:
        frames = None if arguments.events is None else read_events(arguments.events)
    except OSError as error:
        parser.error(f"argument --events: {arguments.events}: {error.strerror}")
    except ValueError as error:
        parser.error(f"argument --events: {arguments.events}: {error}")
    once = arguments.once or (arguments.exit_when_done and not arguments.loop)
    script = replay(
        frames,
        rate=None if arguments.burst else arguments.rate,
        count=arguments.count,
        loop=arguments.count is None and not once,
    )
    return asyncio.run(_emulate(arguments, script))


async def _emulate(arguments: argparse.Namespace, script: Iterator[tuple[float, bytes]]) -> int:
    stop = lines.stop_on_signals()
    out = lines.Lines(as_json=arguments.json, on_broken_pipe=stop.set)
    emulator = Emulator(
        api_key=arguments.key,
        host=arguments.host,
        port=arguments.port,
        record=False,
        on_change=lambda change, facts: _show(out, change, facts),
    )
    try:
        await emulator.__aenter__()
    except OSError as error:
        print(lines.cannot_listen(arguments.host, arguments.port, error), file=sys.stderr)
        return exit_codes.FAILURE
    try:
        _greet(out, emulator, arguments.key)
        if arguments.refuse is not None:
            emulator.refuse(arguments.refuse)
        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(_replay(arguments, script, emulator, out, stop)),
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
    emulator: Emulator,
    out: lines.Lines,
    stop: asyncio.Event,
) -> None:
    if arguments.wait_for_client:
        await emulator.wait_connected(timeout=float("inf"))
    played = 0

    async def send(frame: bytes) -> None:
        nonlocal played
        await emulator.send(frame)
        played += 1
        if arguments.garbage_every is not None and played % arguments.garbage_every == 0:
            await emulator.garbage()

    started = time.monotonic()
    await play(script, send)
    out.say(f"{_now()} replayed {played:,} events in {time.monotonic() - started:.1f} s")
    out.record("replayed", events=played, seconds=round(time.monotonic() - started, 3))
    if arguments.exit_when_done:
        stop.set()


async def _progress(emulator: Emulator, out: lines.Lines) -> None:
    last = emulator.counters()
    while True:
        await asyncio.sleep(_PROGRESS_EVERY_S)
        counters = emulator.counters()
        if counters != last:
            rate = (counters["sent"] - last["sent"]) / _PROGRESS_EVERY_S
            out.say(Text(f"{_now()} {_summary(counters)}, {rate:,.0f}/s", style="dim"))
            out.record("progress", **counters)
        last = counters


async def _drop(arguments: argparse.Namespace, emulator: Emulator) -> None:
    while arguments.drop_every is not None:
        await asyncio.sleep(arguments.drop_every)
        if emulator.connections:
            await emulator.drop()


async def _hang(arguments: argparse.Namespace, emulator: Emulator) -> None:
    if arguments.hang_at is not None:
        await emulator.wait_connected(timeout=float("inf"))
        await asyncio.sleep(arguments.hang_at)
        emulator.hang(60.0 if arguments.hang_for is None else arguments.hang_for)


def _greet(out: lines.Lines, emulator: Emulator, key: str) -> None:
    out.record("listening", url=emulator.url, ws_url=emulator.ws_url)
    # JSON text is YAML text, so a key with any character in it pastes well.
    out.say(
        f"""A stand-in for scrape.st listens on {emulator.url}. In config.yaml:

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


def _show(out: lines.Lines, change: Change, facts: Mapping[str, object]) -> None:
    details = "  ".join(f"{name} {value}" for name, value in facts.items() if value not in {None, ""})
    out.say(Text.assemble((f"{_now()} ", "dim"), (f"{change.value:<12} ", _STYLES[change]), details))
    out.record(change.value, **facts)


def _summary(counters: Mapping[str, int]) -> str:
    return ", ".join(
        f"{counters[name]:,} {label}"
        for name, label in (
            ("sent", "events sent"),
            ("skipped", "skipped (no client took them)"),
            ("connections", "connected"),
            ("handshakes", "handshakes"),
            ("refused", "refused"),
        )
    )


def _now() -> str:
    return time.strftime("%H:%M:%S")
