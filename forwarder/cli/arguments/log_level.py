"""What `forwarder log-level` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import named_words, one_of, pause_length

LEVELS = ("debug", "info", "warning", "error")


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "log-level",
        description="Change which lines the running daemon logs, or show it. It is not kept over a restart or an upgrade: "
        "run --log-level is the level of the start.",
    )
    parser.add_argument(
        "level",
        type=one_of(*LEVELS),
        metavar="LEVEL",
        nargs="?",
        help=f"{named_words(*LEVELS)}; default: only show it",
    )
    parser.add_argument(
        "--for",
        type=pause_length,
        dest="seconds",
        metavar="TIME",
        help="go back to the level of the start after this time, such as 10m or 2h; default: until it is changed again",
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler="log_level:run", parser=parser)
