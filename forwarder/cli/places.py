"""Where the commands beside the daemon find the outbox and the control socket, and how they change the one or ask the other."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

from forwarder.admin.client import Control, DaemonRefusedError, NoDaemonError, control
from forwarder.cli import exit_codes
from forwarder.cli.config_file import (
    UNIT_CONFIG,
    UNIT_OUTBOX,
    ConfigError,
    ConfigUnreadableError,
    daemon_socket,
    is_there,
    outbox_path,
    read_text,
    without_collections,
)
from forwarder.cli.progress import waiting_for
from forwarder.core.changes import Change, Changed, PauseChange, Replay
from forwarder.core.config.outline import load_outline
from forwarder.outbox.access import transaction, writing
from forwarder.outbox.changes import apply
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError

_HERE = Path("config.yaml")

SLICE_WITHIN = timedelta(minutes=1)
"""A slice of a replay or of a vacuum, by the daemon: milliseconds, unless its disk is slow."""

Handler = Callable[[argparse.Namespace], int]


class UsageError(Exception):
    """Arguments that do not go together; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What a config says about where things are."""

    outbox: Path
    socket: Path
    destinations: frozenset[str]


def add_config(parser: argparse.ArgumentParser, *, default: object = None) -> None:
    """Add `-c`. For a parser below one that has it, `default` is `argparse.SUPPRESS`: it must not undo what stood before."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=default,
        help=f"default: {_HERE}, or {UNIT_CONFIG} where there is none in this folder",
    )


def config_path(arguments: argparse.Namespace) -> Path:
    """Return the config that is meant."""
    given: Path | None = arguments.config
    return given or (_HERE if is_there(_HERE) or not is_there(UNIT_CONFIG) else UNIT_CONFIG)


def places(arguments: argparse.Namespace) -> Places:
    """Return where things are. Raises `ConfigError`, `ConfigUnreadableError`."""
    return places_of(config_path(arguments))


def places_of(config: Path) -> Places:
    """Return where things are by this config. Raises `ConfigError`, `ConfigUnreadableError`."""
    text = read_text(config)
    with without_collections():
        outline = load_outline(text, name=str(config), env=os.environ)
    outbox = outbox_path(outline.outbox, config)
    if outline.outbox.url is None and not is_there(outbox) and is_there(UNIT_OUTBOX):
        outbox = UNIT_OUTBOX
    return Places(outbox=outbox, socket=daemon_socket(outline.admin, config, outbox), destinations=outline.destinations)


def told(handler: Handler) -> Handler:
    """Have what goes wrong told in a sentence, with an exit code of its own."""

    @wraps(handler)
    def run(arguments: argparse.Namespace) -> int:
        try:
            return handler(arguments)
        except (ConfigError, ConfigUnreadableError) as error:
            print(error, file=sys.stderr)
            return exit_codes.BAD_CONFIG
        except UsageError as error:
            print(error, file=sys.stderr)
            return exit_codes.USAGE
        except OutboxUnusableError as error:
            print(error, file=sys.stderr)
            return exit_codes.OUTBOX_CODES[error.problem]
        except NoDaemonError as error:
            print(error, file=sys.stderr)
            return exit_codes.NO_DAEMON
        except DaemonRefusedError as error:
            print(error, file=sys.stderr)
            return exit_codes.FAILURE

    return run


def _ask_for(daemon: Control, change: Change) -> dict[str, Any]:
    """Return what a slice of a change came to; a large one may take longer than an answer."""
    if isinstance(change, PauseChange):
        return daemon.ask(change)
    return daemon.ask(change, within=SLICE_WITHIN, waiting=waiting_for("the daemon writes into its outbox"))


@contextmanager
def changer(found: Places) -> Iterator[Callable[[Change], Changed]]:
    """Give what does one slice of a change: in the file under its lock, or by the daemon that holds that.

    Raises `OutboxUnusableError`, `NoDaemonError`, `DaemonRefusedError`, `UsageError`.
    """
    with ExitStack() as held:
        try:
            connection = held.enter_context(writing(found.outbox))
        except OutboxUnusableError as error:
            if error.problem not in {OutboxProblem.IN_USE, OutboxProblem.UNWRITABLE}:
                raise
            try:  # where the file is not ours to open, the daemon may let us have it changed
                daemon = held.enter_context(control(found.socket))
            except NoDaemonError:
                if error.problem is OutboxProblem.IN_USE:
                    raise
                raise error from None
            yield lambda change: Changed.model_validate(_ask_for(daemon, change))
            return

        def change_file(change: Change) -> Changed:
            name = change.to if isinstance(change, Replay) else None
            name = change.destination if isinstance(change, PauseChange) else name
            if name is not None and name not in found.destinations:
                names = ", ".join(sorted(found.destinations))
                raise UsageError(f"no enabled destination is called {name!r}; there are: {names}")
            with transaction(connection):
                return apply(connection, change)

        yield change_file
