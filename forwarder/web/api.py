"""The API: every endpoint under `/api/v1`, and its description in OpenAPI."""

from collections.abc import Sequence
from functools import cached_property

import msgspec
from aiohttp import web

from forwarder.web.access import Sessions
from forwarder.web.api_config import ConfigReads
from forwarder.web.api_controls import Controls
from forwarder.web.api_history import HistoryReads
from forwarder.web.api_reload import Reloads
from forwarder.web.api_replays import Replays
from forwarder.web.api_state import StateReads
from forwarder.web.endpoints import JSON, Endpoint, NoParameters
from forwarder.web.guard import CHANGES_NOTHING, LASTS, Guard
from forwarder.web.live import Live
from forwarder.web.login import Login
from forwarder.web.openapi import Document, document_of
from forwarder.web.parameters import read_query
from forwarder.web.ports import DaemonAccess

PREFIX = "/api/v1"


class Api:
    """The endpoints of the API."""

    def __init__(self, access: DaemonAccess, guard: Guard, sessions: Sessions) -> None:
        login = Login(guard, sessions)
        self.endpoints: Sequence[Endpoint] = (
            *StateReads(access).endpoints(),
            *HistoryReads(access).endpoints(),
            *ConfigReads(access).endpoints(),
            *Controls(access).endpoints(),
            *Replays(access).endpoints(),
            *Reloads(access).endpoints(),
            *Live(access).endpoints(),
            *login.endpoints(),
        )

    def add_to(self, application: web.Application) -> None:
        """Add the routes."""
        for endpoint in self.endpoints:
            application.router.add_route(endpoint.method, PREFIX + endpoint.path, endpoint.handle)
            if endpoint.method == "GET" and endpoint.media_type == JSON:
                application.router.add_route("HEAD", PREFIX + endpoint.path, endpoint.handle)
        application.router.add_get(f"{PREFIX}/openapi.json", self.openapi)
        changes_nothing = {
            PREFIX + each.path for each in self.endpoints if each.method == "POST" and not each.is_change
        }
        lasts = {PREFIX + each.path for each in self.endpoints if each.media_type != JSON}
        application[CHANGES_NOTHING] = frozenset(changes_nothing)
        application[LASTS] = frozenset(lasts)

    async def openapi(self, request: web.Request) -> web.Response:
        """Return the description."""
        read_query(request, NoParameters)
        return web.Response(body=msgspec.json.encode(self.document), content_type=JSON)

    @cached_property
    def document(self) -> Document:
        """The description in OpenAPI 3.1."""
        return document_of(self.endpoints, prefix=PREFIX)
