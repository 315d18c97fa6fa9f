"""An outbox that is full, because its receivers took nothing, drains once they do: whatever their number, their order, and what else waits."""

import asyncio
import json
import random
import re
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from forwarder.core.commands import PauseChange
from tests.support.crash import amount, assert_balanced, say, seeded
from tests.support.disks import tmpfs, why_no_tmpfs
from tests.support.full import LIMIT_S, Frames, Full, Limits, full
from tests.support.process import command, is_sound, look

RUNS = amount("FORWARDER_FULL_RUNS", 1)
NAMES = [f"d{number}" for number in range(10)]


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    """Memory for few events, and for the outcomes of few."""
    made = Limits()
    made.put(monkeypatch)
    return made


def answer(on: Full, status: int, *names: str) -> None:
    for name in names or on.receivers:
        on.receivers[name].status = status


def waiting(on: Full) -> int:
    ((count,),) = look(on.outbox, "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'in_flight')")
    return int(count)


async def ended_well(on: Full) -> None:
    """Nothing is in memory alone, the file is in order, and everything is accounted for."""
    await on.emptied()
    await on.stopped()
    assert is_sound(on.outbox)
    await assert_balanced(on.config)


@pytest.mark.parametrize("order", ["none", "sid", "strict"])
@pytest.mark.parametrize("count", [1, 3, 10])
async def test_a_full_outbox_drains_once_its_receivers_are_well(tmp_path: Path, count: int, order: str) -> None:
    async with full(tmp_path, destinations=dict.fromkeys(NAMES[:count], f"order: {order}")) as on:
        answer(on, 503)
        frames = Frames(padding=1_000)
        await on.fill(frames)
        assert on.logged("outbox.degraded")
        answer(on, 200)
        say(f"drained in {await on.drained(limit_s=LIMIT_S):.1f} s")
        await on.until("recovered", lambda: len(on.logged("outbox.recovered")) > 0, limit_s=20)
        more = frames.some(50)
        for frame in more:
            await on.send(frame)
        await on.drained(limit_s=20)  # the streams are read again
        await ended_well(on)
        if order == "strict":
            for receiver in on.receivers.values():
                taken = [on.sent.index(request.body) for request in receiver.requests if request.accepted]
                assert all(before <= after for before, after in pairwise(taken))


def has_more(on: Full, name: str, than: int) -> bool:
    return len(on.taken(name)) > than


async def test_receivers_that_come_back_one_by_one_drain_it_too(tmp_path: Path) -> None:
    """Those that are back first get everything that memory has room to note; the last one, all the rest, and it drains."""
    async with full(tmp_path, destinations=dict.fromkeys(NAMES[:3], "")) as on:
        answer(on, 503)
        await on.fill(Frames(padding=200))
        for name in on.receivers:
            answer(on, 200, name)
            before = len(on.taken(name))
            await on.until("some more", partial(has_more, on, name, before + 100), limit_s=30)
            await asyncio.sleep(1)
        await on.drained(limit_s=LIMIT_S)
        await ended_well(on)


async def test_what_is_in_memory_alone_is_counted_as_waiting_and_said_by_the_audit(tmp_path: Path) -> None:
    async with full(tmp_path, destinations={"bot": ""}) as on:
        answer(on, 503)
        await on.fill(Frames(padding=1_000), until="outbox.degraded")
        config = str(tmp_path / "config.yaml")
        (tmp_path / "outbox.db.sock").symlink_to("control.sock")  # where the commands look
        _, out, err = await command("status", "--json", "-c", config)
        assert err == ""
        status = json.loads(out)
        in_memory = status["outbox"]["waiting_in_memory"]["bot"]["waiting"]
        assert in_memory > 0
        assert status["waiting"] == {"bot": waiting(on) + in_memory}
        _, out, _ = await command("status", "-c", config)
        assert " ".join(out.split()).count("there is room again when what waits for bot is delivered") == 1
        code, out, _ = await command("audit", "-c", config)
        assert code == 0
        assert re.search(r"\n[\d,]+ events? (is|are) only in the daemon's memory", out)
        answer(on, 200)
        await ended_well(on)


async def test_a_full_outbox_drains_where_the_full_text_is_preferred(tmp_path: Path) -> None:
    route = ", prefer: full, wait: 2s"
    async with full(tmp_path, destinations=dict.fromkeys(NAMES[:3], "order: sid"), route=route) as on:
        answer(on, 503)
        await on.fill(Frames(padding=1_000))
        answer(on, 200)
        await ended_well(on)


async def test_it_is_full_twice(tmp_path: Path) -> None:
    async with full(tmp_path, destinations=dict.fromkeys(NAMES[:3], "")) as on:
        frames = Frames(padding=1_000)
        for _ in range(2):
            answer(on, 503)
            await on.fill(frames)
            answer(on, 200)
            await on.drained(limit_s=LIMIT_S)
            await on.until("recovered", lambda: not on.is_degraded(), limit_s=20)
        await ended_well(on)


async def test_a_paused_destination_holds_it_full_and_can_be_resumed(tmp_path: Path) -> None:
    async with full(tmp_path, destinations=dict.fromkeys(NAMES[:2], "")) as on:
        await on.command(PauseChange(verb="pause", destination="d1", now_ms=0))
        await on.fill(Frames(padding=1_000))
        trouble = str((await on.status())["outbox"]["trouble"])
        assert "what waits for d1" in trouble
        assert "outbox.max_size (1 MiB) is reached" in trouble
        assert not on.taken("d1")
        assert await on.command(PauseChange(verb="pause", destination="d1", now_ms=0)) == (0, 1)
        assert await on.command(PauseChange(verb="resume", destination="d1", now_ms=0)) == (1, 0)
        await on.drained(limit_s=LIMIT_S)
        await ended_well(on)
        assert look(on.outbox, "SELECT paused_ms FROM destinations WHERE name = 'd1'") == [(None,)]


