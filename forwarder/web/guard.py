"""What every request must pass before anything is done for it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import urlencode

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from forwarder.core.commands import RequestRefusedError
from forwarder.web.access import (
    LOG_IN,
    NO_HEADER,
    NOT_SAME_ORIGIN,
    READ_ONLY,
    WRONG,
    AccessRules,
    Sessions,
    bearer_of,
    is_of_another_page,
    is_same_origin,
    is_token,
)
from forwarder.web.connection import HEADERS, MOST_UNSENT_BYTES, Connection, refusal
from forwarder.web.parameters import InvalidRequestError
from forwarder.web.ports import UnavailableError
from forwarder.web.request_limits import RequestLimits, TooManyRequestsError
from forwarder.web.wrong_tokens import WrongTokens

MAX_BODY_BYTES = 1 << 20
_TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES >> 10} KiB"
_METHODS = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_POST)

_SHORT = frozenset({"/healthz", "/readyz"})
"""The paths whose answers are short, and are given also while much of others waits to be taken."""

OPEN_TO_ALL = web.AppKey("open_to_all", frozenset[str])
"""The paths, or beginnings of paths that end with `/`, that need no token: what a person needs to log in."""
LOGIN_PAGE = web.AppKey("login_page", str)
"""The path to which a browser is sent that has to log in before it may read."""
CHANGES_NOTHING = web.AppKey("changes_nothing", frozenset[str])
"""The paths of POST that need no more rights than reading."""
PROBES = web.AppKey("probes", frozenset[str])
"""The paths that a monitor asks for; they are answered however many other requests there are."""
LASTS = web.AppKey("lasts", frozenset[str])
"""The paths whose answers last, and that have a limit of their own."""
_KNOWS = web.RequestKey("knows", bool)
"""What a request has whose token was tried and is right."""

log = structlog.get_logger(__name__)


class Guard:
    """A middleware that refuses what it must, and turns each error into a short plain answer."""

    def __init__(self, rules: Callable[[], AccessRules], sessions: Sessions) -> None:
        """`rules` returns the rules of the active config."""
        self.rules = rules
        self._sessions = sessions
        self._limits = RequestLimits()
        self._wrong = WrongTokens()

    def add_to(self, application: web.Application) -> None:
        """Have every answer carry the headers."""

        async def set_headers(_request: web.Request, response: web.StreamResponse) -> None:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers["Server"] = HEADERS["Server"]

        application.on_response_prepare.append(set_headers)

    @property
    def middleware(self) -> Middleware:
        """What aiohttp calls for each request."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol
            if isinstance(connection, Connection):
                connection.note_begun()
            try:
                answer = await self._answer(request, handler)
            finally:
                if isinstance(connection, Connection):
                    connection.note_answered()
            if answer.status >= 400 and request.can_read_body:
                answer.force_close()  # the rest of the body is not worth waiting for
            return answer

        return guarded

    def may_change(self, request: web.Request) -> str:
        """Return why this client may not change anything; empty if it may."""
        rules = self.rules()
        if rules.token is None:
            return READ_ONLY
        is_known = (
            self._has_session(request, rules) if bearer_of(request.headers) is None else request.get(_KNOWS, False)
        )
        return "" if is_known else LOG_IN

    async def try_token(self, given: str, request: web.Request) -> web.Response | None:
        """Return the refusal of a wrong token, some time later, or `None` for the right one.

        While too many of one address were wrong, none of that address is looked at.
        """
        token = self.rules().token
        if token is None:
            return refusal(403, READ_ONLY)
        if self._wrong.are_too_many(request.remote):
            return refusal(429, "too many wrong tokens; try again", **{"Retry-After": "1"})
        if is_token(given, token):
            request[_KNOWS] = True
            return None
        await self._wrong.note(request.remote)
        return refusal(401, WRONG, **{"WWW-Authenticate": "Bearer"})

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        rules = self.rules()
        if (refused := _refuse_form(request, rules)) is not None:
            return refused
        if request.path not in _SHORT and _unsent_bytes(request) > MOST_UNSENT_BYTES:
            return refusal(503, "too much of other answers waits to be taken; try again", **{"Retry-After": "1"})
        try:
            if (refused := await self._refuse_person(request, rules)) is not None:
                return refused
            await self._limits.wait_for_body(request)
            with self._counted(request):
                return await handler(request)
        except web.HTTPRedirection:
            raise
        except Exception as error:  # noqa: BLE001 - one request must not be the end of the daemon
            return _refusal_of(error, request.path)

    def _counted(self, request: web.Request) -> AbstractContextManager[None]:
        if request.path in request.app.get(PROBES, ()):
            return self._limits.one_more_probe(request.path)
        return self._limits.one_more(lasts=request.path in request.app.get(LASTS, ()))

    async def _refuse_person(self, request: web.Request, rules: AccessRules) -> web.Response | None:
        """Return the refusal of a request whose sender may not do that."""
        path = request.path
        is_post = request.method == hdrs.METH_POST
        if is_post:
            if not is_same_origin(request.headers, rules):
                return refusal(403, NOT_SAME_ORIGIN)
            if request.headers.get("X-Forwarder") != "1":
                return refusal(403, NO_HEADER)
            if request.can_read_body and not _is_json(request):
                return refusal(
                    415, "the body must be JSON, with Content-Type: application/json and no Content-Encoding"
                )
        elif is_of_another_page(request.headers):
            return refusal(403, NOT_SAME_ORIGIN)
        if _is_in(path, request.app.get(OPEN_TO_ALL, frozenset())):
            return None
        given = bearer_of(request.headers)
        if given is not None and rules.token is not None:  # one that is wrong is refused also where none is needed
            return await self.try_token(given, request)
        is_change = is_post and path not in request.app.get(CHANGES_NOTHING, ())
        if is_change and rules.token is None:
            return refusal(403, READ_ONLY)
        if (is_change or rules.reading_needs_token) and not self._has_session(request, rules):
            return _ask_to_log_in(request)
        return None

    def _has_session(self, request: web.Request, rules: AccessRules) -> bool:
        id_ = request.cookies.get(rules.cookie)
        return id_ is not None and rules.token is not None and self._sessions.holds(id_, rules.token)


