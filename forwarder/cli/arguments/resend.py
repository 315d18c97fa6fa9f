"""What `forwarder resend` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import meant, source


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "resend",
        description="Deliver one event again, whatever the outcome was: to each destination that it went to, or to one. With a running "
        "daemon it is sent at once, without one at the next start. A delivery that waits for its next attempt is sent now. If several events "
        "are meant, they are listed and none is sent.",
    )
    parser.add_argument(
        "what",
        type=meant,
        metavar="WHAT",
        help="an event's id or the beginning of one, a webhook-id (that delivery alone), a post's id (mid), or a post's link",
    )
    parser.add_argument(
        "--to",
        metavar="DESTINATION",
        help="only to this one, also if the event never went to it; default: where it went",
    )
    parser.add_argument("--source", type=source, metavar="NAME", help="only the event of x, fast-x, telegram, discord")
    parser.add_argument("--all", action="store_true", help="if several events are meant, send all of them")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be sent")
    parser.add_argument(
        "--wait", action="store_true", help="wait until they are delivered or dead; Ctrl-C only stops the waiting"
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler="resend:run")
