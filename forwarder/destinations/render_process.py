"""The process that renders templates for events that may cost much. `render_worker` starts it; it has no connections and no outbox.

It reads a job from standard input, renders it in a child of its own, and writes the result to standard output, one after the other. The
child has a limit of CPU time that the kernel keeps, even within one operation of Python; a thread could not be ended.
"""

import gc
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from types import FrameType
from typing import BinaryIO

import msgspec

from forwarder.core.templates.fields import fields_of
from forwarder.core.templates.filters import TemplateError
from forwarder.core.templates.job import LENGTH_BYTES, Rendered, TemplateJob, Templates
from forwarder.core.templates.renderer import TemplateRenderer
from forwarder.private_memory import keep_memory_private

CPU_S = 0.05
"""How much CPU time a rendering may take. Reading the event is not counted. After that an exception is raised, which names the line."""
_KILLED_AFTER_S = 2 * CPU_S
"""After so much CPU time the kernel kills the child: Python raises no exception within a single operation."""
_MAX_MEMORY_BYTES = 2 * 1024**3
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""The daemon decides when this process ends, by closing its input; a service manager and a terminal signal all processes."""

_TOO_SLOW = f"this needs more than {CPU_S * 1000:g} ms of CPU time for this event"


def main() -> None:
    """Render until standard input is closed."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    keep_memory_private()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, _MAX_MEMORY_BYTES)
    gc.freeze()  # what is loaded by now is shared with the children
    decode, encode = msgspec.msgpack.Decoder(TemplateJob).decode, msgspec.msgpack.encode
    for message in _messages(sys.stdin.buffer):
        result = encode(_render_in_child(decode(message)))
        sys.stdout.buffer.write(len(result).to_bytes(LENGTH_BYTES, "big") + result)
        sys.stdout.buffer.flush()


def _limit(kind: int, most: int) -> None:
    with suppress(OSError, ValueError):  # the unit may forbid it, or have a lower limit
        resource.setrlimit(kind, (most, most))


def _messages(stream: BinaryIO) -> Iterator[bytes]:
    while len(length := stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
        message = stream.read(int.from_bytes(length, "big"))
        if len(message) < int.from_bytes(length, "big"):
            return
        yield message


@lru_cache(maxsize=64)
def _renderer(part_and_sources: bytes) -> TemplateRenderer:
    return TemplateRenderer(msgspec.msgpack.decode(part_and_sources, type=Templates))


def _render_in_child(job: TemplateJob) -> Rendered:
    """Return the result of a job, or that it took too long."""
    try:
        renderer = _renderer(msgspec.msgpack.encode(job.templates))  # compiled here, so that the next job finds it
    except TemplateError as error:
        return Rendered(error=str(error))
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        _render_and_exit(renderer, job, writes)
    os.close(writes)
    with os.fdopen(reads, "rb") as result:
        message = result.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGVTALRM:
        return Rendered(error=f"{', '.join(job.templates.sources)}: {_TOO_SLOW}")
    if status != 0:
        return Rendered(
            error="the process that rendered the templates ended unexpectedly; it may have had too little memory"
        )
    return msgspec.msgpack.decode(message, type=Rendered)


def _render_and_exit(renderer: TemplateRenderer, job: TemplateJob, writes: int) -> None:
    """Write the result to a pipe and end this process."""
    code = 1
    try:
        result = msgspec.msgpack.encode(_render(renderer, job))
        with os.fdopen(writes, "wb") as pipe:
            pipe.write(result)
        code = 0
    finally:
        os._exit(code)  # nothing of the parent is flushed or closed here


def _render(renderer: TemplateRenderer, job: TemplateJob) -> Rendered:
    try:
        fields = fields_of(job.event, id_=job.id)
        signal.signal(signal.SIGPROF, _stop)
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        signal.setitimer(signal.ITIMER_VIRTUAL, _KILLED_AFTER_S)  # SIGVTALRM ends this process
        texts = renderer.render(fields)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return Rendered(texts=texts)
    except TemplateError as error:
        return Rendered(error=str(error))
    except MemoryError:
        return Rendered(error=f"{', '.join(job.templates.sources)}: this needs too much memory for this event")


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise TemplateError(_TOO_SLOW)


if __name__ == "__main__":
    main()
