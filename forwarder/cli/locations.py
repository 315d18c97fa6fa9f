"""Finds the outbox and the control socket for a command, and prints errors as sentences with their exit codes."""

import argparse
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.configfile.includes import finder
from forwarder.configfile.locations import (
    UNIT_OUTBOX,
    UNIT_SOCKET,
    ConfigUnreadableError,
    choose_config,
    choose_outbox,
    daemon_socket,
    is_there,
    read_text,
    without_collections,
)
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.core.commands import StatusRequest
from forwarder.core.config.partial import load_outline
from forwarder.core.monitoring.status import UnreadableStatusError, decode_status
from forwarder.core.yaml.problems import ConfigError
from forwarder.outbox.problems import OutboxUnusableError

_NAMES_A_FILE = "event"
"""The only argument that names a file and is a text, because it may be `-`."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes in an argument that are not UTF-8."""

CommandHandler = Callable[[argparse.Namespace], int]


class UsageError(Exception):
    """Arguments that are wrong or do not go together; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The config, the paths that it names, and its destinations."""

    config: Path
    outbox: Path
    socket: Path
    destinations: frozenset[str]


def config_path(arguments: argparse.Namespace) -> Path:
    """Return the path of the config that the arguments mean, with the variables of `--env-file` in the environment.

    If two configs could be meant, say once which it is. Raises `ForeignConfigError`, `EnvFileUnreadableError`.
    """
    if arguments.env_file is not None:
        _take_variables(arguments.env_file)
        arguments.env_file = None
    choice = choose_config(arguments.config)
    if choice.other is not None:
        _note(f"using {choice.path} of this folder; {choice.other} is the config of the service (-c names the config)")
    arguments.config = choice.path
    return choice.path


def _take_variables(file: Path) -> None:
    """Put the variables of a file into the environment, and name the lines that systemd ignores."""
    from forwarder.configfile.env_file import read_env_file  # only with --env-file

    variables, ignored = read_env_file(file)
    for each in ignored:
        print(f"warning: {each}", file=sys.stderr)
    os.environ.update(variables)


def places(arguments: argparse.Namespace) -> Places:
    """Return the paths for these arguments. Raises `ConfigError`, `ConfigUnreadableError`."""
    return places_of(config_path(arguments))


def places_of_running(arguments: argparse.Namespace) -> Places:
    """Return the paths as `places` does. For a config that cannot be read, ask the daemon that runs with an earlier version of it.

    Raises as `places` does where there is no such daemon.
    """
    config = config_path(arguments)
    try:
        return places_of(config)
    except (ConfigError, ConfigUnreadableError) as error:
        if (found := _ask_for_places(config)) is None:
            raise
        print(f"warning: {error}", file=sys.stderr)
        _note("asking the daemon that runs with an earlier version of this file")
        return found


def _ask_for_places(config: Path) -> Places | None:
    """Return what the daemon at the usual place says of itself; `None` if none answers there, or one with another config."""
    from forwarder.control.client import control  # only for a config that cannot be read
    from forwarder.core.config.model.admin import AdminConfig
    from forwarder.core.config.model.outbox import OutboxConfig

    outbox = choose_outbox(OutboxConfig(), config).path
    socket = daemon_socket(AdminConfig(), config, outbox)
    try:
        with control(socket, outbox=outbox) as daemon:
            status = decode_status(daemon.ask(StatusRequest()))
    except (NoDaemonError, DaemonRefusedError, UnreadableStatusError):
        return None
    if not status.outbox.file or os.path.realpath(status.config.file) != os.path.realpath(config):
        return None
    return Places(
        config=config, outbox=Path(status.outbox.file), socket=socket, destinations=frozenset(status.destinations)
    )


def places_of(config: Path) -> Places:
    """Return the paths that this config names. If two outboxes could be meant, say which it is.

    Raises `ConfigError`, `ConfigUnreadableError`.
    """
    text = read_text(config)
    with without_collections():
        outline = load_outline(text, name=str(config), env=os.environ, find_files=finder(config))
    choice = choose_outbox(outline.outbox, config)
    outbox = choice.path
    if choice.other is not None:
        _note(
            f"using the outbox of the service, {outbox}; {choice.other} is another one, which the service does not use"
        )
    elif outline.outbox.url is None and outbox != UNIT_OUTBOX:
        exists = is_there(outbox)
        of_service = outbox_of_service(config, outbox, unknown=None if exists else UNIT_OUTBOX)
        if of_service is not None:
            other = f"{outbox} is another one, which the service does not use" if exists else f"there is no {outbox}"
            _note(f"using the outbox of the service, {of_service}; {other}")
            outbox = of_service
    return Places(
        config=config,
        outbox=outbox,
        socket=daemon_socket(outline.admin, config, outbox),
        destinations=outline.destinations,
    )


def outbox_of_service(config: Path, outbox: Path, *, unknown: Path | None) -> Path | None:
    """Return the outbox of the service, if the unit was changed to use this config; `None` if not, or if it is `outbox`.

    The service says so itself; `unknown` is returned where it does not run, or does not answer this user.
    """
    if not is_there(UNIT_OUTBOX):
        return None
    from forwarder.control.client import control  # only where the outbox may be that of the service

    try:
        with control(UNIT_SOCKET, outbox=UNIT_OUTBOX) as daemon:
            status = decode_status(daemon.ask(StatusRequest()))
    except (NoDaemonError, DaemonRefusedError, UnreadableStatusError):
        return unknown
    if status.config.file and os.path.realpath(status.config.file) != os.path.realpath(config):
        return None
    used = status.outbox.file
    if not used:  # an earlier version does not say it
        return unknown
    return None if os.path.realpath(used) == os.path.realpath(outbox) else Path(used)


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def report_errors(handler: CommandHandler) -> CommandHandler:
    """Return the handler, with each error that a person can see to printed as a sentence, and its exit code."""

    @wraps(handler)
    def run(arguments: argparse.Namespace) -> int:
        try:
            _require_text(arguments)
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
        except (DaemonRefusedError, UnreadableStatusError) as error:
            print(error, file=sys.stderr)
            return exit_codes.FAILURE

    return run


def _require_text(arguments: argparse.Namespace) -> None:
    """Raise `UsageError` for an argument that is not UTF-8, and names no file: it cannot be in the config or in the outbox."""
    for name, value in vars(arguments).items():
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, str) and name != _NAMES_A_FILE and _SURROGATE.search(each):
                raise UsageError(f"the argument {name!r} is not valid UTF-8")
