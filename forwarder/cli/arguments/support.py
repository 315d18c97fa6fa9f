"""What `forwarder support` accepts."""

from pathlib import Path

from forwarder.cli.arguments.options import Commands, add_config
from forwarder.cli.arguments.values import named_path


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "support",
        description="Write a bundle for a bug report: versions, the settings of the config, its mistakes, the status of the daemon, and "
        "counts of the outbox. It has no secrets, no addresses of webhooks, no rules and no posts. Look through it before you send it.",
    )
    parser.add_argument(
        "file",
        type=named_path,
        nargs="?",
        default=Path("forwarder-support.tar.gz"),
        metavar="FILE",
        help="must not exist yet; default: forwarder-support.tar.gz",
    )
    add_config(parser)
    parser.set_defaults(handler="support:run")
