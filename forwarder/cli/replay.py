"""`forwarder replay`: the history, or a part of it, to a destination (again)."""

import argparse
import time

from forwarder.admin.client import NoDaemonError, control
from forwarder.cli import exit_codes
from forwarder.cli.places import Places, add_config, changer, places, told
from forwarder.cli.progress import progress
from forwarder.cli.records import add_json, moment, print_json, rate
from forwarder.core.changes import Replay, Status
from forwarder.outbox.access import reading
from forwarder.outbox.history import Query, count_replayable, count_replaying, now_ms

_LOOK_EVERY_S = 0.2


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("replay", help="deliver events of the history to a destination (again)")
    parser.add_argument("--since", type=moment, required=True, metavar="WHEN", help="30m, 24h, 7d ago; or an ISO time")
    parser.add_argument("--until", type=moment, metavar="WHEN", help="default: now")
    parser.add_argument("--to", required=True, metavar="DESTINATION")
    parser.add_argument("--route", metavar="NAME", help="only what this route chose, for whatever destination")
    parser.add_argument("--source", metavar="NAME", help="x, fast-x, telegram, discord")
    parser.add_argument("--missing", action="store_true", help="leave out what the destination has got already")
    parser.add_argument("--rate", type=rate, default=50.0, metavar="N/s", help="default: 50/s; live events go first")
    parser.add_argument("--dry-run", action="store_true", help="say how many it would be")
    parser.add_argument(
        "--wait", action="store_true", help="until they are delivered or dead; Ctrl-C only stops waiting"
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Queue the deliveries; the same `webhook-id` as ever, so a receiver that knows them drops them."""
    begin_ms = now_ms()
    until_ms = begin_ms if arguments.until is None else arguments.until
    found = places(arguments)
    if arguments.wait:
        with control(found.socket) as daemon:  # nobody to wait for otherwise
            daemon.ask(Status())
    asked = Query(since_ms=arguments.since, until_ms=until_ms, source=arguments.source, route=arguments.route)
    with reading(found.outbox) as connection:
        total = count_replayable(connection, asked, to=arguments.to, missing=arguments.missing)
    if arguments.dry_run:
        _say(arguments, {"would_queue": total}, f"{total:,} deliveries to {arguments.to} would be queued.")
        return exit_codes.OK
    done, left_alone, after = 0, 0, 0
    try:
        with changer(found) as change, progress(f"to {arguments.to}", total) as bar:
            while True:
                changed = change(
                    Replay(
                        to=arguments.to,
                        since_ms=arguments.since,
                        until_ms=until_ms,
                        route=arguments.route,
                        source=arguments.source,
                        missing=arguments.missing,
                        start_ms=begin_ms,
                        rate=arguments.rate,
                        position=done,
                        after_seq=after,
                    )
                )
                done, left_alone, after = done + changed.changed, left_alone + changed.left_alone, changed.last_seq
                bar.to(done)
                if changed.is_last:
                    break
    except NoDaemonError as error:
        raise type(error)(
            f"{error}. {done:,} deliveries were queued before; the same command again leaves those that wait alone"
        ) from error
    _say(
        arguments,
        {"queued": done, "left_alone": left_alone},
        f"{done:,} deliveries to {arguments.to} queued at {arguments.rate:g} a second; {left_alone:,} were waiting or "
        "delivered already and are left alone.",
    )
    if arguments.wait:
        _wait(found, arguments.to)
    return exit_codes.OK


def _wait(found: Places, to: str) -> None:
    """Return when they are delivered or dead. Raises `NoDaemonError` when the daemon ends before."""
    with reading(found.outbox) as connection:
        total = count_replaying(connection, to)
    with progress("delivered", total) as bar:
        while total:
            with control(found.socket) as daemon:  # also where it is stopped, and delivers nothing
                daemon.ask(Status())
            with reading(found.outbox) as connection:
                left = count_replaying(connection, to)
            bar.to(max(total - left, 0))
            if not left:
                return
            time.sleep(_LOOK_EVERY_S)


def _say(arguments: argparse.Namespace, record: dict[str, int], sentence: str) -> None:
    if arguments.json:
        print_json(record)
    else:
        print(sentence)
