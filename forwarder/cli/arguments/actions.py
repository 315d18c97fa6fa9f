"""What `forwarder actions` accepts."""

from forwarder.cli.arguments.filters import add_list, add_period
from forwarder.cli.arguments.options import Commands, add_config


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "actions",
        description="List what people did: pauses, replays, resends, changes of dead letters, forgotten authors, and edits of the config "
        "that became active; the latest first, with the user who did it.",
    )
    add_period(parser)
    add_list(parser)
    add_config(parser)
    parser.set_defaults(handler="actions:run")
