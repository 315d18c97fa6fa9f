"""What `forwarder reconnect` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "reconnect",
        description="Reconnect a stream now, without a gap: the old connection is closed once the new one is open. A stream that waits "
        "for its next try does not wait any longer.",
    )
    parser.add_argument("stream", metavar="STREAM", nargs="?", help="default: all streams")
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler="reconnect:run")
