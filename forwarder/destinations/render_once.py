"""Starts the process that renders what may cost much, and has it render for a command, which waits."""

import os
import sys

import msgspec

from forwarder.core.delivery import Delivery
from forwarder.core.destinations.content import CannotFormatError, Content, Format, RenderElsewhereError
from forwarder.core.templates.job import LENGTH_BYTES, Rendered, TemplateJob

COMMAND = (sys.executable, "-P", "-m", "forwarder.destinations.render_process")
LONGEST_S = 30.0
"""How long a job may take by the clock. Its CPU time has a far shorter limit, but the machine may be busy."""
_PASSED_ON = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONTZPATH", "TZDIR")
"""The variables that Python may need. Others may hold secrets."""

NOT_STARTED = "the process that renders large events cannot be started"
ENDED = "the process that renders large events ended unexpectedly"
LATE = f"the process that renders large events did not answer within {LONGEST_S:g} s"


def render_content(format_: Format, delivery: Delivery) -> Content:
    """Return the content of a delivery, for a command: it waits for the process that renders what may cost much.

    Raises `CannotFormatError`.
    """
    try:
        return format_(delivery)
    except RenderElsewhereError as error:
        elsewhere = error
    while True:
        try:
            return elsewhere.resume(_render_once(elsewhere.job))
        except RenderElsewhereError as error:
            elsewhere = error


def _render_once(job: TemplateJob) -> list[str]:
    """Return the texts of a job, from a process that does no other. Raises `CannotFormatError`."""
    import subprocess  # few commands need it

    try:
        done = subprocess.run(  # noqa: S603 - our own program
            COMMAND,
            input=framed(msgspec.msgpack.encode(job)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotFormatError(LATE) from None
    except OSError as error:
        raise CannotFormatError(f"{NOT_STARTED}: {error.strerror}") from None
    if len(done.stdout) <= LENGTH_BYTES:
        raise CannotFormatError(ENDED)
    return texts_of(msgspec.msgpack.decode(done.stdout[LENGTH_BYTES:], type=Rendered))


def framed(message: bytes) -> bytes:
    """Return a message with its length before it."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def texts_of(rendered: Rendered) -> list[str]:
    """Return the texts of a result. Raises `CannotFormatError` if there are none."""
    if rendered.error:
        raise CannotFormatError(rendered.error)
    return rendered.texts


def environment() -> dict[str, str]:
    """Return the environment of the process: what Python needs to find the same modules, and none of our secrets."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
