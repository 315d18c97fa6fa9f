"""What `forwarder forget` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json
from forwarder.cli.arguments.values import not_empty, source


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "forget",
        description="Delete everything that the outbox has of the posts of one author: the events, their deliveries and attempts, and what "
        "receivers answered. The space is overwritten and given back to the disk. This cannot be undone.",
    )
    parser.add_argument(
        "--author",
        type=not_empty,
        required=True,
        metavar="NAME",
        help="a handle, the id of an account, or a displayed name that only one author has",
    )
    parser.add_argument(
        "--source", type=source, metavar="NAME", help="only posts of this source: x, fast-x, telegram …"
    )
    parser.add_argument("--dry-run", action="store_true", help="only show what would be deleted")
    parser.add_argument("--yes", action="store_true", help="do not ask first")
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler="forget:run")
