"""One process takes over from another while events flow: nothing is lost, nothing comes twice, whoever dies in between."""

import signal
import socket
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from tests.support.crash import Load, amount, assert_balanced, say
from tests.support.delivery import bodies, configure, stopped
from tests.support.process import KEY, PROGRAM, Forwarder, command, forwarder, look
from tests.support.streams import numbered

TAKEOVERS = amount("FORWARDER_TAKEOVERS", 6)
QUEUED = amount("FORWARDER_QUEUED", 3000)
"""Events that one process has not read yet when the other one is connected."""
HANDS_OVER_LATE = (sys.executable, "-m", "tests.support.long_overlap")
"""What runs a daemon that a successor can be ended before, however busy the machine is."""


@asynccontextmanager
async def ends(max_connections: int | None = None) -> AsyncIterator[tuple[Emulator, Receiver]]:
    async with (
        Emulator(EmulatorSettings(max_connections=max_connections), api_key=KEY) as emulator,
        Receiver() as receiver,
    ):
        yield emulator, receiver


async def assert_each_came_once(emulator: Emulator, receiver: Receiver) -> None:
    """What was sent has arrived, all of it, once. The script sends some events twice, as the stream does."""
    sent = {each.frame for each in emulator.sent}
    with suppress(TimeoutError):  # how many are missing is checked below
        await receiver.wait_for(len(sent), timeout=90)
    came = Counter(bodies(receiver))
    lost, twice = sent - came.keys(), [body for body, count in came.items() if count > 1]
    assert (len(lost), len(twice)) == (0, 0), f"of {len(sent)}"
    assert came.keys() == sent


async def test_takeovers_under_load_lose_nothing_and_duplicate_nothing(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver), AsyncExitStack() as daemons:
        config = configure(tmp_path, emulator, {"bot": (receiver, "timeout: 5s")})
        daemon = await daemons.enter_async_context(forwarder(config))
        await daemon.wait_for("daemon.ready")
        await emulator.wait_connected()
        async with Load(emulator, rate=500).flowing():
            for _ in range(TAKEOVERS):
                new = await daemons.enter_async_context(forwarder(config, "--takeover"))
                done = await new.wait_for("takeover.done")
                assert await daemon.ended() == 0
                await daemon.wait_for("daemon.handed_over")
                await receiver.wait_for(receiver.accepted + 100)
                say(f"frames kept meanwhile: {done['frames_kept']}")
                daemon = new
        await assert_each_came_once(emulator, receiver)
        assert look(tmp_path / "outbox.db", "SELECT * FROM gaps") == []
        await stopped(daemon)
        assert emulator.stats.skipped == 0
        assert len(emulator.handshakes) == 1 + TAKEOVERS  # each goes on with the connection it began with
        await assert_balanced(config)
        say(f"{TAKEOVERS} takeovers, {len(emulator.sent)} events")


@asynccontextmanager
async def two(
    folder: Path,
    emulator: Emulator,
    receiver: Receiver,
    settings: str = "",
    *,
    extra: str = "",
    program: Sequence[str] = PROGRAM,
) -> AsyncIterator[tuple[Path, Forwarder, Forwarder]]:
    """Give a config, the daemon that runs with it, and one that is about to take over, which may end at any moment."""
    config = configure(folder, emulator, {"bot": (receiver, settings)}, extra=extra)
    async with forwarder(config, program=program) as old:
        await old.wait_for("daemon.ready")
        async with forwarder(config, "--takeover") as new:
            yield config, old, new


@asynccontextmanager
async def forwarder_later(config: Path, old: Forwarder, emulator: Emulator) -> AsyncIterator[Forwarder]:
    """Have one come to take over whose streams take ten seconds to open."""
    await old.wait_for("daemon.ready")
    emulator.hang(10, handshakes=True)
    async with forwarder(config, "--takeover") as new:
        yield new


async def drained(config: Path, daemon: Forwarder, receiver: Receiver, frames: set[bytes]) -> Counter[bytes]:
    """Stop a daemon once all of these frames have arrived, and return what has, and how often."""
    with suppress(TimeoutError):  # what is missing is checked below
        await receiver.wait_until(lambda it: frames <= set(bodies(it)), 15)
    assert not frames - set(bodies(receiver)), f"lost, of {len(frames)}"
    await stopped(daemon)
    await assert_balanced(config)
    return Counter(bodies(receiver))


@pytest.mark.parametrize("moment", ["stream.connected", "daemon.handing_over", "daemon.stopping"])
async def test_one_that_is_killed_while_it_is_taken_over_from_loses_nothing_that_both_received(
    tmp_path: Path, moment: str
) -> None:
    async with ends() as (emulator, receiver):
        async with two(tmp_path, emulator, receiver) as (config, old, new):
            async with Load(emulator, rate=300).flowing():
                await (new if moment == "stream.connected" else old).wait_for(moment)
                old.send(signal.SIGKILL)
                await old.ended()
                await new.wait_for("takeover.done")
                await receiver.wait_for(receiver.accepted + 50)
            both = next(number for number, each in enumerate(emulator.sent) if each.receivers == 2)
            came = await drained(config, new, receiver, {each.frame for each in emulator.sent[both:]})
        ids = Counter(request.headers["webhook-id"] for request in receiver.requests if request.accepted)
        assert len(ids) == len(came)  # one that came twice has the id that it came with before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["stream.connected", "takeover.asking"])
