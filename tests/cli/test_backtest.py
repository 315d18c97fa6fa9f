"""`forwarder backtest` on a file: what a changed config would have sent."""

from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.core.event import event_text
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


async def test_what_folding_changes_is_shown_for_each_route(config: Path) -> None:
    await fill(config)
    word = "\uff22\uff34\uff23"  # BTC in wide letters
    urgent, calm = f"{{text: {{word: {word}}}}}", f"{{not: {{text: {{word: {word}}}}}}}"
    routes = f"routes: [{{name: wide, match: {urgent}, to: bot}}, {{name: calm, match: {calm}, to: bot}}, {{name: all, to: bot}}]"
    config.write_text(CONFIG.replace("routes: [{name: all, to: bot}]", routes), encoding="utf-8")
    (found,) = await records(config, "backtest", "--folded")
    count = sum("btc" in str(event_text(each.payload)).lower() for each in EVENTS[:4])
    assert count > 0
    assert (found["events"], found["changed"]) == (4, True)
    counted = {
        name: [each[key] for key in ("exact", "folded", "more", "less")] for name, each in found["routes"].items()
    }
    assert counted == {"wide": [0, count, count, 0], "calm": [4, 4 - count, 0, count], "all": [4, 4, 0, 0]}
    assert len(found["routes"]["wide"]["would_match"]) == count
    assert found["routes"]["calm"]["would_not_match"][0]["routes"] == ["calm", "all"]
    code, out, _ = await command("backtest", "-c", str(config), "--folded", "--fail-on-change")
    assert code == exit_codes.FAILURE
    lines = [line.split() for line in out.splitlines()]
    assert ["wide", "0", str(count), f"+{count}", "-0"] in lines
    assert f"calm does not match with folded texts {count}:" in out


async def test_without_such_texts_folding_changes_nothing(config: Path) -> None:
    await fill(config)
    code, out, _ = await command("backtest", "-c", str(config), "--folded", "--fail-on-change")
    assert code == exit_codes.OK
    assert out.endswith("Every route matches the same events with folded texts.\n")
    code, out, _ = await command("backtest", "-c", str(config), "--folded", "--since", "1m")
    assert (code, out.startswith("The outbox has no events of that time.")) == (exit_codes.OK, True)


async def test_of_many_routes_that_folding_changes_the_first_are_shown(config: Path) -> None:
    await fill(config)
    routes = ", ".join(
        f"{{name: r{number}, match: {{text: {{word: \uff22\uff34\uff23}}}}, to: bot}}" for number in range(32)
    )
    config.write_text(CONFIG.replace("{name: all, to: bot}", routes), encoding="utf-8")
    _, out, _ = await command("backtest", "-c", str(config), "--folded", "--examples", "0")
    assert "and 2 more routes (--json has them)" in out
