"""Both loops: asyncio's, and uvloop's, which the daemon uses and whose handles differ. For whatever opens connections of its own."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Have pytest run each test in each of them, where a conftest.py imports this."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
