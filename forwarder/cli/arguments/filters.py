"""Options that say which events, deliveries or gaps are meant, and how many are shown."""

import argparse

from forwarder.cli.arguments.options import add_json, add_wide
from forwarder.cli.arguments.values import WHEN, meant, moment, named_words, not_empty, one_of, row_count, source
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.history import FOREVER_MS, NO_LIMIT, WAITING

STATUSES = [WAITING, *(status.value for status in DeliveryStatus)]


def add_since(parser: argparse.ArgumentParser, *, help_: str = WHEN) -> None:
    """Add `--since`."""
    parser.add_argument("--since", type=moment, default=0, metavar="WHEN", help=help_)


def add_period(parser: argparse.ArgumentParser) -> None:
    """Add `--since` and `--until`."""
    add_since(parser)
    parser.add_argument("--until", type=moment, default=FOREVER_MS, metavar="WHEN", help="as --since; not included")


def add_filters(parser: argparse.ArgumentParser, *, with_status: bool = False) -> None:
    """Add the options that narrow a list."""
    add_period(parser)
    parser.add_argument("--destination", metavar="NAME")
    parser.add_argument("--route", metavar="NAME", help="the route that chose the destination")
    parser.add_argument("--source", type=source, metavar="NAME", help="x, fast-x, telegram, discord")
    parser.add_argument("--mid", type=meant, metavar="ID", help="the post with this id")
    parser.add_argument(
        "--author",
        type=not_empty,
        metavar="NAME",
        help="who wrote it: a handle, a displayed name, or the id of an account or a channel",
    )
    parser.add_argument(
        "--text", type=not_empty, metavar="TEXT", help="what is in its text; texts that look the same are the same"
    )
    if with_status:
        parser.add_argument("--status", type=one_of(*STATUSES), metavar=named_words(*STATUSES))


def add_match(parser: argparse.ArgumentParser) -> None:
    """Add `--match`."""
    parser.add_argument(
        "--match",
        metavar="RULE",
        help="only events that match, and their attempts: a condition as below match: in a route, such as 'source: x', "
        "'{author: nova, text: {word: btc}}' or 'matcher: NAME'; or only the name of a matcher of the config",
    )


def add_live_filters(parser: argparse.ArgumentParser) -> None:
    """Add the options that narrow what passes."""
    parser.add_argument("--destination", metavar="NAME", help="only what goes to this destination")
    parser.add_argument("--route", metavar="NAME", help="only what this route chose")
    parser.add_argument(
        "--source", type=source, metavar="NAME", help="only events of this source: x, fast-x, telegram, discord"
    )
    parser.add_argument("--failed", action="store_true", help="only attempts that failed")


def add_list(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a list is shown."""
    parser.add_argument("--limit", type=row_count, default=20, help="default: 20, the newest")
    parser.add_argument("--all", action="store_const", dest="limit", const=NO_LIMIT, help="no limit")
    add_wide(parser)
    add_json(parser)
