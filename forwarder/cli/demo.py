"""`forwarder demo`: shows forwarder at work, without a key and without a network."""

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
from forwarder.cli.terminal import with_colours
from forwarder.demo import DemoResult, run_demo
from forwarder.demo.screen import Screen
from forwarder.logs.setup import configure_logging


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and return the exit code: 0 if nothing was lost."""
    # The demo shows the faults itself; the log would repeat them.
    configure_logging(level="critical", format_="console")
    is_wide = arguments.svg is not None or not sys.stdout.isatty()
    console = _DemoConsole(
        file=with_colours(sys.stdout), record=arguments.svg is not None, width=120 if is_wide else None
    )
    results: list[DemoResult] = []
    with tempfile.TemporaryDirectory(prefix="forwarder-demo-") as folder:
        run_in_loop(_run(arguments, console, Path(folder), results))
    if console.is_broken:
        raise BrokenPipeError
    if arguments.svg is not None:
        # Without its web fonts, so that the picture loads nothing; a viewer uses its own monospaced font.
        picture = re.sub(r"@font-face \{.*?\}\n", "", console.export_svg(title="forwarder demo"), flags=re.DOTALL)
        arguments.svg.write_text(picture, encoding="utf-8")
    return exit_codes.OK if results[0].lost == 0 else exit_codes.FAILURE


class _DemoConsole(Console):
    """Ends the demo in an orderly way when nobody reads its output."""

    stop: asyncio.Event
    is_broken = False

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.is_broken = self.quiet = True
        self.stop.set()


async def _run(arguments: argparse.Namespace, console: _DemoConsole, folder: Path, results: list[DemoResult]) -> None:
    stop, screen = asyncio.Event(), Screen(console)
    console.stop = stop
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    results.append(
        await run_demo(screen, folder, rate=arguments.rate, count=arguments.count, forever=arguments.forever, stop=stop)
    )
