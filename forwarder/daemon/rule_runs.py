"""Tries rules that are not saved, on an event or on the history: in a process of its own, so that the event loop is not held up."""

from pathlib import Path

from forwarder.core.config import Config
from forwarder.web.ports import BacktestResult, BacktestWanted, RuleTrial, TrialResult, UnavailableError


class RuleRuns:
    """Starts the processes, one at a time."""

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox

    async def try_rules(self, _trial: RuleTrial, _config: Config) -> TrialResult:
        """Route an event by rules that need not be saved."""
        raise UnavailableError("rules cannot be tried over HTTP yet; forwarder explain does it")

    async def backtest(self, _wanted: BacktestWanted, _config: Config) -> BacktestResult:
        """Compare rules that need not be saved with the history."""
        raise UnavailableError("there is no backtest over HTTP yet; forwarder backtest does it")
