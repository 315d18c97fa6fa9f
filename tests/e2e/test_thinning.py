"""A flood through the real daemon: what a limit lets through, what is reported of the rest, and that everything is accounted for."""

import json
import signal
from pathlib import Path
from typing import Any

from forwarder.core.routing.sampling import is_in_sample
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import OWN, assert_balanced, bodies, notices, ok, stopped, until_counted
from tests.support.process import KEY, forwarder, look


def frame(mid: int, author: str, source: str = "x") -> str:
    payload = {"text": f"{source} text", "author": {"id": author, "name": author, "screen_name": author}}
    return json.dumps({"mid": str(mid), "sid": author, "source": source, "timestamp": 1, "payload": payload})


def configure(folder: Path, stream: str, bot: Receiver, alerts: Receiver, *routes: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"streams: [{{url: '{stream}', api_key: {KEY}, use_fast_x: true}}]\n"
        "outbox: {url: 'sqlite:outbox.db'}\n"
        f"destinations:\n  bot: {{url: '{bot.url}'}}\n  alerts: {{url: '{alerts.url}'}}\nroutes:\n"
        + "".join(f"  - {route}\n" for route in routes),
        encoding="utf-8",
    )
    return path


def posts(receiver: Receiver) -> list[str]:
    """Return author, number and source of each post that was taken, sorted."""
    events: list[dict[str, Any]] = [json.loads(body) for body in bodies(receiver) if OWN not in body]
    return sorted(f"{event['sid']} {event['mid']} {event['source']}" for event in events)


def both(author: str, *mids: int) -> list[str]:
    return sorted(f"{author} {mid} {source}" for mid in mids for source in ("x", "fast-x"))


async def test_a_flood_of_one_author_is_cut_and_reported_others_pass_and_a_reload_or_a_stop_loses_no_count(
    tmp_path: Path,
) -> None:
    route = "{name: floods, to: bot, limit: {count: 3, per: %s, by: author, summary: alerts}}"
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as alerts:
        hour = configure(tmp_path, emulator.ws_url, bot, alerts, route % "1h")
        async with forwarder(hour) as daemon:
            await emulator.wait_connected()

            async def post(author: str, *mids: int) -> None:
                for mid in mids:
                    for source in ("fast-x", "x"):
                        await emulator.send(frame(mid, author, source))

            await post("loud", *range(10))
            await post("calm", 20, 21)
            await bot.wait_for(6 + 4)
            # The same limit, below another route: what was counted holds on.
            configure(tmp_path, emulator.ws_url, bot, alerts, "{to: alerts, match: {sid: nobody}}", route % "1h")
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done")
            await post("loud", 10, 11)
            await post("calm", 22, 23)
            await bot.wait_for(6 + 6)
            assert notices(alerts) == []
            # A changed limit starts counting at zero, and what the previous one held back is reported.
            configure(tmp_path, emulator.ws_url, bot, alerts, route % "5s")
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done", count=2)
            await alerts.wait_for(1)
            # The summary comes by itself, after its time.
            await post("loud", *range(30, 40))
            await bot.wait_for(12 + 6)
            await alerts.wait_for(2)
            # What is gathered when the daemon stops is reported as it ends, and sent at the next start at the latest.
            configure(tmp_path, emulator.ws_url, bot, alerts, route % "2h")
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done", count=3)
            await post("loud", *range(50, 55))
            await post("calm", 60)
            await bot.wait_for(18 + 6 + 2)
            await stopped(daemon)
        async with forwarder(hour) as daemon:
            await daemon.wait_for("daemon.ready")  # the summary may have come before the stop
            await alerts.wait_for(3)
            await stopped(daemon)
    assert posts(bot) == sorted(
        both("loud", 0, 1, 2) + both("calm", 20, 21, 22) + both("loud", 30, 31, 32, 50, 51, 52) + both("calm", 60)
    )
    sent = notices(alerts)
    assert [(notice["kind"], notice["route"]) for notice in sent] == [("limited", "floods")] * 3
    assert [notice["title"] for notice in sent] == [f'Route "floods": {count} posts not sent' for count in (10, 7, 2)]
    assert "; 9 from @loud, 1 from @calm. First: " in sent[0]["text"]
    assert "per 5 s for each author); 7 from @loud." in sent[1]["text"]
    assert "(limit 3 per 2 h for each author)" in sent[2]["text"]
    await assert_balanced(hour)
    causes = "SELECT coalesce(reason, status), count(*) FROM deliveries GROUP BY 1"
    assert dict(look(tmp_path / "outbox.db", causes)) == {"delivered": 26 + 3, "limited": 2 * 19}


