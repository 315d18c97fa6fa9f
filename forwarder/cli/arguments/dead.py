"""What `forwarder dead` accepts."""

from forwarder.cli.arguments.filters import add_filters, add_list, add_period
from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import delivery_rate, meant


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("dead")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    listing = verbs.add_parser(
        "list",
        help="list the dead letters by destination and reason; --details: each of them, the latest first",
        description="List the dead letters: how many of each destination died for which reason, the latest first. --json prints each of them, "
        "unless --groups is given.",
    )
    shape = listing.add_mutually_exclusive_group()
    shape.add_argument("--details", action="store_true", help="each dead letter")
    shape.add_argument("--groups", action="store_true", help="with --json, too: by destination and reason")
    add_filters(listing)
    add_list(listing)
    add_config(listing)
    listing.set_defaults(handler="dead:list_dead")

    show = verbs.add_parser("show", help="show one with every attempt")
    show.add_argument("id", type=meant, help="a webhook-id, an event's id, a post's id (mid) or a post's link")
    add_json(show)
    add_config(show)
    show.set_defaults(handler="history:show_dead")

    for verb, what in (("replay", "deliver them again"), ("drop", "never deliver them; they stay in the history")):
        change = verbs.add_parser(verb, help=what)
        change.add_argument("ids", nargs="*", type=meant, metavar="ID", help="webhook-ids, event ids or links of posts")
        add_period(change)
        change.add_argument("--destination", metavar="NAME")
        change.add_argument("--route", metavar="NAME", help="only those that this route chose")
        change.add_argument("--dry-run", action="store_true", help="only show how many it would be, and why they died")
        change.add_argument("--all", action="store_true", help="all of them, if no ID and no filter is given")
        if verb == "replay":
            change.add_argument("--rate", type=delivery_rate, default=50.0, metavar="N/s", help="default: 50/s")
            change.add_argument(
                "--wait",
                action="store_true",
                help="wait until they are delivered or dead; Ctrl-C only stops the waiting",
            )
        add_json(change)
        add_config(change)
        change.set_defaults(handler="dead:change_dead", verb=f"dead_{verb}", rate=50.0, wait=False)
