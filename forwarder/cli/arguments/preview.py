"""What `forwarder preview` accepts."""

from forwarder.cli.arguments.options import Commands, add_config
from forwarder.cli.arguments.values import named_words, one_of

_FORMATS = ("raw", "text", "discord", "slack", "telegram")


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "preview",
        description="Show the request body that a destination would get, without sending it. Without --event, it shows a sample event of "
        "each source. forwarder send shows the headers too.",
    )
    parser.add_argument(
        "destination", nargs="?", metavar="DESTINATION", help="a destination of the config, with all its settings"
    )
    add_config(parser)
    parser.add_argument(
        "--format",
        type=one_of(*_FORMATS),
        metavar=named_words(*_FORMATS),
        help="a format, without a config; a template needs a destination",
    )
    parser.add_argument("--event", metavar="FILE", help="a file with an event as JSON; - reads standard input")
    parser.add_argument("--json", action="store_true", help="print only the bodies")
    parser.set_defaults(handler="preview:run", parser=parser)
