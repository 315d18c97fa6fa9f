"""The command line: arguments, signals, exit codes. What a command does lives below."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module

from forwarder import __version__, launch
from forwarder.cli import disk_watch, signals

_MODULES = {
    "run": "run",
    "check": "check",
    "test": "test",
    "status": "status",
    "reload": "reload",
    "upgrade": "upgrade",
    "events": "history",
    "deliveries": "history",
    "dead": "dead",
    "replay": "replay",
    "pause": "pause",
    "resume": "pause",
    "reconnect": "reconnect",
    "audit": "audit",
    "gaps": "gaps",
    "outbox": "outbox",
    "demo": "demo",
    "send": "send",
    "listen": "listen",
    "emulate": "emulate",
    "tail": "tail",
    "preview": "preview",
    "explain": "explain",
    "backtest": "backtest",
    "schema": "schema",
}
"""Where each command is. Only what is asked for is loaded: the daemon carries no emulator, and starts sooner."""
_WITHOUT_OUTBOX = frozenset({"run", "check", "test", "demo", "send", "listen", "emulate", "tail", "preview", "schema"})
"""Commands that never wait for the disk with the outbox; `run` is the one that has it."""


@contextmanager
def _without_rich() -> Iterator[None]:
    """Keep rich out of the daemon: structlog would load it, to draw tracebacks that we have it not draw; 6 MB of memory."""
    is_loaded = "rich" in sys.modules
    if not is_loaded:
        sys.modules["rich"] = None  # type: ignore[assignment] # Python's way to say that there is none
    try:
        yield
    finally:
        if not is_loaded:
            del sys.modules["rich"]


def _open_standard_files() -> None:
    """Have standard input, output and error open, if need be to nowhere: another file would get their numbers, and what is printed."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:  # closed by whoever started us
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
            os.set_inheritable(descriptor, True)
            file = os.fdopen(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False)
            setattr(sys, name, file)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `forwarder.cli.exit_codes`)."""
    if argv is None and sys.argv[1:2] == ["run"]:  # before anything is loaded: that takes some tenths of a second
        signals.handle_early()
        launch.fork_as_successor()
    import argparse  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="forwarder",
        description="Self-hosted push for scrape.st: one stream in, YAML rules, webhooks out, nothing accepted is lost.",
        epilog="A command that asks the running daemon, or reads the outbox, ends with exit code 69 where the daemon or the disk does not "
        "answer: within 5 seconds, or within minutes where reload, upgrade, replay and vacuum have more to do.",
    )
    parser.add_argument("--version", action="version", version=f"forwarder {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    given = sys.argv[1:] if argv is None else list(argv)
    if argv is None:
        _open_standard_files()
    asked = _MODULES.get(given[0]) if given else None
    for module in [asked] if asked else dict.fromkeys(_MODULES.values()):
        with _without_rich() if asked == "run" else nullcontext():
            import_module(f"forwarder.cli.{module}").add_parser(commands)
    arguments = parser.parse_args(given)
    if argv is None and asked not in _WITHOUT_OUTBOX:
        disk_watch.work_in_child()
    try:
        code: int = arguments.handler(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from complaining about it when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
