"""The command line: arguments, signals, exit codes. What a command does lives below."""

import argparse
import os
import sys
from collections.abc import Sequence

from forwarder import __version__
from forwarder.cli import check, demo, emulate, listen, run

_COMMANDS = (run, check, demo, listen, emulate)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `forwarder.cli.exit_codes`)."""
    parser = argparse.ArgumentParser(
        prog="forwarder",
        description="Self-hosted push for scrape.st: one stream in, YAML rules, webhooks out, nothing accepted is lost.",
    )
    parser.add_argument("--version", action="version", version=f"forwarder {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.handler(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from complaining about it when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
