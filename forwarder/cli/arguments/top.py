"""What `forwarder top` accepts."""

from forwarder.cli.arguments.filters import add_live_filters, add_match
from forwarder.cli.arguments.options import Commands, add_config


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "top",
        description="Show the running daemon on the whole screen: its verdict, rates and latency of each stream, destination and route, and "
        "below them what passes. Keys pause and resume a destination, open an event, and send it again. The options narrow what passes. "
        "It needs the extra forwarder[top].",
    )
    add_match(parser)
    add_live_filters(parser)
    add_config(parser)
    parser.set_defaults(handler="top:run")
