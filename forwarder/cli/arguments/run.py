"""What `forwarder run` accepts."""

from forwarder.cli.arguments.log_level import LEVELS
from forwarder.cli.arguments.options import Commands, add_config
from forwarder.cli.arguments.values import named_words, one_of

_FORMATS = ("auto", "console", "json")


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("run")
    add_config(parser)
    parser.add_argument(
        "--log-level",
        type=one_of(*LEVELS),
        metavar=named_words(*LEVELS),
        default="info",
        help="which lines the log has; forwarder log-level changes it while the daemon runs; default: info",
    )
    parser.add_argument(
        "--log-format",
        type=one_of(*_FORMATS),
        metavar=named_words(*_FORMATS),
        default="auto",
        help="auto: console on a terminal, JSON otherwise",
    )
    parser.add_argument(
        "--takeover",
        action="store_true",
        help="take over from the forwarder that runs with this config, normally without a missed or repeated event (exceptions: "
        "docs/upgrading.md)",
    )
    parser.set_defaults(handler="run:run")
