"""Edits of real files beside the real daemon: what is loaded, what is refused, what is said, and that nothing is lost by it."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.control.client import control
from forwarder.core.commands import Reload
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import Load, assert_balanced, until
from tests.support.delivery import configure, ok, status, status_text, stopped
from tests.support.lanes import event
from tests.support.process import KEY, Forwarder, command, forwarder, look

Line = dict[str, Any]
SAID = ("reload.", "config.")


def is_reload(line: Line) -> bool:
    return str(line["event"]).startswith(SAID)


def done(routes: int) -> Callable[[Line], bool]:
    return lambda line: line["event"] == "reload.done" and line["routes"] == routes


def refused(text: str = "") -> Callable[[Line], bool]:
    return lambda line: line["event"] == "reload.refused" and text in str(line["problems"])


def replace(file: Path, text: str) -> None:
    """Save as most editors do."""
    beside = file.with_name(f".{file.name}.swp")
    beside.write_text(text)
    beside.replace(file)


@asynccontextmanager
async def live(
    folder: Path, settings: str = "", extra: str = ""
) -> AsyncIterator[tuple[Path, Forwarder, Emulator, Receiver]]:
    """Give a config, the daemon that runs with it, and both its ends."""
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(folder, emulator, {"bot": (bot, settings)}, extra=extra)
        config.write_text(config.read_text().replace("routes: [{to: [bot]}]", "routes:\n  - to: [bot]"))
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            yield config, daemon, emulator, bot


def with_routes(text: str, count: int) -> str:
    """Return the config with so many routes."""
    more = "".join(
        f"  - {{name: more {number}, match: {{source: web, sid: {number}}}, to: bot}}\n" for number in range(count - 1)
    )
    return text.replace("  - to: [bot]\n", f"  - to: [bot]\n{more}")


async def test_each_way_of_saving_is_loaded_at_once_and_what_changes_nothing_is_not_talked_of(tmp_path: Path) -> None:
    async with live(tmp_path) as (config, daemon, _, _):
        good = config.read_text()
        began = len(daemon.lines)
        config.write_text(with_routes(good, 2))
        assert (await daemon.wait_where(done(2)))["plan"] == ['route "more 0" added after "route 1", to bot']
        replace(config, with_routes(good, 3))
        await daemon.wait_where(done(3))
        # None of these is an edit.
        config.chmod(0o600)
        config.touch()
        replace(config, config.read_text())
        (tmp_path / ".config.yaml.swx").write_text("routes: []")
        (tmp_path / "config.yaml~").write_text("routes: []")
        for count in range(4, 30):  # a burst
            config.write_text(with_routes(good, count))
        await daemon.wait_where(done(29))
        said = [line for line in daemon.lines[began:] if is_reload(line)]
        assert {line["event"] for line in said} == {"reload.done"}
        assert [line["routes"] for line in said][:2] == [2, 3]
        assert all(line["by"] == "save" for line in said)
        await stopped(daemon)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("", "the file is empty"),
        ("streams: [{", "not valid YAML"),
        (None, "it is empty; write at least one element"),  # cut short behind `routes:`, and YAML for all that
        ("\0", "U+0000"),
    ],
)
async def test_a_save_that_is_half_done_is_refused_once_and_forgotten_when_it_is_done(
    tmp_path: Path, broken: str | None, problem: str
) -> None:
    async with live(tmp_path) as (config, daemon, emulator, bot):
        good = config.read_text()
        text = good[: good.index("routes:")] + "routes: []\n" if broken is None else broken
        config.write_text(text)
        line = await daemon.wait_where(refused(problem))
        assert line["level"] == "error"
        found = (await status(config) if broken is None else await asked(daemon, tmp_path))["config"]["refused"]
        assert problem in str(found["problems"])
        replace(config, text)  # the same again
        config.touch()
        await emulator.send(event(1).body)
        await bot.wait_for(1)  # the running config stays active
        config.write_text(good)
        await daemon.wait_for("reload.undone")
        assert sum(map(refused(), daemon.lines)) == 1
        assert (await status(config))["config"]["refused"] is None
        config.write_text(with_routes(good, 2))
        await daemon.wait_where(done(2))
        await stopped(daemon)


async def asked(_daemon: Forwarder, folder: Path) -> Line:
    """Return the status over the socket itself: the commands read the config to find it."""
    from forwarder.core.commands import StatusRequest

    def ask() -> Line:
        with control(folder / "outbox.db.sock") as connection:
            return connection.ask(StatusRequest())

    return await asyncio.to_thread(ask)


async def test_a_file_that_vanishes_is_reported_once_and_loaded_when_it_is_back(tmp_path: Path) -> None:
    async with live(tmp_path) as (config, daemon, emulator, bot):
        good = config.read_text()
        config.rename(tmp_path / "away")
        line = await daemon.wait_for("reload.unreadable")
        assert "No such file" in line["problems"][0]
        assert "loaded when it is back" in line["note"]
        await emulator.send(event(1).body)
        await bot.wait_for(1)
        (tmp_path / "away").rename(config)
        await daemon.wait_for("reload.undone")
        config.unlink()
        await daemon.wait_for("reload.unreadable", count=2)
        config.mkdir()  # no file either, and another reason
        await daemon.wait_for("reload.unreadable", count=3)
        config.rmdir()
        config.write_text(with_routes(good, 2))
        await daemon.wait_where(done(2))
        await stopped(daemon)


async def test_links_that_are_swapped_as_kubernetes_does(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        for count in (1, 2, 3):
            folder = tmp_path / f"..{count}"
            folder.mkdir()
            path = configure(folder, emulator, {"bot": (bot, "")}, extra=f"admin: {{socket: {tmp_path}/sock}}\n")
            text = path.read_text().replace("routes: [{to: [bot]}]", "routes:\n  - to: [bot]")
            path.write_text(with_routes(text, count).replace("sqlite:outbox.db", f"sqlite://{tmp_path}/outbox.db"))
        (tmp_path / "..data").symlink_to("..1")
        config = tmp_path / "config.yaml"
        config.symlink_to("..data/config.yaml")
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            for count in (2, 3):
                (tmp_path / "..new").symlink_to(f"..{count}")
                (tmp_path / "..new").replace(tmp_path / "..data")
                await daemon.wait_where(done(count))
            await stopped(daemon)


async def test_every_file_that_the_config_names_is_watched_those_that_are_not_there_too(tmp_path: Path) -> None:
    names = tmp_path / "names"
    template, secret, url = tmp_path / "body.j2", tmp_path / "secret", tmp_path / "url"
    names.write_text("alice\n")
    template.write_text('{"text": {{ mid | tojson }}}')
    for file, text in ((secret, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"), (url, "http://127.0.0.1:9/magpie")):
        file.touch(mode=0o600)
        file.write_text(text)
    settings = (
        "format: {type: template, body_file: body.j2}, signing: {secret_file: secret}, socket: /run/none,"
        " headers: {X-Token: magpie}"
    )
    async with live(tmp_path, settings) as (config, daemon, _, _):
        text = config.read_text().replace("  - to: [bot]", "  - {match: {sid: {file: names}}, to: bot}")
        config.write_text(text)
        await daemon.wait_where(lambda line: line["event"] == "reload.done" and "match changed" in str(line["plan"]))
        for file, changed, words in (
            (names, "alice\nbob\n", 'route "route 1": match changed'),
            (template, '{"t": {{ mid | tojson }}}', "destination bot: format.body changed"),
            (secret, "whsec_magpieQ1Njc4OTAxMjM0NTY3ODkwMTIz", "destination bot: signing.secret changed"),
        ):
            replace(file, changed)
            await daemon.wait_where(lambda line, words=words: words in line.get("plan", ()))  # type: ignore[misc] # mypy infers no type for a default of a lambda
        names.unlink()
        await daemon.wait_where(refused("names"))
        config.write_text(text.replace("bot: {url:", "bot: {url_file: late, socket: /run/a}\n  old: {url:"))
        await daemon.wait_where(refused("late"))
        names.write_text("carol\n")
        await daemon.wait_where(lambda line: refused("late")(line) and "names" not in str(line["problems"]))
        url.rename(tmp_path / "late")
        await daemon.wait_where(lambda line: "destination old added" in str(line.get("plan")))
        await stopped(daemon)
    assert "magpie" not in json.dumps(daemon.lines)


async def test_without_watching_signals_and_requests_alone_load(tmp_path: Path) -> None:
    async with live(tmp_path, extra="reload: {watch: false}\n") as (config, daemon, _, _):
        good = config.read_text()
        config.write_text(with_routes(good, 2))
        config.write_text(with_routes(good, 3))
        daemon.send(signal.SIGHUP)
        line = await daemon.wait_where(done(3))
        assert line["by"] == "signal"
        config.write_text(with_routes(good, 4))
        assert "route " in await ok(config, "reload")
        await daemon.wait_where(done(4))  # the answer may be here before the line is read
        assert [line["routes"] for line in daemon.lines if line["event"] == "reload.done"] == [3, 4]
        assert "loaded by SIGHUP and forwarder reload" in await status_text(config)
        config.write_text(good.replace("watch: false", "watch: true"))
        await ok(config, "reload")
        config.write_text(with_routes(good, 5))
        await daemon.wait_where(done(5))
        await stopped(daemon)


async def test_a_config_that_is_no_yaml_does_not_keep_the_daemon_from_being_asked(tmp_path: Path) -> None:
    async with live(tmp_path) as (config, daemon, _, _):
        good = config.read_text()
        for broken in ("streams: [", "", None):
            config.unlink() if broken is None else config.write_text(broken)
            if broken == "streams: [":
                await daemon.wait_where(lambda line: line["event"] == "reload.refused")
                code, out, err = await command("status", "-c", str(config))
                assert (code, "REFUSED" in out, "not valid YAML" in err) == (exit_codes.DEGRADED, True, True)
            for verb in ("status --json", "pause bot", "resume bot", "reconnect"):
                code, out, err = await command(*verb.split(), "-c", str(config))
                is_degraded = verb.startswith("status")  # by the edit that was refused
                assert code == (exit_codes.DEGRADED if is_degraded else exit_codes.OK), (broken, verb, err)
                assert str(config) in err
                assert "an earlier version of this file" in err
        config.write_text(good)
        await daemon.wait_where(lambda line: line["event"] == "stream.connected")
        await stopped(daemon)
        config.write_text("streams: [")
        for verb in ("status", "pause bot", "reconnect"):
            assert (await command(*verb.split(), "-c", str(config)))[0] == exit_codes.BAD_CONFIG


async def test_reload_and_diff_say_what_changes_and_what_is_wrong(tmp_path: Path) -> None:
    async with live(tmp_path, extra="reload: {watch: false}\n") as (config, daemon, emulator, bot):
        good = config.read_text()
        assert "active already" in await ok(config, "reload")
        assert "this config is active already" in await ok(config, "check", "--diff")
        bot.status = 503
        await emulator.send(event(1).body)
        await bot.wait_until(lambda bot: bot.received == 1)
        waiting = "SELECT count(*) FROM deliveries WHERE status = 'pending'"
        await until(lambda: look(tmp_path / "outbox.db", waiting) == [(1,)], limit_s=90, what="it on disk")
        edited = good.replace("/hook'", "/magpie', timeout: 10s") + "outbox_: 1\n"
        config.write_text(edited)
        code, out, err = await command("reload", "-c", str(config))
        assert (code, out) == (exit_codes.FAILURE, "")
        assert "outbox_: unknown key" in err
        assert "the running config stays active" in err
        assert "REFUSED" in await status_text(config)
        code, out, _ = await command("reload", "--json", "-c", str(config))
        assert code == exit_codes.FAILURE
        assert json.loads(out)["applied"] is False
        config.write_text("streams: [")  # it does not even say where the daemon is
        code, _, err = await command("reload", "-c", str(config))
        assert code == exit_codes.FAILURE
        assert "not valid YAML" in err
        config.write_text(edited.replace("outbox_: 1\n", ""))
        plan = [
            "  destination bot: url changed, timeout 5s → 10s",
            "  1 waiting delivery of destination bot keeps its destination, with its new URL",
        ]
        out = await ok(config, "check", "--diff")
        assert out.splitlines()[1:] == ["this would change:", *plan]
        assert "bot" not in str([line for line in daemon.lines if line["event"] == "reload.done"])
        other = tmp_path / "other.yaml"
        other.write_text(with_routes(good, 2))
        code, out, err = await command("check", "--diff", "-c", str(other))
        assert (code, out.splitlines()[1:]) == (
            0,
            ["this would change:", '  route "more 0" added after "route 1", to bot'],
        )
        assert f"the daemon's config is {config}" in err
        bot.status = 200
        out = await ok(config, "reload")
        assert out.splitlines()[1:] == plan
        await bot.wait_for(1)
        assert bot.requests[-1].path == "/magpie"
        assert json.loads(await ok(config, "reload", "--json"))["changed"] is False
        found = (await status(config))["config"]
        assert (found["file"], found["refused"], found["needs_restart"]) == (str(config), None, [])
        config.write_text(good + "admin: {socket: outbox.db.sock}\n")
        out = await ok(config, "reload")
        assert "admin.socket changed: takes effect at the next start" in out
        assert "active only after a restart: admin.socket" in await status_text(config)
        await stopped(daemon)
    assert "magpie" not in json.dumps(daemon.lines)
    for arguments in (("reload",), ("check", "--diff")):
        code, _, err = await command(*arguments, "-c", str(config))
        assert code == exit_codes.NO_DAEMON
        assert "no forwarder answers" in err


TESTS = "tests:\n  - {name: all to bot, event: {payload: {text: gm}}, expect: {bot: [route 1]}}\n"


async def test_an_edit_whose_tests_fail_is_refused_or_by_choice_warned_of(tmp_path: Path) -> None:
    async with live(tmp_path, extra=TESTS) as (config, daemon, emulator, bot):
        good = config.read_text()
        bad = good.replace("  - to: [bot]", "  - {to: [bot], match: {text: {word: btc}}}")
        config.write_text(bad)
        await daemon.wait_where(refused('tests: "all to bot" (line'))
        assert (await status(config))["config"]["refused"]["problems"][0].startswith('tests: "all to bot"')
        await emulator.send(event(1).body)
        await bot.wait_for(1)  # the running config stays active
        config.write_text("reload: {require_tests: false}\n" + bad)
        line = await daemon.wait_where(lambda line: line["event"] == "reload.tests_failed")
        assert 'tests: "all to bot"' in line["tests"][0]
        await daemon.wait_for("reload.done")
    async with forwarder(config) as daemon:  # a start is not refused: the routes are what they are
        line = await daemon.wait_for("config.test_failed")
        assert line["note"].startswith('tests: "all to bot"')
        await daemon.wait_for("daemon.ready")


async def test_a_test_in_a_file_next_to_the_config_refuses_an_edit_as_well(tmp_path: Path) -> None:
    async with live(tmp_path) as (config, daemon, _, _):
        (tmp_path / "rules_test.yaml").write_text(TESTS)
        config.write_text(config.read_text().replace("  - to: [bot]", "  - {to: [bot], match: {text: {word: btc}}}"))
        await daemon.wait_where(refused('rules_test.yaml: "all to bot" (line'))
        (tmp_path / "rules_test.yaml").write_text(TESTS.replace("gm", "btc"))
        await daemon.wait_for("reload.done")


async def test_several_requests_at_once_get_an_answer_each(tmp_path: Path) -> None:
    def ask() -> Line:
        with control(tmp_path / "outbox.db.sock") as connection:
            return connection.ask(Reload())

    async with live(tmp_path) as (config, daemon, _, _):
        config.write_text(with_routes(config.read_text(), 2))
        answers = await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(5)))
        assert all(answer["applied"] for answer in answers)
        assert len({answer["digest"] for answer in answers}) == 1
        assert sum(map(done(2), daemon.lines)) + sum(answer["changed"] for answer in answers) <= 2
        await daemon.wait_where(done(2))
        await stopped(daemon)


async def test_the_time_without_a_stream_is_a_gap_if_the_only_one_is_renamed_to_one_that_does_not_answer(
    tmp_path: Path,
) -> None:
    async with live(tmp_path) as (config, daemon, emulator, _):
        await daemon.wait_for("stream.connected")
        good = config.read_text()
        config.write_text(good.replace("[{url: 'ws://127.0.0.1", "[{name: primary, url: 'ws://127.0.0.9"))
        await daemon.wait_for("stream.unavailable", stream="primary")
        assert "NO STREAM IS OPEN" in (await command("status", "-c", str(config)))[1]
        found: Line = {}
        async with asyncio.timeout(90):
            while not found:  # it is on disk with the next commit
                (line,) = (await ok(config, "gaps", "--all", "--json")).splitlines() or ["{}"]
                found = json.loads(line)
        assert (found["stream"], found["ended_at"]) == ("main", None)
        config.write_text(good.replace("[{url:", "[{name: primary, url:"))
        assert (await daemon.wait_for("stream.gap", stream="primary"))["is_covered"] is False
        await emulator.wait_connected()
        await stopped(daemon)
        rows = look(tmp_path / "outbox.db", "SELECT stream, ended_ms IS NULL, reason FROM gaps ORDER BY began_ms")
        assert [row[:2] for row in rows] == [("primary", 0), ("primary", 1)]  # the second is the stop
        assert rows[0][2] == "stream main was removed from the config, and no other stream was open"


async def test_what_is_under_way_at_a_changed_destination_ends_by_its_own_timeout(tmp_path: Path) -> None:
    """And not by the grace period, which is for a stop: cut short, it would be made twice."""
    async with live(tmp_path, "timeout: 30s", extra="grace_period: 0s\n") as (config, daemon, emulator, bot):
        bot.respond = lambda _: Answer(delay_s=1.5 if bot.received == 1 else 0)
        await emulator.send(event(1).body)
        await bot.wait_until(lambda bot: bot.received == 1)
        config.write_text(config.read_text().replace("timeout: 30s", "timeout: 20s"))
        await daemon.wait_for("reload.done")
        await emulator.send(event(2).body)
        await bot.wait_for(2)
        assert bot.received == 2
        bot.respond = lambda _: Answer(delay_s=60)
        await emulator.send(event(3).body)
        await bot.wait_until(lambda bot: bot.received == 3)
        config.write_text(config.read_text().replace("timeout: 20s", "timeout: 25s"))
        await daemon.wait_for("reload.done", count=2)
        await stopped(daemon, limit_s=10)  # a stop does not wait for it


EDITS = 200
BROKEN = ["{text}nonsense{number}: 1\n", "{text}nonsense{number}: [\n", "nonsense{number}", "# nonsense{number}\n"]


def steady_config(emulator: Emulator, steady: Receiver, changing: Receiver, number: int) -> str:
    """Return a good config, which differs from the one before in what `changing` is, and in the number of routes."""
    routes = "".join(
        f"  - {{name: more {each}, match: {{source: [x, telegram]}}, to: changing}}\n" for each in range(number % 7)
    )
    return (
        f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}, use_fast_x: true}}]\n"
        "outbox: {url: 'sqlite:outbox.db'}\ndestinations:\n"
        f"  steady: {{url: '{steady.url}', timeout: 60s}}\n"
        f"  changing: {{url: '{changing.url}/{number // 3}', timeout: {60 + number % 2}s}}\n"
        + (f"  idle: {{url: '{changing.url}'}}\n" if number % 2 else "")
        + f"routes:\n  - {{name: everything, to: [steady, changing]}}\n{routes}"
    )


async def test_two_hundred_reloads_under_a_stream_lose_nothing_and_duplicate_nothing(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as steady, Receiver() as changing:
        config = tmp_path / "config.yaml"
        connections: dict[int, object] = {}  # kept, so that no other one gets the id

        def note(_: object) -> None:
            assert steady._runner is not None
            assert steady._runner.server is not None
            connections.update((id(connection), connection) for connection in steady._runner.server.connections)

        steady.on_request = note
        config.write_text(steady_config(emulator, steady, changing, 0))
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            await emulator.wait_connected()
            async with Load(emulator, rate=200).flowing():
                for number in range(1, EDITS + 1):
                    await edit(daemon, config, number, steady_config(emulator, steady, changing, number))
            sent = len({each.frame for each in emulator.sent})  # the stream itself sends duplicates
            for receiver in (steady, changing):
                await receiver.wait_for(sent, timeout=90)
            await stopped(daemon)
        assert len(emulator.handshakes) == 1
        assert emulator.stats.skipped == 0
        assert len(connections) <= 16  # its concurrency
        for receiver in (steady, changing):
            counts = Counter(request.body for request in receiver.requests)
            assert counts.keys() == {each.frame for each in emulator.sent}
            assert set(counts.values()) == {1}
        await assert_balanced(config)


async def edit(daemon: Forwarder, config: Path, number: int, text: str) -> None:
    """Save a good or a broken config, one way or another, and return once it is known what the daemon makes of it."""
    after = len(daemon.lines)
    save = config.write_text if number % 4 < 2 else lambda text: replace(config, text)
    if number % 2:
        save(text)
        routes = 1 + number % 7
        holds = done(routes)
    else:
        save(BROKEN[number // 2 % len(BROKEN)].format(text=text, number=number))
        holds = refused()
    if number % 3 == 0:
        daemon.send(signal.SIGHUP)
    await daemon.wait_where(holds, after=after)


async def test_included_files_are_loaded_when_they_are_saved_added_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text("routes: [{name: a, match: {source: web}, to: bot}]\n")
    async with live(tmp_path, extra="include: rules/*.yaml\n") as (config, daemon, emulator, bot):
        assert (await status(config))["config"]["needs_restart"] == []
        (folder / "b.yaml").write_text("routes: [{name: b, match: {source: web}, to: bot}]\n")
        assert (await daemon.wait_where(done(3)))["plan"] == ['route "b" added after "a", to bot']
        (folder / "b.yaml").write_text("routes:\n  - {name: b, to: nobody}\n")
        line = await daemon.wait_where(refused('b.yaml:2:19: routes[0].to: "nobody" is not a destination'))
        assert str(folder / "b.yaml") in str(line["problems"])
        await emulator.send(event(1).body)
        await bot.wait_for(1)  # the running config stays active
        (folder / "b.yaml").write_text("routes: [{name: a, to: bot}]\n")
        await daemon.wait_where(refused(f"is already the name of another route ({folder}/a.yaml:1:10)"))
        (folder / "a.yaml").unlink()
        assert (await daemon.wait_where(done(2)))["plan"] == ['route "b" removed', 'route "a": match changed']
        (folder / "c.yaml").symlink_to("/etc/hostname")
        await daemon.wait_where(refused("include_outside: true"))
        (folder / "c.yaml").unlink()
        await daemon.wait_for("reload.undone")
        tests = "tests: [{name: to nobody, event: {source: web, payload: {}}, expect: nowhere}]\n"
        (folder / "d.yaml").write_text(tests)
        await daemon.wait_where(refused(f'{folder}/d.yaml: "to nobody" (line 1): bot also gets it'))
        (folder / "d.yaml").write_text("lists: {coins: [btc]}\n")
        await daemon.wait_where(lambda line: line["event"] == "reload.done" and "lists.coins added" in line["plan"])
        await stopped(daemon)
