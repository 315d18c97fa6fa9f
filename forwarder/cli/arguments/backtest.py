"""What `forwarder backtest` accepts."""

from pathlib import Path

from forwarder.cli.arguments.filters import add_since
from forwarder.cli.arguments.options import Commands, add_config, add_json, add_wide
from forwarder.cli.arguments.values import row_count


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "backtest",
        description="Run a changed config (-c) over the events in an outbox, and compare what it would have sent with the deliveries that the "
        "outbox has recorded. It sends nothing and writes nothing. The daemon may run at the same time.",
    )
    add_config(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--outbox", type=Path, metavar="FILE", help="the outbox to read; default: that of the config in -c"
    )
    where.add_argument(
        "--against",
        type=Path,
        metavar="CONFIG",
        help="read the outbox of this config, usually the active one; its routes are not used",
    )
    parser.add_argument(
        "--folded",
        action="store_true",
        help="compare the config with itself instead: which routes match more or fewer events with folded texts than with exact: true",
    )
    add_since(parser)
    parser.add_argument("--limit", type=row_count, metavar="N", help="the newest N events")
    parser.add_argument("--examples", type=int, default=5, metavar="N", help="of each kind; default: 5")
    parser.add_argument(
        "--fail-on-change",
        action="store_true",
        help="exit with 1 if anything would be sent differently; with --folded, if a route would match differently",
    )
    add_wide(parser)
    add_json(parser)
    parser.set_defaults(handler="backtest:run")