async def test_a_successor_that_dies_before_it_is_handed_over_to_leaves_no_trace(
    tmp_path: Path, moment: str, how: signal.Signals
) -> None:
    async with ends() as (emulator, receiver):
        async with two(tmp_path, emulator, receiver, program=HANDS_OVER_LATE) as (config, old, new):
            async with Load(emulator, rate=300).flowing():
                await new.wait_for(moment)
                new.send(how)
                await new.ended()
                await old.wait_for("takeover.abandoned")
                await receiver.wait_for(receiver.accepted + 50)
            async with forwarder(config, "--takeover") as third:  # it can be tried again
                await third.wait_for("takeover.done")
                assert await old.ended() == exit_codes.OK
                await assert_each_came_once(emulator, receiver)
                await stopped(third)


async def test_where_the_successor_dies_too_late_the_old_one_ends_with_a_failure_for_the_service_manager(
    tmp_path: Path,
) -> None:
    async with ends() as (emulator, receiver):
        receiver.delay_s = 60  # so that it uses up its grace period
        async with two(tmp_path, emulator, receiver, "timeout: 60s", extra="grace_period: 4s\n") as (config, old, new):
            await Load(emulator, rate=100).send(10)
            await receiver.wait_until(lambda it: it.received == 10)
            await old.wait_for("daemon.stopping")
            new.send(signal.SIGKILL)
            await old.wait_for("daemon.successor_lost")
            assert await old.ended() == exit_codes.FAILURE
        receiver.delay_s = 0
        async with forwarder(config) as again:
            await again.wait_for("daemon.ready")
            await assert_each_came_once(emulator, receiver)
            await stopped(again)


async def test_requests_under_way_end_in_the_old_process_and_are_made_once(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver):
        load = Load(emulator, rate=100)
        receiver.respond = lambda _: Answer(delay_s=2)
        config = configure(tmp_path, emulator, {"bot": (receiver, "concurrency: 16, timeout: 10s")})
        async with forwarder(config) as old:
            await old.wait_for("daemon.ready")
            await load.send(40)  # 16 under way, the others wait in memory and on disk
            await receiver.wait_until(lambda it: it.received >= 16)
            async with forwarder(config, "--takeover") as new:
                await new.wait_for("takeover.asking")
                await load.send(10)
                await new.wait_for("takeover.done")
                assert await old.ended() == exit_codes.OK
                receiver.respond = None
                await assert_each_came_once(emulator, receiver)
                assert receiver.received == receiver.accepted
                await stopped(new)


async def test_one_that_cannot_take_over_says_why_and_changes_nothing(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver):
        config = configure(tmp_path, emulator, {"bot": (receiver, "")})
        good = config.read_text()
        other = tmp_path / "other.yaml"

        async def refused(text: str, code: int, *says: str) -> None:
            other.write_text(text)
            assert (found := await command("run", "--takeover", "-c", str(other)))[0] == code, found
            for words in says:
                assert words in found[2], found[2]

        async with forwarder(config) as old:
            await old.wait_for("daemon.ready")
            await refused(good.replace("routes", "rutes"), exit_codes.BAD_CONFIG, "rutes")
            short = good.replace("'sqlite:outbox.db'", "'sqlite:outbox.db', dedupe_window: 10s")
            await refused(short, exit_codes.NO_TAKEOVER, "dedupe_window of at least 70 s")
            elsewhere = good.replace("outbox.db", "more.db") + "admin: {socket: outbox.db.sock}\n"
            await refused(elsewhere, exit_codes.NO_TAKEOVER, "another outbox", "more.db")
            silent = good + "admin: {socket: silent.sock}\n"
            await refused(silent, exit_codes.NO_TAKEOVER, "is using it", "silent.sock", "admin.socket")
            await Load(emulator, rate=100).send(5)
            await assert_each_came_once(emulator, receiver)
            assert not [line for line in old.lines if line["event"].startswith("takeover.")]
            await stopped(old)
        connection = sqlite3.connect(tmp_path / "outbox.db")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        await refused(good, exit_codes.OUTBOX_DAMAGED, "newer forwarder")


async def test_a_key_that_is_refused_leaves_the_stream_with_the_process_that_has_it(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver):
        config = configure(tmp_path, emulator, {"bot": (receiver, "")}, extra="reload: {watch: false}\n")
        async with forwarder(config) as old:
            await old.wait_for("daemon.ready")
            config.write_text(config.read_text().replace(KEY, "another"))
            code, out, err = await command("run", "--takeover", "-c", str(config))
            assert code == exit_codes.NO_TAKEOVER, out
            assert "no stream can be opened" in err
            await old.wait_for("takeover.abandoned")
            await Load(emulator, rate=100).send(5)
            await assert_each_came_once(emulator, receiver)
            await stopped(old)


