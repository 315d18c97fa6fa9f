"""What every request must pass, and what every answer says: nothing that a page of another site could make a browser do."""

from collections.abc import Set as AbstractSet

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

MAX_REQUESTS = 32
"""How many requests are carried out at the same time; more are asked to come again."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Server": "forwarder",
}
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

log = structlog.get_logger(__name__)


def hosts_of(host: str, port: int) -> frozenset[str]:
    """Return the values of `Host` that are accepted (RFC 9110, 7.2); the port may be left out where it is that of HTTP."""
    shown = f"[{host}]" if ":" in host else host
    names = {shown.lower(), *_LOOPBACK_NAMES}
    return frozenset({f"{name}:{port}" for name in names} | (names if port == 80 else set()))


class Guard:
    """A middleware that refuses what it must, and turns each error into a short plain answer."""

    def __init__(self, hosts: AbstractSet[str]) -> None:
        """`hosts`: the accepted values of the header `Host`. Others come through a name that somebody has pointed here (DNS rebinding)."""
        self._hosts = hosts
        self._under_way = 0

    @property
    def middleware(self) -> Middleware:
        """What aiohttp calls for each request."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await self._answer(request, handler)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return guarded

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.getall("Host", []) != [request.host] or request.host.lower() not in self._hosts:
            return _said(421, "this name is not that of forwarder; use the address of admin.listen")
        if self._under_way >= MAX_REQUESTS:
            return _said(503, "too many requests at the same time; try again")
        self._under_way += 1
        try:
            return await handler(request)
        except web.HTTPMethodNotAllowed as error:
            answer = _said(405, "only GET and HEAD are allowed here")
            answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
            return answer
        except web.HTTPException as error:
            return _said(error.status, error.reason.lower())
        except Exception:  # one request must not be the end of the daemon
            log.exception("admin.request_failed", path=request.path)
            return _said(500, "an error of forwarder itself; its log says more")
        finally:
            self._under_way -= 1


def _said(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")
