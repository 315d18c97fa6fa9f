"""Runs a command: chooses its module, reads its arguments, and returns its exit code."""

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module

from forwarder.cli import signals
from forwarder.cli.command_line import arranged
from forwarder.upgrade import launcher

TYPE_CHECKING = False  # as in `signals`: nothing is loaded before `run` handles its signals
if TYPE_CHECKING:
    from argparse import Namespace

COMMANDS = {
    "run": ("run", "run the daemon in the foreground, until SIGTERM or Ctrl-C"),
    "init": ("init", "write a first config, from four questions or from options"),
    "check": ("check", "check a config, and show each mistake with its place"),
    "test": ("test", "run the tests of the rules"),
    "status": ("status", "show the state of the running daemon, and what is queued"),
    "reload": ("reload", "have the running daemon read its config again, and show what changes"),
    "upgrade": ("upgrade", "have the running daemon hand over to the version on disk"),
    "events": ("history", "list the events in the outbox; `events show ID`: one with its body"),
    "deliveries": ("history", "list the deliveries; `deliveries show ID`: one with every attempt"),
    "dead": ("dead", "list, show, replay or drop dead letters"),
    "replay": ("replay", "deliver events of the history to a destination (again)"),
    "resend": ("resend", "deliver one event again: to where it went, or to one destination"),
    "forget": ("forget", "delete everything that the outbox has of one author"),
    "pause": ("pause", "send nothing to a destination until it is resumed; its deliveries are kept"),
    "resume": ("pause", "send to a paused destination again, including the deliveries that waited"),
    "reconnect": ("reconnect", "reconnect a stream now, without a gap"),
    "log-level": ("log_level", "show or change what the running daemon logs, also for a time"),
    "actions": ("actions", "list what people did: pauses, replays, resends, edits, and by which user"),
    "audit": ("audit", "check that every event and delivery is accounted for"),
    "gaps": ("gaps", "list stream outages and what was recovered"),
    "outbox": ("outbox", "check, vacuum, back up or export the outbox file"),
    "demo": ("demo", "run a stream, the daemon and two receivers on this machine; needs no key"),
    "send": ("send", "send a test event to one destination, and show the exchange"),
    "listen": ("listen", "run a webhook receiver that prints each request"),
    "emulate": ("emulate", "run a local emulator of scrape.st: WebSocket, SSE, faults on demand"),
    "tail": ("tail", "show events and attempts as they pass; --public: scrape.st's public stream"),
    "top": ("top", "show rates, latency and what passes on the whole screen, with keys to act"),
    "preview": ("preview", "show the message that a format makes of an event"),
    "explain": ("explain", "show which routes match an event, and why the others do not"),
    "backtest": ("backtest", "run a changed config over the history, and show what it would send differently"),
    "support": ("support", "write a bundle without secrets for a bug report"),
    "schema": ("schema", "print the JSON Schema of the config, for editors"),
    "completion": ("completion", "print a script with which bash, zsh or fish completes commands and options"),
}
"""The module of its arguments, and what `forwarder --help` says of it, for each command. Only modules of the command given are loaded."""
_WITHOUT_OUTBOX = frozenset(
    {
        "run",
        "init",
        "check",
        "test",
        "demo",
        "send",
        "listen",
        "emulate",
        "tail",
        "top",
        "preview",
        "schema",
        "completion",
    }
)
"""Commands that never wait for the disk with the outbox; `run` has its own watch over it."""
_WITH_SECRETS = frozenset({"run", "check", "test", "send", "preview", "support"})
"""Commands that read the secrets of a config."""

_CERTIFICATES = "SSL_CERT_FILE"
"""Names the file of the CA certificates for OpenSSL."""
_OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""A command ends soon: with Python's own 700 it looks for garbage all the while it loads its modules, a tenth of what `check` costs."""


