"""Sessions of browsers: who has sent the token once need not send it again. Of a stream of events and of a link, a browser sends no header."""

from collections.abc import Iterator

import msgspec
from aiohttp import web

from forwarder.web.access import SESSION_S, Sessions
from forwarder.web.endpoints import JSON, Empty, Endpoint, NoParameters, reading
from forwarder.web.guard import Guard
from forwarder.web.parameters import read_body, read_query


class SessionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What this client may do."""

    may_change: bool
    why_not: str = ""
    """How to be allowed to."""


class Login:
    """Begins and ends sessions."""

    def __init__(self, guard: Guard, sessions: Sessions) -> None:
        self._guard = guard
        self._sessions = sessions

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        yield reading(
            "/session", "Whether this client may change something, and if not, why", self.session, SessionAnswer
        )
        yield Endpoint(
            method="POST",
            path="/session",
            summary="Begin a session, with the token in the header Authorization; it is in a cookie that scripts cannot read",
            answer=self.begin,
            result=SessionAnswer,
            body=Empty,
            is_change=True,
        )
        yield Endpoint(
            method="POST",
            path="/logout",
            summary="End the session of this client",
            answer=self.logout,
            result=SessionAnswer,
            body=Empty,
        )

    async def session(self, request: web.Request) -> SessionAnswer:
        """Return what the client may do."""
        read_query(request, NoParameters)
        why_not = self._guard.may_change(request)
        return SessionAnswer(may_change=not why_not, why_not=why_not)

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """Begin a session of a client that knows the token: the guard has checked that."""
        read_query(request, NoParameters)
        await read_body(request, Empty)
        rules = self._guard.rules()
        assert rules.token is not None  # noqa: S101 - nothing is changed without one
        answer = _answer(SessionAnswer(may_change=True))
        answer.set_cookie(
            rules.cookie,
            self._sessions.begin(rules.token),
            max_age=round(SESSION_S),
            path="/",
            secure=rules.is_encrypted,
            httponly=True,
            samesite="Strict",
        )
        return answer

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """End the session."""
        read_query(request, NoParameters)
        await read_body(request, Empty)
        rules = self._guard.rules()
        self._sessions.end(request.cookies.get(rules.cookie, ""))
        answer = _answer(SessionAnswer(may_change=False, why_not="logged out"))
        answer.del_cookie(rules.cookie, path="/", secure=rules.is_encrypted, httponly=True, samesite="Strict")
        return answer


def _answer(value: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(value) + b"\n", content_type=JSON)
