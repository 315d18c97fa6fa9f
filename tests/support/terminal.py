"""A command on a terminal of 80 columns."""

import asyncio
import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

from tests.support.process import PROGRAM


async def on_terminal(*arguments: str, config: Path, columns: int = 80) -> list[str]:
    """Return the lines that a command writes to a terminal, in the folder of its config."""
    return await asyncio.to_thread(_run, arguments, config.parent, columns)


def _run(arguments: tuple[str, ...], folder: Path, columns: int) -> list[str]:
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=subprocess.DEVNULL,
        env=env | {"NO_COLOR": "1", "TERM": "xterm"},
    ):
        os.close(its)
        said = bytearray()
        while part := _read(ours):
            said += part
    os.close(ours)
    return said.decode().splitlines()


def _read(terminal: int) -> bytes:
    """Return what comes next; nothing once the other end is closed, which Linux calls an error."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""
