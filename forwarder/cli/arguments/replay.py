"""What `forwarder replay` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import WHEN, delivery_rate, moment, replay_speed, source


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("replay")
    parser.add_argument("--since", type=moment, required=True, metavar="WHEN", help=WHEN)
    parser.add_argument("--until", type=moment, metavar="WHEN", help="default: now")
    parser.add_argument("--to", required=True, metavar="DESTINATION")
    parser.add_argument("--route", metavar="NAME", help="only events that this route chose, for any destination")
    parser.add_argument("--source", type=source, metavar="NAME", help="x, fast-x, telegram, discord")
    parser.add_argument(
        "--missing",
        action="store_true",
        help="leave out what the destination has received already; what no route chose for it is sent too, unless you name a --route",
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--rate", type=delivery_rate, default=50.0, metavar="N/s", help="default: 50/s; live events go first"
    )
    pace.add_argument(
        "--speed",
        type=replay_speed,
        metavar="SPEED",
        help="1x keeps the times between the events as they came, 60x makes a minute of an hour; max sends as fast as it can",
    )
    parser.add_argument("--dry-run", action="store_true", help="only show how many deliveries there would be")
    parser.add_argument(
        "--wait", action="store_true", help="wait until they are delivered or dead; Ctrl-C only stops the waiting"
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler="replay:run")
