"""A file at its largest gives up history, and says when it is full."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from forwarder.core.delivery import DeliveryStatus
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.outbox import BOT, NOW, attempt, audit, keep
from tests.support.process import look


async def test_a_file_at_its_largest_gives_up_delivered_history_and_then_says_that_it_is_full(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox:
        for number in range(3000):  # more than the file may hold
            outbox.complete(keep(outbox, number), attempt(200))
            if number % 20 == 0:
                await outbox.claim(BOT, now=NOW, limit=1)  # waits for the commit
        assert outbox._queue.trouble is None
        assert path.stat().st_size <= 1024 * 1024
        pruned = 3000 - look(path, "SELECT count(*) FROM events")[0][0]
        assert pruned > 100
        waiting = [keep(outbox, number, DeliveryStatus.PENDING) for number in range(3000)]
        assert not await outbox.settle()
        health = outbox.health()
        assert health.health == "degraded"
        assert (health.trouble or "").endswith(f"; there is room again when what waits for {BOT} is delivered")
        on_disk = look(path, "SELECT count(*) FROM deliveries WHERE status = 'pending'")[0][0]
        in_memory = health.waiting_in_memory[BOT]
        assert 0 < in_memory.waiting == len(waiting) - on_disk
        first = look(path, "SELECT max(accepted_ms) FROM events")[0][0]
        assert datetime.fromisoformat(in_memory.oldest).timestamp() * 1000 >= first
        assert path.stat().st_size <= 1024 * 1024
        claim = await outbox.claim(BOT, now=NOW, limit=10)  # reading goes on
        assert claim.next_due is not None
        outbox._database.settings = FileSettings(path=path)
        await outbox._database.run(
            lambda connection: connection.execute("PRAGMA max_page_count = 1073741823").fetchall()
        )
        await outbox._queue.ask(lambda _connection: None)  # is carried out as soon as there is room again
        assert outbox._queue.trouble is None
        assert outbox.health().waiting_in_memory == {}
    assert look(path, "SELECT count(*) FROM deliveries WHERE status = 'pending'") == [(len(waiting),)]
    assert audit(path).is_balanced


async def test_dead_letters_go_where_nothing_waits_but_a_first_word_that_what_has_no_room_replaces(path: Path) -> None:
    async with open_outbox(FileSettings(path=path, max_size=1024 * 1024)) as outbox, asyncio.timeout(90):
        first = keep(outbox, 0, DeliveryStatus.PENDING, waits_until=NOW + timedelta(hours=1))
        assert await outbox.settle()
        while outbox._queue.trouble is None:
            for number in range(20):
                outbox.bury(keep(outbox, number), attempt(400), reason="no")
            await outbox.settle()
        assert outbox.replace(BOT, first.event_seq, now=NOW)
        outbox.complete(keep(outbox, 0), attempt(200))
        await outbox._queue.ask(lambda _connection: None)  # is carried out as soon as there is room again
        assert outbox.health().health == "ok"
    assert look(path, "SELECT status FROM deliveries ORDER BY event_seq LIMIT 1") == [("skipped",)]
    assert audit(path).is_balanced
