"""`forwarder send`: sends one event to one destination as the daemon would, and shows the exchange.

It does not use the outbox: nothing is kept, nothing is tried again.
"""

import argparse
import asyncio
import uuid
from datetime import timedelta
from pathlib import Path
from time import monotonic

import msgspec
from msgspec import structs

from forwarder.cli import exit_codes
from forwarder.cli.event_file import STDIN, content_of
from forwarder.cli.listing import print_json
from forwarder.cli.locations import UsageError, config_path, report_errors
from forwarder.cli.transcript import Exchange
from forwarder.clocks.wall_clock import utc_now
from forwarder.configfile.read import read_config
from forwarder.core.config import Config
from forwarder.core.delivery import Delivery, Fault, Trigger, Unanswered, new_delivery
from forwarder.core.destinations.content import CannotFormatError
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.retry import RetryPolicy
from forwarder.core.event import Event, NotAnEventError, decode_event
from forwarder.core.yaml.problems import did_you_mean, quote
from forwarder.destinations.build import destinations_of
from forwarder.destinations.render_worker import RenderWorker
from forwarder.destinations.sender import HttpSender, Transcript
from forwarder.destinations.senders import sender_of
from forwarder.dispatch.requests import Requests

_ONCE = RetryPolicy(delays=())


@report_errors
def send(arguments: argparse.Namespace) -> int:
    """Send, print the exchange, and return the exit code."""
    path = config_path(arguments)
    destination = _destination(read_config(path), arguments.destination, path)
    event = _test_event(destination) if arguments.event is None else _read_event(arguments.event)
    delivery = new_delivery(event, destination.name, ("send",), event_seq=0, accepted_at=utc_now())
    exchange = asyncio.run(_exchange(destination, structs.replace(delivery, trigger=Trigger.TEST)))
    if arguments.json:
        print_json(exchange.record())
    else:
        print("\n".join(exchange.lines()))
    return exit_codes.OK if exchange.is_delivered else exit_codes.FAILURE


async def _exchange(destination: Destination, delivery: Delivery) -> Exchange:
    """Make the attempt with the same parts as the daemon."""
    transcript = Transcript()
    async with sender_of(destination, clock=utc_now) as sender:
        inner = getattr(sender, "sender", sender)  # of a batch
        if isinstance(inner, HttpSender):
            inner.transcript = transcript
        started, worker = monotonic(), RenderWorker()
        try:
            requests = Requests(destination, policy=_ONCE, template_worker=worker)
            outcome = await requests.make(sender, delivery, now=utc_now())
        except CannotFormatError as error:
            outcome = Unanswered(fault=Fault.FORMAT, detail=f"the format cannot show this event: {error}")
        finally:
            await worker.close()
        duration = timedelta(seconds=monotonic() - started)
    return Exchange(destination, transcript, outcome=outcome, duration=duration)


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
    """Return the event in a file, without the white space around it. Raises `UsageError`."""
    name = "standard input" if file == STDIN else repr(file)
    try:
        data = content_of(file)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise UsageError(f"--event: {name} cannot be read: {reason}") from error
    try:
        return decode_event(data)
    except NotAnEventError as error:
        raise UsageError(
            f"--event: {name} is not an event ({error.detail}); it must be one JSON object with source, mid, sid, "
            "timestamp and payload, as the stream sends it"
        ) from error


def _test_event(destination: Destination) -> Event:
    """Return an event that says it is a test. It is new each time, so that no receiver takes it for a repeat."""
    text = f"This is a test of the destination {destination.name}, sent by `forwarder send`. Nothing has happened."
    return decode_event(
        msgspec.json.encode(
            {
                "source": "forwarder",
                "mid": f"test-{uuid.uuid4().hex}",
                "sid": "forwarder",
                "timestamp": int(utc_now().timestamp() * 1000),
                "payload": {"test": True, "text": text, "author": {"name": "forwarder", "screen_name": "forwarder"}},
            }
        )
    )
