"""What `forwarder check` accepts."""

from forwarder.cli.arguments.options import Commands, add_config


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("check")
    add_config(parser)
    parser.add_argument("--diff", action="store_true", help="also show what would change in the running daemon")
    parser.add_argument("--connect", action="store_true", help="also connect to each stream, to verify the API key")
    parser.set_defaults(handler="check:run")
