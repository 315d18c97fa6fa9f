"""What `forwarder explain` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import WHEN, meant, moment, source


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "explain",
        description="Show which routes match an event, with every condition that decided and the value it saw. For an event of the "
        "history, also show its deliveries, and whether its config at the time and today's config route it differently.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--event", metavar="FILE", help="an event as JSON; - reads standard input")
    which.add_argument(
        "--mid", type=meant, metavar="POST", help="from the history: the events of this post, by its id or its link"
    )
    which.add_argument(
        "--id",
        type=meant,
        metavar="EVENT",
        help="from the history: an event's id, the beginning of one, a webhook-id, or a post's link",
    )
    which.add_argument("--text", help="an event of this text, as today's config would route it")
    parser.add_argument("--author", default="", metavar="NAME", help="with --text: the handle of who wrote it")
    parser.add_argument(
        "--at", type=moment, metavar="WHEN", help=f"with --text: when it arrives; default: now ({WHEN})"
    )
    parser.add_argument(
        "--source",
        type=source,
        metavar="NAME",
        help="with --mid or --text: x, fast-x, telegram, discord; of --text default: x",
    )
    parser.add_argument("--route", metavar="NAME", help="only this route")
    parser.add_argument("--all", action="store_true", help="also the conditions that did not decide")
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler="explain:run")
