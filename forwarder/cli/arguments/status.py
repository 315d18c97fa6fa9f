"""What `forwarder status` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import positive_seconds


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("status")
    add_config(parser)
    forms = parser.add_mutually_exclusive_group()
    add_json(forms)
    forms.add_argument("--prometheus", action="store_true", help="metrics in the text format of Prometheus")
    parser.add_argument(
        "--watch",
        type=positive_seconds,
        nargs="?",
        const=2.0,
        metavar="SECONDS",
        help="show it again and again, every so many seconds (default: 2)",
    )
    parser.set_defaults(handler="status:run")
