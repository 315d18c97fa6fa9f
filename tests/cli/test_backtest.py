"""`forwarder backtest` on a file: what a changed config would have sent."""

from pathlib import Path

from forwarder.cli import exit_codes
from tests.support.history import CONFIG, fill, records
from tests.support.outbox import EVENTS
from tests.support.process import command


async def test_a_changed_config_is_compared_with_what_was_sent(config: Path) -> None:
    await fill(config)
    config.write_text(CONFIG.replace("to: bot", f"match: {{mid: '{EVENTS[0].mid}'}}, to: other"), encoding="utf-8")
    found = (await records(config, "backtest"))[0]
    assert (found["events"], found["changed"], found["unreadable"], found["pruned"]) == (4, True, 0, 0)
    of_bot, of_other = found["destinations"]["bot"], found["destinations"]["other"]
    assert [of_bot[name] for name in ("then", "now", "less", "same")] == [3, 0, 3, 0]
    assert of_other["would_get"][0]["mid"] == EVENTS[0].mid
    code, out, _ = await command("backtest", "-c", str(config), "--fail-on-change", "--examples", "1")
    assert code == exit_codes.FAILURE
    assert "bot would not get 3, such as:" in out


async def test_an_empty_history_and_wrong_arguments_are_sentences(config: Path) -> None:
    await fill(config)
    code, out, _ = await command("backtest", "-c", str(config), "--since", "1m")
    assert (code, out.startswith("The outbox has no events of that time.")) == (exit_codes.OK, True)
    code, _, err = await command("backtest", "-c", str(config), "--examples", "-1")
    assert (code, "--examples" in err) == (exit_codes.USAGE, True)
