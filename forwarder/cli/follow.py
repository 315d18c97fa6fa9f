"""`events --follow` and `deliveries --follow`: after the list, what passes through the running daemon, by the same filters."""

import argparse
import sys
from collections.abc import Callable

from forwarder.cli.live_filters import STATUSES, Wants, finds_post, has_mid, has_status, is_attempt, is_event
from forwarder.cli.live_output import LiveOutput, print_until_stopped
from forwarder.cli.live_watch import LiveWatch
from forwarder.cli.locations import Places, UsageError
from forwarder.core.commands import Watch
from forwarder.core.history import FOREVER_MS, NO_LIMIT
from forwarder.core.matching.post_search import PostSearch
from forwarder.outbox.problems import OutboxUnusableError

PrintList = Callable[[], int]
"""Prints the list, and returns its exit code."""


def follow_events(where: Places, arguments: argparse.Namespace, *, print_list: PrintList) -> int:
    """Print the list and then each event that comes. Raises `NoDaemonError`, `UsageError`."""
    return _follow(where, arguments, [is_event], print_list)


def follow_deliveries(where: Places, arguments: argparse.Namespace, *, print_list: PrintList) -> int:
    """Print the list and then each attempt that is made. Raises `NoDaemonError`, `UsageError`."""
    wanted: list[Wants] = [is_attempt]
    if arguments.status is not None:
        if arguments.status not in STATUSES:
            raise UsageError(
                f"--follow shows attempts, and after none of them a delivery is {arguments.status}; it is one of {', '.join(STATUSES)}"
            )
        wanted.append(has_status(arguments.status))
    return _follow(where, arguments, wanted, print_list)


def _follow(where: Places, arguments: argparse.Namespace, wanted: list[Wants], print_list: PrintList) -> int:
    if arguments.until != FOREVER_MS:
        raise UsageError("--follow goes on until Ctrl-C: leave out --until")
    of_post: list[Wants] = []
    if arguments.author is not None or arguments.text is not None:
        of_post.append(finds_post(PostSearch(author=arguments.author, text=arguments.text)))
    if arguments.mid is not None:
        of_post.append(has_mid(arguments.mid))
    request = Watch(
        source=arguments.source,
        destination=arguments.destination,
        route=arguments.route,
        failed=getattr(arguments, "failed", False),
        with_body=bool(of_post),
    )

    def fill_in(since_ms: int) -> None:
        arguments.since, arguments.limit = max(arguments.since, since_ms), NO_LIMIT
        try:
            print_list()
        except OutboxUnusableError as error:
            print(error, file=sys.stderr)
        sys.stdout.flush()

    watch = LiveWatch(where, request, fill_in=fill_in)
    with watch.connected():  # before the list is read, so that nothing is missing between the two
        print_list()
        sys.stdout.flush()
        return print_until_stopped(
            watch, LiveOutput(as_json=arguments.json, is_wide=arguments.wide), [*wanted, *of_post]
        )