async def test_dead_letters_that_fill_it_go_rather_than_that_nothing_is_read(tmp_path: Path) -> None:
    async with full(tmp_path, destinations={"d0": ""}) as on:
        answer(on, 400)
        frames = Frames(padding=1_000)
        await on.fill(frames, until="outbox.dead_pruned_for_room")
        answer(on, 200)
        last = len(on.sent)
        for frame in frames.some(20):
            await on.send(frame)
        await on.until("the last", lambda: on.taken("d0").issuperset(on.sent[last:]), limit_s=20)
        await ended_well(on)
        assert look(on.outbox, "SELECT count(*) > 100 FROM deliveries WHERE status = 'dead'") == [(1,)]


async def test_what_is_in_memory_alone_at_a_stop_is_written_beyond_max_size(tmp_path: Path) -> None:
    async with full(tmp_path, destinations=dict.fromkeys(NAMES[:3], "order: sid")) as on:
        answer(on, 503)
        await on.fill(Frames(padding=1_000))
        counters = await on.stopped()
        assert look(on.outbox, "SELECT count(*) FROM events") == [(counters.seen - counters.duplicates,)]
        read = {body for (body,) in look(on.outbox, "SELECT body FROM events")}
        answer(on, 200)
        on.start()
        await on.until("all of it", lambda: all(on.taken(name) >= read for name in on.receivers), limit_s=LIMIT_S)
        await on.until("as large as it may be", lambda: on.outbox.stat().st_size <= 1 << 20, limit_s=20)
        await ended_well(on)


async def test_with_a_smaller_max_size_than_the_file_it_drains_too(tmp_path: Path) -> None:
    async with full(tmp_path, destinations=dict.fromkeys(NAMES[:3], ""), max_size="4MiB") as on:
        answer(on, 503)
        frames = Frames(padding=1_000)
        for frame in frames.some(1_500):
            await on.send(frame)
        await on.until("all of it on disk", lambda: waiting(on) == 3 * len(set(on.sent)), limit_s=LIMIT_S)
        await on.stopped()
        on.config.write_text(on.config.read_text(encoding="utf-8").replace("4MiB", "1MiB"), encoding="utf-8")
        on.start()
        await on.emulator.wait_connected()
        await on.fill(frames)
        answer(on, 200)
        await on.drained(limit_s=LIMIT_S)
        await ended_well(on)


@pytest.mark.skipif(why_no_tmpfs() is not None, reason=why_no_tmpfs() or "")
@pytest.mark.parametrize("order", ["none", "sid"])
async def test_a_disk_that_the_outbox_fills_drains_too(tmp_path: Path, order: str) -> None:
    with tmpfs(tmp_path / "small", size_mb=4) as small:
        outbox = small / "outbox.db"
        destinations = dict.fromkeys(NAMES[:3], f"order: {order}")
        async with full(tmp_path, destinations=destinations, max_size="1GiB", outbox=outbox) as on:
            answer(on, 503)
            await on.fill(Frames(padding=1_000))
            answer(on, 200)
            await on.drained(limit_s=LIMIT_S)
            await ended_well(on)


@pytest.mark.parametrize("run", range(RUNS))
async def test_whatever_happens_while_it_is_full_it_drains(tmp_path: Path, limits: Limits, run: int) -> None:
    """Random destinations, orders, outages, pauses and stops; nothing that was on disk is lost, and every stop is a good one."""
    chance = seeded(f"full {run}")
    names = NAMES[: chance.choice([1, 2, 3, 5, 10])]
    orders = {name: f"order: {chance.choice(['none', 'none', 'sid', 'strict'])}" for name in names}
    route = chance.choice(["", "", ", prefer: full, wait: 1s"])
    padding = chance.choice([0, 300, 1_000, 8_000])
    say(f"{orders} {route} {padding}")
    async with full(tmp_path, destinations=orders, route=route) as on:
        frames, kept = Frames(padding=padding), set[bytes]()
        for _ in range(chance.randrange(1, 4)):
            answer(on, 503, *chance.sample(names, chance.randrange(1, len(names) + 1)))
            await on.fill(frames, until="outbox.degraded")
            await misbehave(on, chance, names)
            if chance.random() < 0.4:
                await on.stopped()
                kept.update(body for (body,) in look(on.outbox, "SELECT body FROM events"))
                on.start()
                await on.emulator.wait_connected()
        for name in names:
            await on.resumed(name)
        answer(on, 200)
        await on.emptied(limit_s=90)
        await ended_well(on)
        if not route:
            kept.update(body for (body,) in look(on.outbox, "SELECT body FROM events"))
            for name in names:
                dead = sum(line["destination"] == name for line in on.logged("delivery.dead"))
                missing = len(kept - on.taken(name))
                assert missing <= dead, f"{missing - dead} never reached {name}"


async def misbehave(on: Full, chance: random.Random, names: list[str]) -> None:
    """Have receivers come and go for a while, and people pause and resume."""
    for _ in range(chance.randrange(6)):
        name = chance.choice(names)
        match chance.randrange(4):
            case 0:
                await on.command(PauseChange(verb="pause", destination=name, now_ms=0))
            case 1:
                await on.resumed(name)
            case _:
                answer(on, chance.choice([200, 200, 503, 400]), name)
        await asyncio.sleep(chance.uniform(0, 0.5))
