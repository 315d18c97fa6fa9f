"""What `forwarder upgrade` accepts."""

from forwarder.cli.arguments.options import Commands, add_config


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "upgrade",
        description="Have the running daemon hand over to the version on disk, normally without a missed or repeated event (exceptions: "
        "docs/upgrading.md). The new process has 3 minutes to take over, and 15 to open the outbox.",
    )
    add_config(parser)
    parser.set_defaults(handler="upgrade:run")
