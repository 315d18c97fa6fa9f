"""Rules that are not saved, tried in a process of their own."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from forwarder.configfile.read import read_config
from forwarder.core.config import Config
from forwarder.daemon import rule_runs
from forwarder.daemon.rule_runs import RuleRuns
from forwarder.web.ports import UnavailableError
from forwarder.web.rule_trials import BacktestWanted, RuleTrial
from tests.support.history import CONFIG, fill

EVENT = json.dumps({"mid": "1", "sid": "2", "source": "x", "timestamp": 1, "payload": {"text": "buy BTC"}})
DRAFT = "routes: [{name: coins, match: {text: {contains: btc}}, to: other}]"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return read_config(path)


async def test_an_event_is_routed_by_the_active_rules_and_by_others(tmp_path: Path, config: Config) -> None:
    runs = RuleRuns(tmp_path / "outbox.db")
    active = await runs.try_rules(RuleTrial(event=EVENT), config)
    assert active.explanation is not None
    assert active.explanation.chosen == {"bot": ("all",)}
    drafted = await runs.try_rules(RuleTrial(event=EVENT, rules=DRAFT), config)
    assert drafted.explanation is not None
    assert drafted.explanation.chosen == {"other": ("coins",)}
    trace = drafted.explanation.routes[0].trace
    assert trace is not None
    assert trace.holds


async def test_what_is_wrong_with_the_rules_or_the_event_is_said(tmp_path: Path, config: Config) -> None:
    runs = RuleRuns(tmp_path / "outbox.db")
    (problem,) = (await runs.try_rules(RuleTrial(event=EVENT, rules="- {to: nobody}"), config)).problems
    assert (problem.file, problem.line) == ("rules", 1)
    assert "this is no event" in str((await runs.try_rules(RuleTrial(event="[]"), config)).event_problem)


async def test_the_history_is_compared(tmp_path: Path, config: Config) -> None:
    await fill(tmp_path / "config.yaml")
    runs = RuleRuns(tmp_path / "outbox.db")
    found = (await runs.backtest(BacktestWanted(rules="- {to: other}"), config)).result
    assert (found["events"], found["changed"]) == (4, True)
    assert found["destinations"]["other"]["more"] == 4
    assert (await runs.backtest(BacktestWanted(rules="- {to: nobody}"), config)).problems


async def test_a_history_that_cannot_be_read_is_said(tmp_path: Path, config: Config) -> None:
    with pytest.raises(UnavailableError, match="there is no such file"):
        await RuleRuns(tmp_path / "outbox.db").backtest(BacktestWanted(), config)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (("-c", "import time; time.sleep(600)"), "takes too long"),
        (("-c", "raise SystemExit(1)"), "ended early"),
        (("-c", "while True: print('x' * 1_000_000)"), "ended early"),
    ],
)
async def test_a_process_that_does_not_answer_is_ended(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch, program: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(rule_runs, "COMMAND", (sys.executable, *program))
    monkeypatch.setattr(rule_runs, "_LONGER", 0.3)
    with pytest.raises(UnavailableError, match=said):
        await RuleRuns(tmp_path / "outbox.db").try_rules(RuleTrial(event=EVENT), config)


async def test_one_run_waits_for_the_other_and_not_for_long(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_runs, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(rule_runs, "_TURN_WITHIN_S", 0.05)
    runs = RuleRuns(tmp_path / "outbox.db")
    first = asyncio.ensure_future(runs.try_rules(RuleTrial(event=EVENT), config))
    while not runs._turn.locked():  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(0.01)
    with pytest.raises(UnavailableError, match="being tried already"):
        await runs.try_rules(RuleTrial(event=EVENT), config)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not runs._turn.locked()


async def test_a_program_that_is_gone_is_said(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_runs, "COMMAND", (str(tmp_path / "gone"),))
    with pytest.raises(UnavailableError, match="cannot be started"):
        await RuleRuns(tmp_path / "outbox.db").try_rules(RuleTrial(event=EVENT), config)
