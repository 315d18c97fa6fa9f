"""What `forwarder tail` accepts."""

from forwarder.cli.arguments.options import Commands


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "tail",
        description="Show scrape.st's public stream: fast-x, telegram and discord. Each event is cut after 100 characters and has no "
        "ids. To forward it, write `transport: public`. To see what the daemon receives, use `forwarder events`.",
    )
    parser.add_argument("--public", action="store_true", help="the public stream; needs no API key")
    parser.add_argument("--url", default="", help="default: https://scrape.st/stream")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.set_defaults(handler="tail:run", parser=parser)
