"""What `forwarder run` accepts."""

from forwarder.cli.arguments.options import Commands, add_config


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("run")
    add_config(parser)
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.add_argument(
        "--log-format",
        choices=("auto", "console", "json"),
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
