"""Runs a command of the command line in the process of the tests: a process of its own costs half a second of CPU, mostly imports.

What a command prints is caught by replacing `sys.stdout` and `sys.stderr`, so one command runs at a time, and nothing else that the
tests' process does meanwhile may print. Commands that install signal handlers cannot run here.
"""

import asyncio
import io
import os
import sys
import threading
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import structlog

from forwarder.cli import main

_only_one = threading.Lock()


async def run(*arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Run one command to its end in a thread; return its exit code, what it printed, and what it complained about."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[int, str, str]] = loop.create_future()

    def report(result: tuple[int, str, str] | BaseException) -> None:
        if ended.done():  # nobody waits for it any more
            return
        if isinstance(result, BaseException):
            ended.set_exception(result)
        else:
            ended.set_result(result)

    def work() -> None:
        result: tuple[int, str, str] | BaseException
        try:
            result = _run(arguments, cwd)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            result = error
        loop.call_soon_threadsafe(report, result)

    threading.Thread(target=work, daemon=True).start()  # a command that hangs must not hang the end of the tests
    return await ended


def _run(arguments: tuple[str, ...], cwd: Path | None) -> tuple[int, str, str]:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with (
        _only_one,
        Path(os.devnull).open(encoding="utf-8") as nothing,
        mock.patch.object(sys, "stdin", nothing),
        redirect_stdout(out),
        redirect_stderr(err),
        mock.patch.object(
            structlog, "configure"
        ),  # the daemon's set-up of the log holds for a process, and this one is the tests'
        nullcontext() if cwd is None else chdir(cwd),
    ):
        try:
            code = main(arguments)
        except SystemExit as end:  # argparse does not like the arguments
            code = end.code if isinstance(end.code, int) else 1
    return code, _written(out), _written(err)


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
