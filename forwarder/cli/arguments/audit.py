"""What `forwarder audit` accepts."""

from forwarder.cli.arguments.filters import add_since
from forwarder.cli.arguments.options import Commands, add_config, add_json


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("audit")
    add_config(parser)
    add_since(parser, help_="default: everything that is kept")
    add_json(parser)
    parser.set_defaults(handler="audit:run")
