"""The process that tries rules for a daemon, called here as a function."""

from pathlib import Path

from forwarder.cli.rule_run import run
from forwarder.configfile.read import read_config
from forwarder.web.rule_trials import BacktestResult, BacktestWanted, RuleRun, RuleTrial, TrialResult
from tests.support.history import CONFIG, fill


def asked(config: Path, **what: object) -> TrialResult | BacktestResult:
    revision = read_config(config).revision
    assert revision is not None
    outbox = str(config.with_name("outbox.db"))
    return run(RuleRun(base=revision.data, outbox=outbox, cpu_s=10, **what))  # type: ignore[arg-type] # one of both


async def test_a_trial_and_a_backtest_have_the_same_rules(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    assert asked(config, backtest=BacktestWanted()) == BacktestResult(
        unavailable="the outbox cannot be read now: there is no such file yet"
    )
    await fill(config)
    compared = asked(config, backtest=BacktestWanted(most=2))
    assert isinstance(compared, BacktestResult)
    assert compared.result["events"] == 2
    for result in (asked(config, trial=RuleTrial(event="{}")), asked(config, trial=RuleTrial(event="{}", rules="a"))):
        assert isinstance(result, TrialResult)
        assert result.event_problem or result.problems
