"""Serves health checks and metrics over HTTP. What that needs is loaded only where the config asks for it."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.monitoring.status import Backlog, StatusReport
from forwarder.outbox.open import read_backlog
from forwarder.outbox.problems import OutboxUnusableError
from forwarder.threads import start_in_thread


async def serve_web(listen: str, *, status: Callable[[], StatusReport], outbox: Path) -> None:
    """Serve at this address until cancelled. `outbox` is read for the counts of what waits and what is dead."""
    from forwarder.web.server import serve  # noqa: PLC0415 - see above
    from forwarder.web.views import Views  # noqa: PLC0415

    async def count_backlog() -> Backlog | None:
        try:
            return await start_in_thread(partial(read_backlog, outbox, now=utc_now()), name="count backlog")
        except OutboxUnusableError:
            return None

    await serve(listen, Views(status=status, count_backlog=count_backlog, now=utc_now))


def start_web(
    listen: str | None, group: asyncio.TaskGroup, *, status: Callable[[], StatusReport], outbox: Path
) -> "list[asyncio.Task[None]]":
    """Start to serve where the config says so; return the task, if there is one."""
    if listen is None:
        return []
    return [group.create_task(serve_web(listen, status=status, outbox=outbox), name="web")]
