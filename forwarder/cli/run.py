"""`forwarder run`: the daemon, in the foreground, until a signal."""

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
from forwarder.cli.config_file import WHICH, daemon_socket, load, outbox_path, socket_path
from forwarder.daemon import Daemon
from forwarder.handover import SuccessorLostError
from forwarder.logs import configure_logging, protect_standard_error
from forwarder.notify import ServiceManager
from forwarder.outbox.problems import OutboxFailedError, OutboxReplacedError, OutboxUnusableError
from forwarder.reload import Source, warn_of
from forwarder.rule_tests import failures_of
from forwarder.takeover import Takeover, TakeoverError, announce

_GC_THRESHOLDS = 2_000, 20, 50
"""Python's 700, 10, 10 have it look for cycles, of which a delivery makes none, hundreds of times a second: 5 % of the time.
With 20,000 in the first place a collection took 10 ms."""

log = structlog.get_logger(__name__)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("run", help="hold the stream and deliver, until SIGTERM or Ctrl-C")
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), help="default: config.yaml")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.add_argument(
        "--log-format",
        choices=("auto", "console", "json"),
        default="auto",
        help="auto: console on a terminal, JSON otherwise",
    )
    parser.add_argument(
        "--takeover",
        action="store_true",
        help="take over from the forwarder that runs with this config: nothing is missed, nothing is sent twice",
    )
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon and return the exit code."""
    protect_standard_error()
    configure_logging(level=arguments.log_level, format_=arguments.log_format, is_final=True)
    loaded = load(arguments.config)
    if loaded.config is None:
        print("\n".join(loaded.problems) if loaded.is_readable else f"{loaded.problems[0]}. {WHICH}", file=sys.stderr)
        return exit_codes.BAD_CONFIG
    warn_of(loaded.config)
    for failure in failures_of(loaded.config):
        log.warning("config.test_failed", note=failure)
    source = Source(file=arguments.config, loaded=loaded, load=load, check_tests=failures_of)
    try:
        run_in_loop(_run_daemon(source, _announced(source) if arguments.takeover else None))
    except OutboxUnusableError as error:
        print(error, file=sys.stderr)
        return exit_codes.OUTBOX_CODES[error.problem]
    except TakeoverError as error:
        print(error, file=sys.stderr)
        return exit_codes.NO_TAKEOVER
    except SuccessorLostError as error:
        log.error("daemon.successor_lost", reason=str(error))  # noqa: TRY400 - no traceback
        return exit_codes.FAILURE
    except asyncio.CancelledError:  # stopped before it had begun
        return exit_codes.OK
    except Exception as error:
        if (lost := _outbox_lost(error)) is not None:  # the service manager starts us again, and the file is looked at
            log.error("daemon.failed", reason=str(lost))  # noqa: TRY400 - no traceback
        else:
            log.exception("daemon.failed", note="a bug; what was accepted is in the outbox")
        return exit_codes.FAILURE
    return exit_codes.OK


def _outbox_lost(error: Exception) -> Exception | None:
    """Return the error that says why the outbox cannot go on, where that is what ended the daemon."""
    if isinstance(error, ExceptionGroup):
        return next((found for found in map(_outbox_lost, error.exceptions) if found is not None), None)
    return error if isinstance(error, OutboxFailedError | OutboxReplacedError) else None


def _announced(source: Source) -> Takeover | None:
    """Return the takeover from the daemon that runs, which knows of it now; `None` where none runs. Raises as `announce` does."""
    config = source.config
    outbox = outbox_path(config.outbox, source.file)
    takeover = announce(
        outbox,
        daemon_socket(config.admin, source.file, outbox),
        dedupe_window=config.outbox.dedupe_window,
        grace=config.grace_period,
    )
    if takeover is None:
        log.info("takeover.not_needed", note="no forwarder runs with this config; this one starts as usual")
    return takeover


async def _run_daemon(source: Source, takeover: Takeover | None) -> None:
    config = source.config
    outbox = outbox_path(config.outbox, source.file)
    daemon = Daemon(
        source,
        outbox_path=outbox,
        socket_path=socket_path(config.admin, source.file, outbox),
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
    gc.freeze()  # what the start left stays: no collection looks at it again
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        await daemon.run()
    finally:
        signals.ignore(handlers)


def run_in_loop(main: Coroutine[None, None, None]) -> None:
    """Run a coroutine in uvloop, or in asyncio's own loop where there is no uvloop."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        asyncio.run(main)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