async def test_only_one_at_a_time_takes_over(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver):
        config = configure(tmp_path, emulator, {"bot": (receiver, "")})
        async with forwarder(config) as old, forwarder_later(config, old, emulator) as new:
            await old.wait_for("takeover.announced")
            new.send(signal.SIGSTOP)  # so that it has not taken over before the other one asks
            code, out, err = await command("run", "--takeover", "-c", str(config))
            new.send(signal.SIGCONT)
            assert code == exit_codes.NO_TAKEOVER, out
            assert f"process {new.process.pid} is taking over already" in err or "is stopping" in err
            await new.wait_for("takeover.done")
            assert await old.ended() == exit_codes.OK
            await stopped(new)


async def test_where_none_runs_it_starts_as_usual(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver):
        config = configure(tmp_path, emulator, {"bot": (receiver, "")})
        async with forwarder(config, "--takeover") as daemon:
            await daemon.wait_for("takeover.not_needed")
            await daemon.wait_for("daemon.ready")
            await Load(emulator, rate=100).send(5)
            await assert_each_came_once(emulator, receiver)
            await stopped(daemon)


async def test_one_that_is_stopped_while_it_is_taken_over_from_still_leaves_the_place(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver):
        async with two(tmp_path, emulator, receiver) as (_, old, new):
            async with Load(emulator, rate=100).flowing():
                await new.wait_for("stream.connected")
                await stopped(old)
                await new.wait_for("takeover.done")
                await receiver.wait_for(receiver.accepted + 20)
            await assert_each_came_once(emulator, receiver)
            await stopped(new)


async def test_a_server_that_lets_one_connection_live_gives_it_to_the_successor_and_back_where_that_dies(
    tmp_path: Path,
) -> None:
    async with ends(max_connections=1) as (emulator, receiver):
        load = Load(emulator, rate=100)
        async with two(tmp_path, emulator, receiver, program=HANDS_OVER_LATE) as (config, old, new):
            await new.wait_for("stream.connected")
            new.send(signal.SIGKILL)
            await old.wait_for("takeover.abandoned")
            await old.wait_for("stream.connected", count=2)
            await load.send(5)
            async with forwarder(config, "--takeover") as third:
                await third.wait_for("stream.connected")
                await emulator.wait_until(lambda it: len(it.connections) == 1)
                await load.send(5)
                await third.wait_for("takeover.done")
                assert await old.ended() == exit_codes.OK
                await assert_each_came_once(emulator, receiver)
                await stopped(third)


async def test_a_daemon_of_a_version_that_cannot_hand_over_is_left_alone(tmp_path: Path) -> None:
    async with ends() as (emulator, receiver):
        config = configure(tmp_path, emulator, {"bot": (receiver, "")})
        with socket.socket(socket.AF_UNIX) as old:
            old.bind(str(tmp_path / "outbox.db.sock"))
            old.listen()

            def answer() -> None:
                connection, _ = old.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b'{"error": "this daemon does not understand the request (: no such verb)"}\n')

            answering = threading.Thread(target=answer)
            answering.start()
            code, out, err = await command("run", "--takeover", "-c", str(config))
            answering.join()
        assert code == exit_codes.NO_TAKEOVER, out
        assert "of a version that does not support takeovers; stop it, then start this one" in err


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_what_the_old_process_has_not_read_when_the_new_one_is_connected_is_read_to_its_end(
    tmp_path: Path, transport: str
) -> None:
    async with ends() as (emulator, receiver), AsyncExitStack() as daemons:
        config = configure(tmp_path, emulator, {"bot": (receiver, "timeout: 5s")})
        if transport == "sse":
            url = f"transport: sse, url: '{emulator.url}/stream'"
            config.write_text(config.read_text().replace(f"url: '{emulator.ws_url}'", url))
        old = await daemons.enter_async_context(forwarder(config))
        await old.wait_for("daemon.ready")
        await emulator.wait_connected()
        emulator.hang(2, handshakes=True)  # so that the new one is connected when there is much to read
        emulator.connections[0].hangs_until = 0
        new = await daemons.enter_async_context(forwarder(config, "--takeover"))
        await old.wait_for("takeover.announced")
        queued = [frame.encode() for frame in numbered(QUEUED)]
        old.send(signal.SIGSTOP)
        for frame in queued:
            await emulator.send(frame)
        await emulator.wait_connected(2)
        old.send(signal.SIGCONT)
        async with Load(emulator, rate=300).flowing():
            await new.wait_for("takeover.done", limit_s=60)
            assert await old.ended() == 0
        await receiver.wait_for(len({each.frame for each in emulator.sent}), timeout=60)
        await assert_each_came_once(emulator, receiver)
        assert look(tmp_path / "outbox.db", "SELECT * FROM gaps") == []
        await stopped(new)
        await assert_balanced(config)
