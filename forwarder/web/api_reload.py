"""Reload over HTTP: the config on disk is read again and activated."""

from collections.abc import Iterator

import msgspec
from aiohttp import web

from forwarder.core.commands import (
    Reload,
    ReloadAnswer,
)
from forwarder.web.endpoints import Empty, Endpoint, change
from forwarder.web.person_changes import PersonChanges, read_wanted
from forwarder.web.ports import DaemonAccess


class ReloadResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a reload."""

    applied: bool
    """Whether the config on disk is active now."""
    changed: bool
    digest: str
    plan: list[str]
    """What changed, in sentences."""
    problems: list[str]
    failing_tests: list[str]
    warnings: list[str]


class Reloads:
    """Reads the config again."""

    def __init__(self, access: DaemonAccess) -> None:
        self._changes = PersonChanges(access)

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        yield change("/reload", "Read the config again and activate it", self.reload, ReloadResult)

    async def reload(self, request: web.Request) -> ReloadResult:
        """Read the config again."""
        await read_wanted(request, Empty)
        done = await self._changes.make(Reload(), ReloadAnswer)
        return ReloadResult(
            applied=done.applied,
            changed=done.changed,
            digest=done.digest,
            plan=list(done.plan),
            problems=list(done.problems),
            failing_tests=list(done.failing_tests),
            warnings=list(done.warnings),
        )
