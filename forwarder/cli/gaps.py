"""`forwarder gaps`: when a stream was away, and what of that was fetched back."""

import argparse
from datetime import UTC, datetime, timedelta

from forwarder.cli import exit_codes
from forwarder.cli.places import add_config, places, told
from forwarder.cli.records import add_list, add_period, local, print_json, print_table, query, shown
from forwarder.core.durations import write_duration
from forwarder.outbox.access import reading
from forwarder.outbox.history import Record, gaps, last_heard, streams_of_gaps


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("gaps", help="when a stream was away, and what of that was fetched back")
    add_period(parser)
    parser.add_argument("--stream", metavar="NAME", help="of this stream alone")
    parser.add_argument("--open", action="store_true", help="those that have no end yet")
    add_list(parser)
    add_config(parser)
    parser.set_defaults(handler=told(list_gaps))


def list_gaps(arguments: argparse.Namespace) -> int:
    """Print gaps, the last to begin first."""
    with reading(places(arguments).outbox) as connection:
        found = list(gaps(connection, query(arguments), stream=arguments.stream, that_last=arguments.open))
        streams, heard = streams_of_gaps(connection), last_heard(connection)
    if arguments.json:
        for gap in found:
            print_json(gap)
    elif found:
        names = ("BEGAN", "ENDED", "LENGTH", "STREAM", "COVERED", "REPAIR", "FOUND", "RECOVERED", "REASON")
        print_table(names, map(_row, found))
    else:
        print(_none(arguments, streams, heard))
    return exit_codes.OK


def _row(gap: Record) -> tuple[object, ...]:
    began = datetime.fromisoformat(gap["began_at"])
    length = datetime.now(UTC) - began if gap["length_s"] is None else timedelta(seconds=gap["length_s"])
    return (
        local(gap["began_at"]),
        "lasts" if gap["ended_at"] is None else local(gap["ended_at"]),
        write_length(length),
        gap["stream"],
        "yes" if gap["covered"] else "no",
        gap["repair"].replace("_", " "),
        gap["found"],
        gap["recovered"],
        "; repair: ".join(filter(None, (gap["reason"], gap["note"]))),
    )


def write_length(length: timedelta) -> str:
    """Return it to the tenth of a second, from ten seconds on to the second."""
    step = timedelta(seconds=1) if length >= timedelta(seconds=10) else timedelta(milliseconds=100)
    return write_duration(max(round(length / step), 0) * step)


def _none(arguments: argparse.Namespace, streams: list[str], heard: str | None) -> str:
    """Return what to say where the list is empty."""
    if not streams:
        last = "" if heard is None else f" A stream was last known to be open at {local(heard)}."
        return f"No gaps are kept: no stream was away, as far back as outbox.keep_dead goes.{last}"
    if arguments.stream is not None and arguments.stream not in streams:
        return f"No gaps of a stream {shown(arguments.stream)} are kept; there are some of: {', '.join(map(shown, streams))}."
    if arguments.open:
        return "No gap is without its end: every stream in question is open, as far as is known."
    return "No gaps of that time are kept; without --since and --until there are some."
