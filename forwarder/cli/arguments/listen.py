"""What `forwarder listen` accepts."""

from forwarder.cli.arguments.options import Commands
from forwarder.cli.arguments.signatures import add_signatures
from forwarder.cli.arguments.values import host, http_status, port, seconds, whole_number

_DEFAULT_PORT = 9000


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "listen",
        description="A webhook receiver. It prints each request and answers 200. The options have it refuse requests, or require "
        "signatures. It accepts any path.",
    )
    parser.add_argument("--host", type=host, default="127.0.0.1", help="default: 127.0.0.1")
    parser.add_argument(
        "--port", type=port, default=_DEFAULT_PORT, help=f"default: {_DEFAULT_PORT}; 0 takes any free port"
    )
    parser.add_argument("--status", type=http_status, default=200, help="the status to answer (default: 200)")
    parser.add_argument("--delay", type=seconds, default=0.0, metavar="TIME", help="before each answer, e.g. 2s")
    parser.add_argument("--fail-first", type=whole_number, default=0, metavar="N", help="refuse the first N requests")
    parser.add_argument(
        "--fail-for", type=seconds, default=0.0, metavar="TIME", help="refuse for this long from the first request"
    )
    parser.add_argument("--fail-status", type=http_status, default=503, help="the status of a refusal (default: 503)")
    parser.add_argument("--count", type=whole_number, metavar="N", help="exit after N accepted requests")
    parser.add_argument("--body", action="store_true", help="print each body as it came")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    add_signatures(parser)
    parser.set_defaults(handler="listen:run")
