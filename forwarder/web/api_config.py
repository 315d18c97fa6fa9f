"""The config over HTTP: how it is, and what other rules would do. Nothing here changes anything."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from aiohttp import web

from forwarder.web.config_view import ConfigView
from forwarder.web.connection import Connection
from forwarder.web.endpoints import Endpoint, NoParameters, reading
from forwarder.web.parameters import read_body, read_query
from forwarder.web.ports import DaemonAccess
from forwarder.web.rule_trials import BacktestResult, BacktestWanted, RuleTrial, TrialResult


class ConfigReads:
    """Answers what the rules are, and what others would do."""

    def __init__(self, access: DaemonAccess) -> None:
        self._access = access

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield what there is."""
        yield reading(
            "/config", "The active config without secrets, and the last refused edit", self.config, ConfigView
        )
        yield Endpoint(
            method="POST",
            path="/rules/try",
            summary="Route an event by rules that need not be saved; nothing is sent",
            answer=self.try_rules,
            result=TrialResult,
            body=RuleTrial,
        )
        yield Endpoint(
            method="POST",
            path="/rules/backtest",
            summary="Compare rules that need not be saved with what was sent",
            answer=self.backtest,
            result=BacktestResult,
            body=BacktestWanted,
        )

    async def config(self, request: web.Request) -> ConfigView:
        """Return the active config."""
        read_query(request, NoParameters)
        return await self._access.config()

    async def try_rules(self, request: web.Request) -> TrialResult:
        """Route an event by rules that need not be saved."""
        read_query(request, NoParameters)
        wanted = await read_body(request, RuleTrial)
        with _ending_with_client(request):
            return await self._access.try_rules(wanted)

    async def backtest(self, request: web.Request) -> BacktestResult:
        """Compare rules that need not be saved with the history."""
        read_query(request, NoParameters)
        wanted = await read_body(request, BacktestWanted)
        with _ending_with_client(request):
            return await self._access.backtest(wanted)


def _ending_with_client(request: web.Request) -> AbstractContextManager[None]:
    """Return a block that ends when the client goes away. It changes nothing, so it can end anywhere."""
    connection = request.protocol
    return connection.ending_with_client() if isinstance(connection, Connection) else nullcontext()
