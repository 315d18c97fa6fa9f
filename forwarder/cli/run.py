"""`forwarder run`: runs the daemon in the foreground, until a signal."""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

import structlog

from forwarder.cli import exit_codes, signals
from forwarder.cli.locations import config_path, outbox_of_service
from forwarder.configfile.locations import ConfigUnreadableError, choose_outbox, daemon_socket, socket_path
from forwarder.configfile.read import load
from forwarder.configfile.rule_tests import failures_of
from forwarder.core.config import Config
from forwarder.daemon.daemon import Daemon
from forwarder.daemon.reload import ConfigSource, warn_of
from forwarder.heap import share_arenas
from forwarder.logs.setup import configure_logging, protect_standard_error
from forwarder.outbox.problems import OutboxFailedError, OutboxReplacedError, OutboxUnusableError
from forwarder.systemd import ServiceManager
from forwarder.upgrade.handover import SuccessorLostError
from forwarder.upgrade.takeover import Takeover, TakeoverError, announce

_GC_THRESHOLDS = 2_000, 20, 50
"""With Python's 700, 10, 10 the collector looks for cycles hundreds of times a second, which takes 5 % of the time; a delivery makes none.
With 20,000 as the first number one collection took 10 ms."""

log = structlog.get_logger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon and return the exit code."""
    share_arenas()  # before the first thread
    protect_standard_error()
    configure_logging(level=arguments.log_level, format_=arguments.log_format, is_final=True)
    try:
        file = config_path(arguments)
    except ConfigUnreadableError as error:
        print(error, file=sys.stderr)
        return exit_codes.BAD_CONFIG
    loaded = load(file)
    if loaded.config is None:
        print("\n".join(loaded.problems) + loaded.advice, file=sys.stderr)
        return exit_codes.BAD_CONFIG
    outbox = _find_outbox(loaded.config, file)
    if outbox is None:
        return exit_codes.BAD_CONFIG
    warn_of(loaded)
    for failure in failures_of(loaded.config, file):
        log.warning("config.test_failed", note=failure)
    source = ConfigSource(file=file, loaded=loaded, load=load, check_tests=failures_of)
    try:
        run_in_loop(_run_daemon(source, outbox, _announced(source, outbox) if arguments.takeover else None))
    except OutboxUnusableError as error:
        print(error, file=sys.stderr)
        return exit_codes.OUTBOX_CODES[error.problem]
    except TakeoverError as error:
        print(error, file=sys.stderr)
        return exit_codes.NO_TAKEOVER
    except SuccessorLostError as error:
        log.error("daemon.successor_lost", reason=str(error))  # noqa: TRY400 - no traceback
        return exit_codes.FAILURE
    except asyncio.CancelledError:  # stopped before it began
        return exit_codes.OK
    except Exception as error:
        if (lost := _outbox_lost(error)) is not None:  # the service manager restarts us, and the start checks the file
            log.error("daemon.failed", reason=str(lost))  # noqa: TRY400 - no traceback
        else:
            log.exception("daemon.failed", note="a bug; what was accepted is in the outbox")
        return exit_codes.FAILURE
    return exit_codes.OK


def _find_outbox(config: Config, file: Path) -> Path | None:
    """Return the path of the outbox; `None` if a start by hand could mean two of them, after a message that says so."""
    choice = choose_outbox(config.outbox, file)
    if not os.environ.get("STATE_DIRECTORY"):
        of_service, other = choice.path, choice.other
        if other is None:
            used = None if config.outbox.url else outbox_of_service(file, choice.path, unknown=None)
            if used is None:
                return choice.path
            of_service, other = used, choice.path
        print(
            f"{file}: two outboxes can be meant: {of_service}, which the service uses, and {other}. Name the one to use under "
            "outbox.url, or move the other one away.",
            file=sys.stderr,
        )
        return None
    if choice.other is None:
        return choice.path
    log.warning(
        "outbox.another_found",
        outbox=str(choice.path),
        other=str(choice.other),
        note="the other one is not used; what waits in it is not delivered. Name it under outbox.url to use it, or remove it",
    )
    return choice.path


def _outbox_lost(error: Exception) -> Exception | None:
    """Return the error of the outbox that ended the daemon; `None` if it was another one."""
    if isinstance(error, ExceptionGroup):
        return next((found for found in map(_outbox_lost, error.exceptions) if found is not None), None)
    return error if isinstance(error, OutboxFailedError | OutboxReplacedError) else None


def _announced(source: ConfigSource, outbox: Path) -> Takeover | None:
    """Announce a takeover to the daemon that runs, and return it; `None` if none runs. Raises as `announce` does."""
    config = source.config
    takeover = announce(
        outbox,
        daemon_socket(config.admin, source.file, outbox),
        dedupe_window=config.outbox.dedupe_window,
        grace=config.grace_period,
    )
    if takeover is None:
        log.info("takeover.not_needed", note="no forwarder runs with this config; this one starts as usual")
    return takeover


async def _run_daemon(source: ConfigSource, outbox: Path, takeover: Takeover | None) -> None:
    daemon = Daemon(
        source,
        outbox_path=outbox,
        socket_path=socket_path(source.config.admin, source.file, outbox),
        service=ServiceManager(os.environ),
        takeover=takeover,
    )
    handlers = {
        signal.SIGTERM: daemon.stop,
        signal.SIGINT: daemon.stop,
        signal.SIGHUP: daemon.reload,
        signal.SIGUSR2: daemon.upgrade,
    }
    signals.handle_in_loop(asyncio.get_running_loop(), handlers)
    gc.collect()
    gc.freeze()  # no collection looks again at what the start made
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        await daemon.run()
    finally:
        signals.ignore(handlers)


def run_in_loop(main: Coroutine[None, None, None]) -> None:
    """Run a coroutine in uvloop, or in asyncio's own loop if there is no uvloop."""
    try:
        import uvloop  # not on every platform
    except ImportError:
        asyncio.run(main)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
