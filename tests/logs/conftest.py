"""What the tests of the log share."""

import subprocess
import sys
import textwrap
from typing import IO

import pytest

from tests.support.logs import TIMEOUT_S, Run


@pytest.fixture
def run() -> Run:
    """Run a few lines of Python in a process of their own, after `configure_logging`."""

    def run_lines(
        text: str,
        *,
        before: str = "",
        format_: str = "json",
        stdout: "int | IO[bytes]" = subprocess.PIPE,
        stderr: "int | IO[bytes]" = subprocess.PIPE,
    ) -> "subprocess.CompletedProcess[bytes]":
        source = (
            f"import os, sys, json, logging, threading, warnings, time, resource, select, errno\n{textwrap.dedent(before)}\n"
            "import structlog\nfrom msgspec.structs import asdict\nfrom forwarder.logs.setup import configure_logging, protect_standard_error, log_status, flush\n"
            "protect_standard_error()\n"
            f"configure_logging(level='debug', format_={format_!r}, is_final=True)\n"
            f"log = structlog.get_logger()\n{textwrap.dedent(text)}\n"
        )
        return subprocess.run(
            [sys.executable, "-c", source], timeout=TIMEOUT_S, check=False, stdout=stdout, stderr=stderr
        )

    return run_lines