async def test_a_sample_is_of_posts_shown_by_every_command_and_left_alone_by_a_replay_of_what_is_missing(
    tmp_path: Path,
) -> None:
    mids = range(1_000, 1_030)
    inside = [mid for mid in mids if is_in_sample(str(mid), 5_000)]
    count = len(inside)
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as alerts:
        routes = ("{name: half, to: [bot, alerts], sample: 50%}", "{name: all, to: alerts}")
        config = configure(tmp_path, emulator.ws_url, bot, alerts, *routes)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for source in ("fast-x", "x"):
                for mid in mids:
                    await emulator.send(frame(mid, "foo", source))
            await alerts.wait_for(60)
            await bot.wait_for(2 * count)
            said = await ok(config, "replay", "--since", "1h", "--to", "bot", "--missing", "--json")
            assert json.loads(said) == {"queued": 0, "left_alone": 60}
            metrics = await ok(config, "status", "--prometheus")
            await stopped(daemon)
    assert 0 < count < 30
    assert posts(bot) == both("foo", *inside)
    assert posts(alerts) == both("foo", *mids)
    assert f'forwarder_deliveries_total{{result="sampled"}} {60 - 2 * count}.0\n' in metrics
    assert f'forwarder_deliveries_total{{result="delivered"}} {60 + 2 * count}.0\n' in metrics
    shown = await ok(config, "deliveries", "--destination", "bot", "--status", "skipped", "--all", "--json")
    assert [json.loads(line)["reason"] for line in shown.splitlines()] == ["sampled"] * (60 - 2 * count)
    shown = await ok(config, "events", "--json", "--limit", "60")
    assert len(shown.splitlines()) == 60
    await assert_balanced(config)


async def test_the_limit_of_a_destination_holds_over_its_routes_and_is_shown_and_survives_a_reload(
    tmp_path: Path,
) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot, Receiver() as alerts:
        config = configure(
            tmp_path, emulator.ws_url, bot, alerts, "{name: one, to: bot}", "{name: two, to: [bot, alerts]}"
        )
        config.write_text(
            config.read_text(encoding="utf-8").replace(
                f"bot: {{url: '{bot.url}'}}",
                f"bot: {{url: '{bot.url}', limit: {{count: 3, per: 1h, by: author, summary: alerts}}}}",
            ),
            encoding="utf-8",
        )
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for mid in range(5):
                await emulator.send(frame(mid, "loud"))
            await alerts.wait_for(5)
            config.write_text(config.read_text(encoding="utf-8") + "  - {match: {sid: nobody}, to: alerts}\n")
            daemon.send(signal.SIGHUP)
            await daemon.wait_for("reload.done")
            for mid in (5, 6):
                await emulator.send(frame(mid, "loud"))
            await alerts.wait_for(7)
            await emulator.send(frame(7, "calm"))
            await bot.wait_for(3 + 1)
            await alerts.wait_for(8)
            await until_counted(config, 8)
            assert "bot, by one, two — unless its limit is reached (3 in 1h by author)" in await ok(
                config, "explain", "--mid", "7"
            )
            await stopped(daemon)
        assert posts(bot) == ["calm 7 x", *(f"loud {mid} x" for mid in range(3))]
        (notice,) = notices(alerts)
        assert (notice["kind"], notice["destination"]) == ("limited", "bot")
        assert notice["title"] == "4 posts not sent to bot"
        assert notice["text"].startswith(
            "4 posts not sent to bot (limit 3 per 60 min for each author); 4 from @loud. First: "
        )
        skipped = look(tmp_path / "outbox.db", "SELECT count(*) FROM deliveries WHERE status = 'skipped'")
        assert skipped == [(4,)]
        await assert_balanced(config)
        checked = await ok(config, "check")
        assert "destination bot gets at most 3 in 1h by author, over all routes" in checked
