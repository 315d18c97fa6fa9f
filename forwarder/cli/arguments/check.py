"""What `forwarder check` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import named_path


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check",
        description="Check a config, with the files that it names and its tests, and show each mistake and each warning with its place. Of a folder, "
        "each config in it is checked.",
    )
    parser.add_argument(
        "configs",
        nargs="*",
        type=named_path,
        metavar="CONFIG",
        help="configs, or folders with configs, in place of the one in -c",
    )
    add_config(parser)
    parser.add_argument("--diff", action="store_true", help="also show what would change in the running daemon")
    parser.add_argument("--connect", action="store_true", help="also connect to each stream, to verify the API key")
    add_json(parser)
    parser.set_defaults(handler="check:run")
