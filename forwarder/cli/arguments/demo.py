"""What `forwarder demo` accepts."""

from pathlib import Path

from forwarder.cli.arguments.options import Commands
from forwarder.cli.arguments.values import demo_rate, whole_number


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("demo")
    parser.add_argument("--rate", type=demo_rate, help="events per second (default: 14)")
    parser.add_argument("--count", type=whole_number, help="how many events (default: the packaged 208)")
    parser.add_argument("--forever", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--live",
        action="store_true",
        help="with real posts: the public stream of scrape.st, which needs no key, until Ctrl-C",
    )
    parser.add_argument("--url", default="", help="with --live (default: https://scrape.st/stream)")
    parser.add_argument(
        "--page", action="store_true", help="also serve the daemon's page, show its address, and go on until Ctrl-C"
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also save what was shown as an SVG picture")
    parser.set_defaults(handler="demo:run", parser=parser)
