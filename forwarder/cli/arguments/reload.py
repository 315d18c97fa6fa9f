"""What `forwarder reload` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "reload",
        description="Have the running daemon read its config again, and show what changes. The daemon has 2 minutes to answer.",
    )
    add_config(parser)
    add_json(parser)
    parser.set_defaults(handler="reload:run")
