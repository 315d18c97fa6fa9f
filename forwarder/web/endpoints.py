"""An endpoint of the API: its path, what it takes and returns, and what does it. The description in OpenAPI is made of the same values."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

JSON = "application/json"

Answers = Callable[[web.Request], Awaitable[Any]]
"""Returns the value of an answer, or a whole answer."""


class NoParameters(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing."""


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing: an empty object, or no body at all."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: str
    path: str
    """With the names of its parts in braces."""
    summary: str
    answer: Answers
    result: Any
    """The type of the answer."""
    query: type[msgspec.Struct] = NoParameters
    parts: Mapping[str, Any] = {}
    """The types of the parts of the path, by their names."""
    body: type[msgspec.Struct] | None = None
    media_type: str = JSON
    is_change: bool = False
    """Whether it needs the token."""
    may_refuse: bool = False
    """Whether the daemon may answer that this cannot be done now (409)."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        answer = await self.answer(request)
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.Response(body=msgspec.json.encode(answer) + b"\n", content_type=JSON)


def reading(
    path: str,
    summary: str,
    answer: Answers,
    result: Any,  # noqa: ANN401 - a type
    *,
    query: type[msgspec.Struct] = NoParameters,
    parts: Mapping[str, Any] | None = None,
) -> Endpoint:
    """Return an endpoint that reads."""
    return Endpoint(
        method="GET", path=path, summary=summary, answer=answer, result=result, query=query, parts=parts or {}
    )


def change(
    path: str,
    summary: str,
    answer: Answers,
    result: type[msgspec.Struct],
    *,
    body: type[msgspec.Struct] = Empty,
    parts: Mapping[str, Any] | None = None,
) -> Endpoint:
    """Return an endpoint that changes something."""
    return Endpoint(
        method="POST",
        path=path,
        summary=summary,
        answer=answer,
        result=result,
        body=body,
        parts=parts or {},
        is_change=True,
        may_refuse=True,
    )
