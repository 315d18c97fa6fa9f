"""A task group that raises what its block raises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """Give a task group of which what the block itself raises comes out as it is, and not in a group of exceptions."""
    raised: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            try:
                yield group
            except Exception as error:
                raised = error
                raise
    except BaseExceptionGroup as several:
        if raised is not None and several.exceptions == (raised,):
            raise raised from raised.__cause__
        raise
