"""`forwarder audit`: everything is accounted for, or what is missing is named."""

import sqlite3
from contextlib import closing
from pathlib import Path

from forwarder.cli import exit_codes
from tests.support.history import fill, records
from tests.support.process import command


async def test_a_whole_outbox_is_accounted_for(config: Path) -> None:
    await fill(config)
    code, out, err = await command("audit", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert "matched 3 + unmatched 1 + duplicates 0;  kept now: 4" in out
    assert out.endswith("Everything is accounted for.\n")
    (audit,) = await records(config, "audit")
    assert (audit["balanced"], audit["findings"], audit["incomplete_events"]) == (True, [], [])
    assert (audit["events"]["seen"], audit["deliveries"]["waiting"], audit["deliveries"]["dead"]) == (4, 1, 1)


async def test_what_is_missing_is_named(config: Path) -> None:
    await fill(config)
    with closing(sqlite3.connect(config.with_name("outbox.db"))) as connection, connection:
        ((id_,),) = connection.execute("SELECT id FROM events WHERE seq = 3").fetchall()
        connection.execute("DELETE FROM deliveries WHERE event_seq = 3")
    for more in ((), ("--since", "2000-01-01")):
        code, out, _ = await command("audit", "-c", str(config), *more)
        assert code == exit_codes.FAILURE
    assert f"event {id_}: 1 delivery planned, 0 found" in out
    assert "1 missing" in out
    code, out, _ = await command("outbox", "check", "-c", str(config))
    assert code == exit_codes.FAILURE
    assert "not accounted for" in out
