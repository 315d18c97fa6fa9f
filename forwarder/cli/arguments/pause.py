"""What `forwarder pause` and `forwarder resume` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    for verb, what in (
        ("pause", "Send nothing to a destination until it is resumed. Its deliveries are kept."),
        ("resume", "Send to a paused destination again, including the deliveries that waited."),
    ):
        parser = commands.add_parser(verb, description=what)
        parser.add_argument("destination", metavar="DESTINATION")
        if verb == "pause":
            parser.add_argument("--why", default="", metavar="TEXT", help="shown by status, up to 500 characters")
        add_json(parser)
        add_config(parser)
        parser.set_defaults(handler="pause:run", verb=verb, why="")
