"""What `forwarder init` accepts."""

from pathlib import Path

from forwarder.cli.arguments.options import Commands
from forwarder.cli.arguments.values import named_path
from forwarder.configfile.locations import HERE


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "init",
        description="Write a first config: one stream, one destination, one route. On a terminal, it asks for what no option says. Secrets are written to "
        "files of their own, which only this user can read.",
    )
    parser.add_argument("file", nargs="?", type=named_path, default=HERE, metavar="FILE", help=f"default: {HERE}")
    parser.add_argument("--url", metavar="URL", help="the webhook that gets the posts; - reads it from standard input")
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="a file with the API key of scrape.st; without it, the config uses the variable SCRAPEST_API_KEY",
    )
    key.add_argument(
        "--public",
        action="store_true",
        help="use the public stream, which needs no key; its posts are cut after 100 characters",
    )
    parser.add_argument("--words", metavar="LIST", help="only posts with one of these words, such as btc,eth")
    parser.add_argument("--sources", metavar="LIST", help="only posts of these sources, such as x,telegram")
    parser.add_argument("--chat", metavar="ID", help="the chat, if the webhook is a bot of Telegram")
    parser.add_argument("--force", action="store_true", help="replace the files if they exist")
    parser.set_defaults(handler="init:run")
