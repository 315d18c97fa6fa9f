"""What `forwarder pause` and `forwarder resume` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import pause_length


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    for verb, what in (
        ("pause", "Send nothing to a destination until it is resumed, or for a time. Its deliveries are kept."),
        ("resume", "Send to a paused destination again, including the deliveries that waited."),
    ):
        parser = commands.add_parser(verb, description=what)
        parser.add_argument("destination", metavar="DESTINATION")
        if verb == "pause":
            parser.add_argument(
                "--for",
                type=pause_length,
                dest="seconds",
                metavar="TIME",
                help="resume by itself after this time, such as 30m, 2h, 1d or 1w; default: until forwarder resume",
            )
            parser.add_argument("--why", default="", metavar="TEXT", help="shown by status, up to 500 characters")
        add_json(parser)
        add_config(parser)
        parser.set_defaults(handler="pause:run", verb=verb, why="", seconds=None)
