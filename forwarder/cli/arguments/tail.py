"""What `forwarder tail` accepts."""

from forwarder.cli.arguments.filters import add_live_filters, add_match
from forwarder.cli.arguments.options import Commands, add_config, add_json, add_wide


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "tail",
        description="Show what passes through the running daemon: one line for each event and each attempt, from now on, until Ctrl-C. "
        "A slow terminal loses lines and is told how many; it never slows the daemon. What was before: forwarder events, forwarder deliveries. "
        "With --public: show scrape.st's public stream instead (fast-x, telegram and discord), which needs no daemon and no key; each "
        "event is cut after 100 characters and has no ids.",
    )
    add_match(parser)
    add_live_filters(parser)
    add_wide(parser)
    add_json(parser)
    add_config(parser)
    parser.add_argument("--public", action="store_true", help="the public stream; needs no API key")
    parser.add_argument("--url", default="", help="of --public; default: https://scrape.st/stream")
    parser.set_defaults(handler="tail:run", parser=parser)
