"""`forwarder demo`: see it work, without a key and without a network."""

import argparse
import asyncio
import re
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from forwarder.cli import exit_codes
from forwarder.cli.run import run_in_loop
from forwarder.demo import DemoResult, run_demo
from forwarder.demo.screen import Screen
from forwarder.logs import configure_logging


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "demo", help="a stream, the daemon and two receivers, all on this machine; needs no key"
    )
    parser.add_argument("--rate", type=_positive, default=14.0, help="events per second (default: 14)")
    parser.add_argument("--count", type=_count, help="how many events (default: the packaged 208)")
    parser.add_argument("--forever", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw what was shown as a picture")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and return the exit code: 0 when nothing was lost."""
    # Its own troubles are what the demo shows; the log would say everything twice.
    configure_logging(level="critical", format_="console")
    is_wide = arguments.svg is not None or not sys.stdout.isatty()
    console = Console(record=arguments.svg is not None, width=120 if is_wide else None)
    results: list[DemoResult] = []
    with tempfile.TemporaryDirectory(prefix="forwarder-demo-") as folder:
        run_in_loop(_run(arguments, Screen(console), Path(folder), results))
    if arguments.svg is not None:
        # Without its web fonts: the picture loads nothing from anywhere, a viewer takes its own monospaced one.
        picture = re.sub(r"@font-face \{.*?\}\n", "", console.export_svg(title="forwarder demo"), flags=re.DOTALL)
        arguments.svg.write_text(picture, encoding="utf-8")
    return exit_codes.OK if results[0].lost == 0 else exit_codes.FAILURE


async def _run(arguments: argparse.Namespace, screen: Screen, folder: Path, results: list[DemoResult]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    results.append(
        await run_demo(screen, folder, rate=arguments.rate, count=arguments.count, forever=arguments.forever, stop=stop)
    )


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 10_000:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 10000")
    return value
