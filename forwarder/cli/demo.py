"""`forwarder demo`: shows forwarder at work, without a key and without a network, or with `--live` on the real public stream."""

import argparse
import asyncio
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from forwarder.cli import exit_codes
from forwarder.cli.run import run_in_loop
from forwarder.cli.terminal import with_colours
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.config.values.urls import parse_stream_url, url_of_stream
from forwarder.daemon.task_group import task_group
from forwarder.demo import DemoResult, StreamAwayError, run_demo, run_live_demo
from forwarder.demo.page import free_address, open_browser
from forwarder.demo.screen import Screen
from forwarder.logs.setup import configure_logging

_RATE = 14.0
"""Events per second, where nothing else is asked for."""
_KNOCK_EVERY_S = 0.05
"""How often it is tried whether the daemon serves its page yet."""


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and return the exit code: 0 if nothing was lost."""
    url = _live_url(arguments) if arguments.live else None
    # The demo shows the faults itself; the log would repeat them.
    configure_logging(level="critical", format_="console")
    is_wide = arguments.svg is not None or not (sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal())
    console = _DemoConsole(
        file=with_colours(sys.stdout), record=arguments.svg is not None, width=120 if is_wide else None
    )
    results: list[DemoResult] = []
    with tempfile.TemporaryDirectory(prefix="forwarder-demo-") as folder:
        try:
            run_in_loop(_run(arguments, console, Path(folder), results, url))
        except StreamAwayError as error:
            print(f"forwarder demo: {error}", file=sys.stderr)
            return exit_codes.FAILURE
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


def _live_url(arguments: argparse.Namespace) -> str:
    """Return the address of the public stream. Ends the command if the options do not fit."""
    parser: argparse.ArgumentParser = arguments.parser
    if arguments.rate is not None or arguments.forever:
        parser.error(
            "--rate and --forever do not go with --live: real posts come when they come, until Ctrl-C or --count"
        )
    try:
        return url_of_stream(parse_stream_url(arguments.url), "public")
    except WrongValueError as error:
        parser.error(f"argument --url: expected https://host/path or http://host:port/path; {error}")


async def _run(
    arguments: argparse.Namespace, console: _DemoConsole, folder: Path, results: list[DemoResult], url: str | None
) -> None:
    stop, screen = asyncio.Event(), Screen(console)
    console.stop = stop
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    page = free_address() if arguments.page else None
    async with task_group() as group:
        opening = None if page is None else group.create_task(_show_page(screen, page))
        if url is not None:
            results.append(await run_live_demo(screen, folder, url=url, count=arguments.count, stop=stop, page=page))
        else:
            rate = _RATE if arguments.rate is None else arguments.rate
            count, forever = arguments.count, arguments.forever
            results.append(
                await run_demo(screen, folder, rate=rate, count=count, forever=forever, stop=stop, page=page)
            )
        if opening is not None:
            opening.cancel()


async def _show_page(screen: Screen, page: str) -> None:
    """Show where the page is, and open it on a desktop, once the daemon serves it."""
    host, _, port = page.partition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(_KNOCK_EVERY_S)
        else:
            break
    writer.close()
    screen.show_page(page)
    await open_browser(f"http://{page}/", os.environ)