def _refuse_form(request: web.Request, rules: AccessRules) -> web.Response | None:
    """Return the refusal of a request that nobody would send who means well, or that is for another server."""
    if not request.raw_path.startswith("/"):
        return refusal(400, "the target must be a path")
    host = request.headers.getall(hdrs.HOST, [])
    if len(host) != 1 or host[0].lower() not in rules.hosts:
        return refusal(
            421, "this name is not that of forwarder; use the address of admin.listen, or add the name to admin.hosts"
        )
    if request.method not in _METHODS:
        return refusal(405, "only GET, HEAD and POST are allowed here", Allow=", ".join(_METHODS))
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return refusal(413, _TOO_LARGE)
    if (error := request.match_info.http_exception) is not None:
        return _refusal_of(error, request.path)
    if request.method != hdrs.METH_POST and request.can_read_body:
        return refusal(400, f"{request.method} has no body")
    return None


def _ask_to_log_in(request: web.Request) -> web.Response:
    """Return the answer to who has to log in: a browser that opens a view is sent to the page for that."""
    page = request.app.get(LOGIN_PAGE)
    if page is not None and request.method != hdrs.METH_POST and "text/html" in request.headers.get("Accept", ""):
        return web.Response(status=303, headers={"Location": f"{page}?{urlencode({'next': request.path_qs})}"})
    return refusal(401, LOG_IN, **{"WWW-Authenticate": "Bearer"})


def _refusal_of(error: Exception, path: str) -> web.Response:
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return refusal(405, f"only {allowed} is allowed here", Allow=allowed)
        case web.HTTPRequestEntityTooLarge():
            return refusal(413, _TOO_LARGE)
        case web.HTTPNotFound():
            return refusal(404, "there is no such path here")
        case web.HTTPException():
            return refusal(error.status, error.reason.lower())
        case InvalidRequestError():
            return refusal(error.status, str(error))
        case RequestRefusedError():
            return refusal(409, str(error))
        case TooManyRequestsError():
            return refusal(503, "too many requests at the same time; try again", **{"Retry-After": "1"})
        case UnavailableError():
            return refusal(503, str(error), **{"Retry-After": "1"})
        case TimeoutError() | ConnectionError():
            return refusal(408, "the body did not come in time")
        case _:
            log.error("admin.request_failed", path=path[:200], exc_info=error)
            return refusal(500, "an error of forwarder itself; its log says more")


def _unsent_bytes(request: web.Request) -> int:
    connection = request.protocol
    return connection.unsent_bytes() if isinstance(connection, Connection) else 0


def _is_json(request: web.Request) -> bool:
    is_one = len(request.headers.getall(hdrs.CONTENT_TYPE, [])) == 1
    return is_one and request.content_type == "application/json" and hdrs.CONTENT_ENCODING not in request.headers


def _is_in(path: str, paths: frozenset[str]) -> bool:
    return path in paths or any(path.startswith(each) for each in paths if each.endswith("/") and each != "/")
