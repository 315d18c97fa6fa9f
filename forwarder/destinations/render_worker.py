"""Renders templates that may cost much in a process of their own, which can be killed."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process

import msgspec

from forwarder.core.destinations.content import RendererUnavailableError
from forwarder.core.templates.job import LENGTH_BYTES, Rendered, TemplateJob
from forwarder.destinations.render_once import (
    COMMAND,
    ENDED,
    LATE,
    LONGEST_S,
    NOT_STARTED,
    environment,
    framed,
    texts_of,
)

_ENDS_WITHIN_S = 1.0


class RenderWorker:
    """Renders jobs one after the other. The process is started when it is first needed, and again after it has ended."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def render(self, job: TemplateJob) -> list[str]:
        """Return the texts of a job. Raises `CannotFormatError` if it cannot be rendered.

        Raises `RendererUnavailableError` if the process cannot be started, ends or does not answer: its own child does all that the event
        can make fail, so that is a fault of this machine.
        """
        message = msgspec.msgpack.encode(job)
        async with self._turn:
            was_running = self._process is not None
            try:
                return texts_of(await self._ask(message))
            except _EndedError:
                if not was_running:
                    raise RendererUnavailableError(ENDED) from None
            try:  # somebody may have killed the process while it waited for work
                return texts_of(await self._ask(message))
            except _EndedError:
                raise RendererUnavailableError(ENDED) from None

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _ask(self, message: bytes) -> Rendered:
        """Return the answer to a job. Raises `_EndedError` if the process ends before that, and `RendererUnavailableError`."""
        process = self._process = self._process or await _start()
        try:
            async with asyncio.timeout(LONGEST_S):
                return await _exchange(process, message)
        except TimeoutError:
            await self._end()
            raise RendererUnavailableError(LATE) from None
        except (OSError, asyncio.IncompleteReadError, msgspec.MsgspecError):
            await self._end()
            raise _EndedError from None
        except BaseException:  # cancelled: the answer would be taken for that of the next job
            await self._end()
            raise

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.close()  # it ends after the job that it has
        try:
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class _EndedError(Exception):
    """The process has ended."""


async def _start() -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            *COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment()
        )
    except OSError as error:
        raise RendererUnavailableError(f"{NOT_STARTED}: {error.strerror}") from None


async def _exchange(process: Process, message: bytes) -> Rendered:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    if process.stdin.is_closing():  # the process has ended meanwhile
        raise BrokenPipeError
    process.stdin.write(framed(message))
    await process.stdin.drain()
    length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "big")
    return msgspec.msgpack.decode(await process.stdout.readexactly(length), type=Rendered)