@contextmanager
def _without_rich() -> Iterator[None]:
    """Keep rich out of the daemon: structlog would load it for tracebacks that we never have it draw, and it takes 6 MB of memory."""
    is_loaded = "rich" in sys.modules
    if not is_loaded:
        sys.modules["rich"] = None  # type: ignore[assignment] # Python's way to say that there is none
    try:
        yield
    finally:
        if not is_loaded:
            del sys.modules["rich"]


@contextmanager
def _without_certificates() -> Iterator[None]:
    """Keep aiohttp from reading the CA certificates of the system while it is loaded: they take 2 MiB.

    The daemon has a context of its own for its streams and destinations, where a URL has TLS. With the one of aiohttp no certificate
    would be accepted.
    """
    usual = os.environ.get(_CERTIFICATES)
    os.environ[_CERTIFICATES] = os.devnull
    try:
        yield
    finally:
        del os.environ[_CERTIFICATES]
        if usual is not None:
            os.environ[_CERTIFICATES] = usual


def _open_standard_files() -> None:
    """Open standard input, output and error to nowhere where they are closed: another file would get their numbers, and our output."""
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
    given = arranged(sys.argv[1:] if argv is None else argv)
    is_run = given[:1] == ["run"]
    if argv is None and is_run:  # before the daemon is loaded: that takes some tenths of a second
        signals.handle_early()
        launcher.fork_as_successor()
    if argv is None:
        _open_standard_files()
    from forwarder.cli.terminal import output_escaped  # after the signals are handled

    with nullcontext() if is_run else output_escaped():  # the log of the daemon does that itself
        return _main(given, is_process=argv is None)


def _main(given: list[str], *, is_process: bool) -> int:
    """Run one command and return its exit code, also if its output or a file is the reason why it cannot go on."""
    try:
        try:
            return _run(given, is_process=is_process)
        finally:
            sys.stdout.flush()  # here, where an error has a sentence
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _drop_output()
        return 141
    except OSError as error:  # a file or folder that no command expects to fail: a sentence says more than a traceback
        _drop_output()
        print(f"forwarder: {_sentence(error)}", file=sys.stderr)
        return 1


def _run(given: list[str], *, is_process: bool) -> int:
    """Run the command; `is_process`: this process does nothing else."""
    from forwarder.cli.parser import parse, whole_parser  # after the signals are handled

    if is_process:
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")  # we have none, and to look for them takes 0.03 s
        os.environ.setdefault(
            "FROZENLIST_NO_EXTENSIONS", "true"
        )  # it alone loads the C++ library, 0.9 MiB, and no event needs it
    name = given[0] if given else ""
    arguments = parse(whole_parser(COMMANDS, loaded=frozenset([name])), given)
    if is_process and name != "run":
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    if is_process and name in _WITH_SECRETS:
        from forwarder.private_memory import keep_memory_private  # ctypes takes 5 ms to load

        keep_memory_private()
    if name == "run":
        with _without_rich(), _without_certificates():
            handler = find_handler(arguments.handler)
    else:
        handler = find_handler(arguments.handler)
    if is_process and name not in _WITHOUT_OUTBOX:
        from forwarder.cli import disk_watch  # the commands without the outbox do not need it

        disk_watch.work_in_child()
    return handler(arguments)


def _drop_output() -> None:
    """Keep the interpreter from complaining at its end about output that nobody reads, or that cannot be written."""
    with suppress(OSError, ValueError):  # it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: OSError) -> str:
    """Return what went wrong, with which file, and what to do if it is a matter of permissions."""
    where = f"{error.filename}: " if error.filename else ""
    advice = (
        ". Run it as a user who may do this: as root (sudo forwarder …), or as the user that runs forwarder"
        if isinstance(error, PermissionError)
        else ""
    )
    return f"{where}{error.strerror or error}{advice}"


def find_handler(name: str) -> "Callable[[Namespace], int]":
    """Return the function that `module:function` names."""
    module, _, function = name.partition(":")
    handler: Callable[[Namespace], int] = getattr(import_module(f"forwarder.cli.{module}"), function)
    return handler
