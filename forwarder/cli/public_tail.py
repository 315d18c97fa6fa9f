"""`forwarder tail --public`: shows scrape.st's public stream, which needs no key."""

import argparse
import asyncio
import random
import sys
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from rich.text import Text

from forwarder.cli import exit_codes
from forwarder.cli.output import LineOutput, stop_on_signals
from forwarder.clocks.boot_time import boot_time
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.config.values.urls import parse_stream_url, url_of_stream
from forwarder.core.streams.reconnect_policy import ReconnectPolicy
from forwarder.emulator.glance import one_line, source_style
from forwarder.streams.connection import StreamConnection
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.sse import SseStream

_CONNECT_WITHIN = timedelta(seconds=10)
_WIDTH = 200
_REPEATED = 5
"""How many events the stream sends again on a new connection."""


class _Shape(msgspec.Struct):
    """An event of the public stream: its payload is cut, so it is a text and no JSON."""

    source: str
    timestamp: int | float
    payload: str


_decode = msgspec.json.Decoder(_Shape).decode


class _Printed(NamedTuple):
    source: str
    at: str
    payload: str


def run(arguments: argparse.Namespace) -> int:
    """Print until a signal, or until nobody reads the output."""
    parser: argparse.ArgumentParser = arguments.parser
    try:
        url = url_of_stream(parse_stream_url(arguments.url), "sse")
    except WrongValueError as error:
        parser.error(f"argument --url: expected https://host/path or http://host:port/path; {error}")
    return asyncio.run(_tail(url, as_json=arguments.json))


async def _tail(url: str, *, as_json: bool) -> int:
    stop = stop_on_signals()
    out = LineOutput(as_json=as_json, on_broken_pipe=stop.set)
    stream = SseStream(name="public", url=url, api_key=None, use_fast_x=True)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(_follow(stream, lambda frame: _print(out, frame)))
        await stop.wait()
        following.cancel()
    if out.broken:
        raise BrokenPipeError
    return exit_codes.OK


async def _follow(stream: SseStream, show: Callable[[bytes], None]) -> None:
    """Hold the stream forever; say on standard error why it is away, and when it is tried again."""
    pace = ReconnectPolicy(random.random)
    last = deque[bytes](maxlen=_REPEATED)

    async def take(frame: bytes) -> None:
        if frame not in last:
            last.append(frame)
            show(frame)

    async with asyncio.TaskGroup() as group:
        while True:
            connection = StreamConnection(
                stream, take=take, on_odd_frame=lambda _kind: None, connect_within=_CONNECT_WITHIN
            )
            connection.start(group)
            await connection.over(within_s=None)
            fault = connection.fault
            if fault is None:
                return
            pace.note_reached(boot_time(), fault.connections)
            await asyncio.sleep(_wait_s(pace, fault, connection))


def _wait_s(pace: ReconnectPolicy, fault: StreamFaultError, connection: StreamConnection) -> float:
    wait = pace.wait_s(
        fault.wait_kind, now_s=boot_time(), lasted_s=connection.lasted_s, was_useful=connection.has_brought
    )
    wait_s = max(wait, fault.minimum_wait.total_seconds())
    print(f"{fault.sentence}; next try in {wait_s:.1f} s", file=sys.stderr, flush=True)
    return wait_s


def _print(out: LineOutput, frame: bytes) -> None:
    seen = _read(frame)
    out.record("event", source=seen.source, at=seen.at, payload=seen.payload)
    out.say(
        Text.assemble(
            (f"{seen.at[11:19]} ", "dim"), (f"{one_line(seen.source, width=20)} ", source_style(seen.source)),
            one_line(seen.payload, width=_WIDTH),
        )
    )  # fmt: skip


def _read(frame: bytes) -> _Printed:
    """Return what is shown of a frame; of one that is no event, its beginning."""
    try:
        shape = _decode(frame)
        at = datetime.fromtimestamp(shape.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError, OSError):
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return _Printed("", now, frame[:_WIDTH].decode("utf-8", "replace"))
    return _Printed(shape.source, at, shape.payload)
