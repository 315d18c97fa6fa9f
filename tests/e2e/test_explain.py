"""`explain` and `backtest` on what a real daemon has kept: before and after an edit, beside it and without it."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.process import KEY, command, forwarder, look

CONFIG = """\
streams: [{{url: {stream}, api_key: "${{MAGPIE_KEY}}"}}]
outbox: {{url: 'sqlite:outbox.db'}}
destinations:
  bot: {{url: '{bot}'}}
  desk: {{url: '{bot}', enabled: {desk}}}
routes:
  - name: coins
    match: {{source: x, text: {{contains: [{words}]}}}}
    to: {to}
    stop: true
  - name: others
    match: {{payload.urgent: true}}
    to: bot
"""


def frame(mid: int, text: str) -> str:
    payload = {"text": text}
    return json.dumps({"source": "x", "mid": str(mid), "sid": "7", "timestamp": 1767225600000, "payload": payload})


def write(folder: Path, emulator: Emulator, bot: Receiver, name: str = "config.yaml", **settings: str) -> Path:
    path = folder / name
    given = {"words": "btc, eth", "to": "bot", "desk": "true", **settings}
    path.write_text(CONFIG.format(stream=emulator.ws_url, bot=bot.url, **given), encoding="utf-8")
    return path


async def ask(*arguments: str) -> str:
    """Return what a command prints; it has not the daemon's environment."""
    code, out, err = await command(*arguments)
    assert (code, err) == (0, ""), out + err
    return out


async def test_an_event_is_explained_with_the_config_of_its_time_and_that_of_today(tmp_path: Path) -> None:
    async with Emulator() as emulator, Receiver() as bot:
        config = write(tmp_path, emulator, bot)
        async with forwarder(config, env={"MAGPIE_KEY": KEY}) as running:
            await emulator.wait_connected()
            await emulator.send(frame(1, "buy SOL now"))
            await emulator.send(frame(2, "buy ETH now"))
            await bot.wait_for(1)
            kept = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM deliveries WHERE status = 'delivered')"
            await until(lambda: look(tmp_path / "outbox.db", kept) == [(2, 1)], limit_s=90, what="both are kept")
            missed = await ask("explain", "--mid", "1", "-c", str(config))
            assert "✗ coins → bot  (stop: true)" in missed
            assert '  ✗ text contains "btc", "eth" — "buy SOL now"' in missed.replace("    ", "  ")
            assert "payload.urgent is true — the event has no payload.urgent" in missed
            assert "Deliveries: none" in missed
            assert f"Today's {config} routes it the same way." in missed

            write(tmp_path, emulator, bot, words="btc, sol", to="[bot, desk]")
            edited = await ask("explain", "--mid", "2", "-c", str(config))  # not loaded yet: the daemon has the old one
            running.send(signal.SIGHUP)
            await running.wait_for("reload.done")
            await emulator.send(frame(3, "more SOL"))
            await bot.wait_for(3)
            await until(lambda: look(tmp_path / "outbox.db", kept) == [(3, 3)], limit_s=90, what="the third is kept")

            for out in (edited, await ask("explain", "--mid", "2", "-c", str(config))):
                then, today = out.split("routes it differently:")
                assert '✓ text contains "btc", "eth" — "buy ETH now", by "eth"' in then
                assert "bot: delivered" in then
                assert "others → bot: not reached, coins stops" in then
                assert "bot got it then, by coins, and does not now" in today
                assert "the route coins: matched then, not matched now" in today
                assert "It goes nowhere" in today
            found = json.loads(await ask("explain", "--mid", "3", "--source", "x", "-c", str(config), "--json"))
            assert found["is_same_config"]
            assert found["then"] == found["today"]
            assert found["then"]["destinations"] == {"bot": ["coins"], "desk": ["coins"]}
            assert {each["destination"]: each["status"] for each in found["deliveries"]} == {
                "bot": "delivered",
                "desk": "delivered",
            }
            running.send(signal.SIGTERM)
            assert await running.ended() == 0
        by_id = json.loads(await ask("explain", "--id", found["event_id"][:12], "-c", str(config), "--json"))
        assert by_id["then"] == found["then"]
        assert look(tmp_path / "outbox.db", "SELECT first_seq FROM config_revisions ORDER BY 1") == [(1,), (3,)]
        for path in tmp_path.glob("outbox.db*"):
            assert KEY.encode() not in path.read_bytes()

        code, out, err = await command("explain", "--mid", "404", "-c", str(config))
        assert (code, out) == (1, "")
        assert "'404'" in err
        assert "24h (outbox.keep_delivered)" in err or "1d (outbox.keep_delivered)" in err


