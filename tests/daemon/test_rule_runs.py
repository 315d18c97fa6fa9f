"""Rules that are not saved, tried in a process of their own."""

from pathlib import Path

import pytest

from forwarder.configfile.read import read_config
from forwarder.daemon.rule_runs import RuleRuns
from forwarder.web.ports import BacktestWanted, RuleTrial, UnavailableError
from tests.support.history import CONFIG


async def test_it_is_said_that_this_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    runs, config = RuleRuns(tmp_path / "outbox.db"), read_config(path)
    with pytest.raises(UnavailableError, match="forwarder explain does it"):
        await runs.try_rules(RuleTrial(event="{}"), config)
    with pytest.raises(UnavailableError, match="forwarder backtest does it"):
        await runs.backtest(BacktestWanted(), config)
