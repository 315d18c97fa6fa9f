"""`forwarder send`: one event to one destination, as the daemon would send it, and everything that was said.

The outbox has no part in it: nothing is kept, nothing is tried again.
"""

import argparse
import asyncio
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import msgspec
from msgspec import structs

from forwarder.cli import exit_codes
from forwarder.cli.config_file import read_config
from forwarder.cli.exchange import Exchange
from forwarder.cli.places import UsageError, add_config, config_path, told
from forwarder.cli.records import add_json, print_json
from forwarder.core.config import Config
from forwarder.core.config.problems import did_you_mean, quote
from forwarder.core.content import CannotFormatError
from forwarder.core.delivery import Delivery, Fault, Trigger, Unanswered, new_delivery
from forwarder.core.destination import Destination
from forwarder.core.event import Event, NotAnEventError, decode_event
from forwarder.core.retry import RetryPolicy
from forwarder.core.webhook import Renderer
from forwarder.destinations.http import Transcript, open_sender
from forwarder.parts import destinations_of

_ONCE = RetryPolicy(delays=())
_STDIN = "-"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "send",
        help="send a test event to one destination, and show the exchange",
        description="Send one event to one destination, once and outside the outbox, and print the whole exchange. "
        "Secrets are masked. The exit code is 0 when the receiver answered 2xx, else 1.",
    )
    parser.add_argument("destination", metavar="DESTINATION", help="its name in the config")
    parser.add_argument(
        "--event",
        metavar="FILE",
        help="an event as the stream sends it; - for standard input (default: an event that says it is a test)",
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler=told(send))


def send(arguments: argparse.Namespace) -> int:
    """Send, print what was said, and return the exit code."""
    path = config_path(arguments)
    destination = _destination(read_config(path), arguments.destination, path)
    event = _test_event(destination) if arguments.event is None else _read_event(arguments.event)
    delivery = new_delivery(event, destination.name, ("send",), event_seq=0, accepted_at=_utc_now())
    exchange = asyncio.run(_exchange(destination, structs.replace(delivery, trigger=Trigger.TEST)))
    if arguments.json:
        print_json(exchange.record())
    else:
        print("\n".join(exchange.lines()))
    return exit_codes.OK if exchange.is_delivered else exit_codes.FAILURE


async def _exchange(destination: Destination, delivery: Delivery) -> Exchange:
    """Make the attempt with the parts that the daemon makes it with."""
    renderer = Renderer(
        headers=destination.headers, signing=destination.signing, policy=_ONCE, format_=destination.format_
    )
    transcript = Transcript()
    try:
        request = renderer.render(delivery, now=_utc_now())
    except CannotFormatError as error:
        unsent = Unanswered(fault=Fault.FORMAT, detail=f"the event cannot be put into the format: {error}")
        return Exchange(destination, transcript, body=b"", outcome=unsent, duration=timedelta())
    async with open_sender(
        destination.url, transport=destination.transport, timeout=destination.timeout, clock=_utc_now
    ) as sender:
        sender.transcript = transcript
        started = monotonic()
        outcome = await sender.send(request)
        duration = timedelta(seconds=monotonic() - started)
    return Exchange(destination, transcript, body=request.body, outcome=outcome, duration=duration)


def _destination(config: Config, name: str, path: Path) -> Destination:
    """Return the destination of that name. Raises `UsageError`."""
    for destination in destinations_of(config):
        if destination.name == name:
            return destination
    if name in config.destinations:
        raise UsageError(f"{path}: {quote(name)} is disabled; set enabled: true before sending to it")
    hint = did_you_mean(name, config.destinations) or "; there are " + ", ".join(map(quote, config.destinations))
    raise UsageError(f"{path}: no destination is called {quote(name)}{hint}")


def _read_event(file: str) -> Event:
    """Return the event in a file, but for white space around it. Raises `UsageError`."""
    name = "standard input" if file == _STDIN else repr(file)
    try:
        data = sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise UsageError(f"--event: {name} cannot be read: {reason}") from error
    try:
        return decode_event(data.strip())
    except NotAnEventError as error:
        raise UsageError(
            f"--event: {name} is not an event ({error.detail}); it has to be one JSON object with source, mid, sid, "
            "timestamp and payload, as the stream sends it"
        ) from error


def _test_event(destination: Destination) -> Event:
    """Return an event that says what it is, and is new each time, so that no receiver takes it for a repeat."""
    text = f"This is a test of the destination {destination.name}, sent by `forwarder send`. Nothing has happened."
    return decode_event(
        msgspec.json.encode(
            {
                "source": "forwarder",
                "mid": f"test-{uuid.uuid4().hex}",
                "sid": "forwarder",
                "timestamp": int(_utc_now().timestamp() * 1000),
                "payload": {"test": True, "text": text, "author": {"name": "forwarder", "screen_name": "forwarder"}},
            }
        )
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