async def test_a_changed_config_is_run_over_the_history(tmp_path: Path) -> None:
    async with Emulator() as emulator, Receiver() as bot:
        config = write(tmp_path, emulator, bot, to="[bot, desk]", desk="false")
        async with forwarder(config, env={"MAGPIE_KEY": KEY}) as running:
            await emulator.wait_connected()
            for mid, text in enumerate(("btc up", "eth\x1b[31m up", "sol up", "nothing"), 1):
                await emulator.send(frame(mid, text))
            await bot.wait_for(2)
            done = "SELECT count(*) FROM events UNION ALL SELECT count(*) FROM deliveries WHERE status = 'delivered'"
            await until(lambda: look(tmp_path / "outbox.db", done) == [(4,), (2,)], limit_s=90, what="all is kept")
            same = json.loads(await ask("backtest", "-c", str(config), "--json", "--fail-on-change"))
            assert (same["events"], same["changed"], same["destinations"]["bot"]["same"]) == (4, False, 2)
            assert "desk" not in same["destinations"]  # disabled then and now

            new = write(tmp_path, emulator, bot, "new.yaml", words="eth, sol", to="[bot, desk]", desk="true")
            new.write_text(new.read_text().replace("sqlite:outbox.db", "sqlite:another.db"))
            against = ("backtest", "-c", str(new), "--against", str(config))
            found = json.loads(await ask(*against, "--json"))
            of_bot, of_desk = found["destinations"]["bot"], found["destinations"]["desk"]
            assert [of_bot[name] for name in ("then", "now", "more", "less", "same")] == [2, 2, 1, 1, 1]
            assert [of_desk[name] for name in ("then", "now", "more", "less", "same")] == [0, 2, 2, 0, 0]
            assert found["nowhere"] == {"then": 2, "now": 2}
            assert found["routes"] == {"coins": {"then": 2, "now": 2}}
            assert [(each["mid"], each["routes"]) for each in of_bot["would_get"]] == [("3", ["coins"])]
            assert [(each["mid"], each["text"]) for each in of_bot["would_miss"]] == [("1", "btc up")]

            code, out, err = await command(*against, "--fail-on-change", "--examples", "1")
            assert (code, err) == (1, "")
            assert "4 events since" in out
            assert out.count("\x1b") == 0
            assert "desk would get 2, such as:" in out
            assert r"eth\u001b[31m up" in out or r"eth\x1b[31m up" in out
            newest: dict[str, Any] = json.loads(await ask(*against, "--json", "--limit", "2"))
            assert (newest["events"], newest["destinations"]["bot"]["more"]) == (2, 1)
            running.send(signal.SIGTERM)
            assert await running.ended() == 0
        out = await ask("backtest", "-c", str(new), "--outbox", str(tmp_path / "outbox.db"), "--since", "1h")
        assert "bot" in out
        assert not (tmp_path / "another.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--mid", "1", "--id", "2"), 2, "not allowed with"),
        ((), 2, "one of the arguments"),
        (("--id", "2", "--source", "x"), 2, "--source goes with --mid and --text"),
        (("--mid", "2", "--author", "x"), 2, "--author and --at go with --text"),
        (("--id", "2", "--at", "23:30"), 2, "--author and --at go with --text"),
        (("--event", "nowhere.json"), 1, "nowhere.json: cannot be read"),
        (("--event", "{event}", "--route", "coin"), 2, "has no route 'coin'; it has coins"),
        (("--mid", "1"), 66, "there is no such file yet"),
    ],
)
async def test_what_cannot_be_explained_is_reported(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    event, config = tmp_path / "event.json", tmp_path / "config.yaml"
    event.write_text(frame(1, "btc"), encoding="utf-8")
    text = CONFIG.format(stream="ws://a", bot="http://b", words="btc", to="bot", desk="true")
    config.write_text(text, encoding="utf-8")
    given = [str(event) if each == "{event}" else each for each in arguments]
    found, out, err = await command("explain", *given, "-c", str(config))
    assert (found, out) == (code, "")
    assert said in err
