"""What `forwarder gaps` accepts."""

from forwarder.cli.arguments.filters import add_list, add_period
from forwarder.cli.arguments.options import Commands, add_config


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("gaps")
    add_period(parser)
    parser.add_argument("--stream", metavar="NAME", help="only gaps of this stream")
    parser.add_argument("--open", action="store_true", help="only gaps that have not ended")
    add_list(parser)
    add_config(parser)
    parser.set_defaults(handler="gaps:list_gaps")
