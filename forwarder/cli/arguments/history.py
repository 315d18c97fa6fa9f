"""What `forwarder events` and `forwarder deliveries` accepts."""

import argparse

from forwarder.cli.arguments.filters import add_filters, add_list
from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import meant


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("events")
    add_filters(parser)
    add_list(parser)
    _add_follow(parser, "each event as it comes")
    add_config(parser)
    parser.set_defaults(handler="history:list_events")
    _add_show(parser, "an event's id, the beginning of one, a post's id (mid) or a post's link", "history:show_event")

    parser = commands.add_parser("deliveries")
    add_filters(parser, with_status=True)
    parser.add_argument(
        "--failed",
        action="store_true",
        help="only those of which an attempt failed, with what it failed with; with -f only attempts that failed",
    )
    add_list(parser)
    _add_follow(parser, "each attempt as it is made")
    add_config(parser)
    parser.set_defaults(handler="history:list_deliveries")
    _add_show(
        parser,
        "a webhook-id, or an event's id, a post's id (mid) or a post's link for all of its deliveries",
        "history:show_deliveries",
    )


def _add_follow(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help=f"print the list with the newest at its end, then {what}, in the lines of forwarder tail, until Ctrl-C",
    )


def _add_show(parser: argparse.ArgumentParser, what: str, handler: str) -> None:
    show = parser.add_subparsers(metavar="show").add_parser("show", help=what)
    show.add_argument("id", type=meant, help=what)
    add_json(show, default=argparse.SUPPRESS)
    add_config(show, default=argparse.SUPPRESS)
    show.set_defaults(handler=handler)
