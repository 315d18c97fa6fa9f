"""Runs what looks at files in a thread of its own: a file system that does not respond holds up neither the loop nor the process's end."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")


def start_in_thread(function: Callable[[], _T], *, name: str) -> asyncio.Future[_T]:
    """Call a function in a new thread, which nothing waits for at the end of the process; return the future of its result.

    To cancel the future does not end the thread.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()
    done.add_done_callback(_mark_as_retrieved)

    def set_result(result: _T) -> None:
        if not done.done():
            done.set_result(result)

    def set_error(error: Exception) -> None:
        if not done.done():
            done.set_exception(error)

    def run() -> None:
        with suppress(RuntimeError):  # the loop is closed, so nobody waits
            try:
                result = function()
            except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
                loop.call_soon_threadsafe(set_error, error)
            else:
                loop.call_soon_threadsafe(set_result, result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done


def _mark_as_retrieved(done: asyncio.Future[_T]) -> None:
    if not done.cancelled():
        done.exception()  # whoever waited may have given up
