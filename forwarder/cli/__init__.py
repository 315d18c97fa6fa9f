"""The command line: arguments, signals, exit codes. What a command does lives below."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from forwarder import __version__

_MODULES = {
    "run": "run",
    "check": "check",
    "status": "status",
    "events": "history",
    "deliveries": "history",
    "dead": "dead",
    "replay": "replay",
    "audit": "audit",
    "outbox": "outbox",
    "demo": "demo",
    "listen": "listen",
    "emulate": "emulate",
}
"""Where each command is. Only what is asked for is loaded: the daemon carries no emulator, and starts sooner."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `forwarder.cli.exit_codes`)."""
    parser = argparse.ArgumentParser(
        prog="forwarder",
        description="Self-hosted push for scrape.st: one stream in, YAML rules, webhooks out, nothing accepted is lost.",
    )
    parser.add_argument("--version", action="version", version=f"forwarder {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    given = sys.argv[1:] if argv is None else list(argv)
    asked = _MODULES.get(given[0]) if given else None
    for module in [asked] if asked else dict.fromkeys(_MODULES.values()):
        import_module(f"forwarder.cli.{module}").add_parser(commands)
    arguments = parser.parse_args(given)
    try:
        code: int = arguments.handler(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from complaining about it when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
