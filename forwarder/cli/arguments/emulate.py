"""What `forwarder emulate` accepts."""

import argparse
from pathlib import Path

from forwarder.cli.arguments.options import Commands
from forwarder.cli.arguments.values import (
    WHEN,
    event_rate,
    host,
    http_status,
    moment,
    port,
    positive_seconds,
    replay_speed,
    seconds,
    whole_number,
)

_DEFAULT_PORT = 8765
DEFAULT_RATE = 10.0


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "emulate",
        description="A local emulator of scrape.st. It replays events to each client that connects, and fails on demand.",
    )
    parser.add_argument("--host", type=host, default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument(
        "--port", type=port, default=_DEFAULT_PORT, help=f"default: {_DEFAULT_PORT}; 0 takes any free port"
    )
    parser.add_argument(
        "--key",
        default="test-key",
        help="the API key it accepts (default: test-key); it is made up, so it may be on a command line",
    )
    events = parser.add_argument_group("events")
    of = events.add_mutually_exclusive_group()
    of.add_argument("--events", type=Path, metavar="FILE", help="one event per line (default: the packaged 208)")
    of.add_argument(
        "--from",
        dest="outbox",
        type=Path,
        metavar="OUTBOX",
        help="the history in this outbox file, once, marked as replayed; the file is only read, also while a daemon uses it",
    )
    events.add_argument("--since", type=moment, metavar="WHEN", help=f"with --from: {WHEN} (default: all that is kept)")
    events.add_argument("--until", type=moment, metavar="WHEN", help="with --from; default: now")
    events.add_argument(
        "--fixed",
        "--same-ids",
        action="store_true",
        help="send the ids and times of the file (default: new ids, and the present time)",
    )
    pace = events.add_mutually_exclusive_group()
    pace.add_argument("--rate", type=event_rate, help=f"events per second (default: {DEFAULT_RATE:g})")
    pace.add_argument("--burst", action="store_true", help="as fast as clients read them")
    pace.add_argument(
        "--speed",
        type=replay_speed,
        metavar="SPEED",
        help="with --from: 1x keeps the times between the events as they came (default), 60x makes a minute of an hour; or max",
    )
    events.add_argument("--count", type=whole_number, metavar="N", help="stop after N events")
    again = events.add_mutually_exclusive_group()
    again.add_argument("--loop", action="store_true", help="repeat the events with new ids (default)")
    again.add_argument("--once", action="store_true", help="send the events once")
    events.add_argument(
        "--wait-for-client",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="start when the first client is connected (default)",
    )
    events.add_argument(
        "--exit-when-done", action="store_true", help="exit after the last event; without --count: once"
    )
    faults = parser.add_argument_group("faults", "Durations such as 30s; a number without a unit is seconds.")
    faults.add_argument("--garbage-every", type=whole_number, metavar="N", help="send odd frames after each N events")
    faults.add_argument("--drop-every", type=positive_seconds, metavar="TIME", help="reset all connections")
    faults.add_argument(
        "--hang-at", type=seconds, metavar="TIME", help="go silent this long after the first client connected"
    )
    faults.add_argument("--hang-for", type=positive_seconds, metavar="TIME", help="how long (default: 60s)")
    faults.add_argument("--refuse", type=http_status, metavar="STATUS", help="refuse every client with this status")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(handler="emulate:run", parser=parser)
