"""`forwarder tail --public`: scrape.st's public stream as it comes, which needs no key. It cannot be forwarded."""

import argparse
import asyncio
import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from rich.text import Text

from forwarder.cli import exit_codes
from forwarder.cli.lines import Lines, stop_on_signals
from forwarder.core.config.scalars import WrongValueError, parse_stream_url, url_of_stream
from forwarder.core.pace import Pace
from forwarder.emulator.display import one_line, source_style
from forwarder.streams.connection import Connection, boot_time
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.sse import SseStream

_CONNECT_WITHIN = timedelta(seconds=10)
_WIDTH = 200


class _Shape(msgspec.Struct):
    """What the public stream shows of an event: the beginning of its payload, as a text that is no JSON any more."""

    source: str
    timestamp: int | float
    payload: str


_decode = msgspec.json.Decoder(_Shape).decode


class _Printed(NamedTuple):
    source: str
    at: str
    payload: str


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "tail",
        help="show scrape.st's public stream as it comes (--public)",
        description="Shows scrape.st's public stream: fast-x, telegram and discord, each event cut after 100 characters and without "
        "ids. That is why it cannot be forwarded. What the daemon receives shows `forwarder events`.",
    )
    parser.add_argument("--public", action="store_true", help="the public stream; needs no API key")
    parser.add_argument("--url", default="", help="default: https://scrape.st/stream")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(handler=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Print until a signal, or until nobody reads any more."""
    parser: argparse.ArgumentParser = arguments.parser
    if not arguments.public:
        parser.error(
            "only the public stream is shown this way: add --public. What the daemon receives: forwarder events"
        )
    try:
        url = url_of_stream(parse_stream_url(arguments.url), "sse")
    except WrongValueError as error:
        parser.error(f"argument --url: expected https://host/path or http://host:port/path; {error}")
    return asyncio.run(_tail(url, as_json=arguments.json))


async def _tail(url: str, *, as_json: bool) -> int:
    stop = stop_on_signals()
    out = Lines(as_json=as_json, on_broken_pipe=stop.set)
    stream = SseStream(name="public", url=url, api_key=None, use_fast_x=True)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(_follow(stream, lambda frame: _print(out, frame)))
        await stop.wait()
        following.cancel()
    if out.broken:
        raise BrokenPipeError
    return exit_codes.OK


async def _follow(stream: SseStream, show: Callable[[bytes], None]) -> None:
    """Hold the stream for ever; say on standard error why it is not there, and when it is tried again."""
    pace = Pace(random.random)

    async def take(frame: bytes) -> None:
        show(frame)

    async with asyncio.TaskGroup() as group:
        while True:
            connection = Connection(stream, take=take, on_odd_frame=lambda _kind: None, connect_within=_CONNECT_WITHIN)
            connection.start(group)
            await connection.over(within_s=None)
            fault = connection.fault
            if fault is None:
                return
            pace.note_reached(boot_time(), fault.connections)
            await asyncio.sleep(_wait_s(pace, fault, connection))


def _wait_s(pace: Pace, fault: StreamFaultError, connection: Connection) -> float:
    wait = pace.wait_s(fault.pace, now_s=boot_time(), lasted_s=connection.lasted_s, was_useful=connection.has_brought)
    wait_s = max(wait, fault.minimum_wait.total_seconds())
    print(f"{fault.sentence}; tried again in {wait_s:.1f} s", file=sys.stderr, flush=True)
    return wait_s


def _print(out: Lines, frame: bytes) -> None:
    seen = _read(frame)
    out.record("event", source=seen.source, at=seen.at, payload=seen.payload)
    out.say(
        Text.assemble(
            (f"{seen.at[11:19]} ", "dim"), (f"{one_line(seen.source, width=20)} ", source_style(seen.source)),
            one_line(seen.payload, width=_WIDTH),
        )
    )  # fmt: skip


def _read(frame: bytes) -> _Printed:
    """Return what there is to show of a frame, whatever it is."""
    try:
        shape = _decode(frame)
        at = datetime.fromtimestamp(shape.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError, OSError):
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return _Printed("", now, frame[:_WIDTH].decode("utf-8", "replace"))
    return _Printed(shape.source, at, shape.payload)
