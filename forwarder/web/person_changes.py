"""Makes the changes that a person asks for over HTTP. Each goes the way of the commands, and the history of actions keeps that it was made."""

from typing import TypeVar

import msgspec
from aiohttp import web
from pydantic import BaseModel

from forwarder.core.commands import Request
from forwarder.web.endpoints import NoParameters
from forwarder.web.parameters import read_body, read_query
from forwarder.web.ports import DaemonAccess

PERSON = "over HTTP"
"""Who is said to have made a change: who knows the token."""

_T = TypeVar("_T", bound=BaseModel)
_S = TypeVar("_S", bound=msgspec.Struct)


class PersonChanges:
    """Hands changes to the daemon in the name of the person."""

    def __init__(self, access: DaemonAccess) -> None:
        self._access = access

    async def make(self, asked: Request, kind: type[_T]) -> _T:
        """Make a change; return its answer. Raises `RequestRefusedError`."""
        return kind.model_validate(await self.ask(asked))

    async def ask(self, asked: Request) -> BaseModel | dict[str, object]:
        """Do the same for a change whose answer has no model."""
        return await self._access.change(asked, PERSON)

    def now_ms(self) -> int:
        """Return the time, in Unix milliseconds."""
        return round(self._access.now().timestamp() * 1000)


async def read_wanted(request: web.Request, kind: type[_S]) -> _S:
    """Return the body of a request that has no parameters. Raises `InvalidRequestError`."""
    read_query(request, NoParameters)
    return await read_body(request, kind)
