"""What `forwarder send` accepts."""

from forwarder.cli.arguments.options import Commands, add_config, add_json


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "send",
        description="Send one event to one destination, once and without the outbox, and print the whole exchange. "
        "Secrets are masked. The exit code is 0 if the receiver answered 2xx, else 1.",
    )
    parser.add_argument("destination", metavar="DESTINATION", help="its name in the config")
    parser.add_argument(
        "--event",
        metavar="FILE",
        help="an event as the stream sends it; - for standard input (default: an event that says it is a test)",
    )
    add_json(parser)
    add_config(parser)
    parser.set_defaults(handler="send:send")
