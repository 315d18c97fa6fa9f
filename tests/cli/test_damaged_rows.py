"""A file that can be opened, with rows that were never written so: each command ends with a sentence, or reads the rest."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.core.gaps.gap import Gap
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from tests.support.history import fill, records
from tests.support.outbox import NOW
from tests.support.process import command

FAR = 10**17
"""Milliseconds, beyond the last year that a date can have."""
COMMANDS = [
    ("events",),
    ("events", "--json"),
    ("events", "show", "ID"),
    ("events", "show", "ID", "--json"),
    ("deliveries",),
    ("deliveries", "--json"),
    ("deliveries", "show", "ID"),
    ("deliveries", "show", "ID", "--json"),
    ("deliveries", "--route", "r"),
    ("dead", "list"),
    ("dead", "list", "--json"),
    ("dead", "show", "ID"),
    ("gaps",),
    ("gaps", "--json"),
    ("explain", "--id", "ID"),
    ("backtest",),
    ("outbox", "export"),
    ("replay", "--to", "bot", "--since", "2020-01-01", "--route", "r", "--dry-run"),
    ("audit",),
    ("audit", "--json"),
]


@pytest.mark.parametrize(
    ("damage", "damaged"),
    [
        ("UPDATE deliveries SET routes = 'no JSON'", "deliveries"),
        ("UPDATE deliveries SET routes = '{\"a\": 1}'", "deliveries"),
        ("UPDATE deliveries SET routes = '[1, null]'", "deliveries"),
        ("UPDATE deliveries SET closed_ms = FAR", "deliveries"),
        ("UPDATE deliveries SET due_ms = -FAR WHERE status = 'pending'", "deliveries"),
        ("UPDATE deliveries SET started_ms = FAR", "deliveries"),
        ("UPDATE deliveries SET reason = CAST(x'ff' AS TEXT)", "deliveries"),
        ("UPDATE attempts SET started_ms = FAR", "deliveries show ID"),
        ("UPDATE events SET accepted_ms = FAR", "backtest"),
        ("UPDATE events SET accepted_ms = -FAR", "deliveries show ID"),
        ("UPDATE events SET source = CAST(x'fe' AS TEXT)", "events"),
        ("UPDATE gaps SET repair = 'mended'", "gaps"),
        ("UPDATE gaps SET began_ms = -FAR", "gaps"),
        ("UPDATE gaps SET ended_ms = FAR", "gaps"),
        ("UPDATE gaps SET stream = CAST(x'ff' AS TEXT)", "gaps"),
        ("DELETE FROM gaps; INSERT OR REPLACE INTO state VALUES ('last_heard', FAR)", "gaps"),
        ("INSERT INTO config_revisions VALUES (1, FAR, 'digest', x'')", "explain --id ID"),
        ("UPDATE books SET entry = CAST(x'ff' AS TEXT) WHERE entry = 'seen'", "audit"),
    ],
)
async def test_a_damaged_row_is_a_sentence_and_an_exit_code(config: Path, damage: str, damaged: str) -> None:
    await fill(config)
    async with open_outbox(FileSettings(path=config.with_name("outbox.db"))) as outbox:
        outbox.gaps.note_gap(
            Gap(id=outbox.gaps.new_gap_id(), stream="s", began=NOW, noticed=NOW, ended=NOW, reason="r")
        )
    (dead,) = await records(config, "deliveries", "--status", "dead")
    with closing(sqlite3.connect(config.with_name("outbox.db"))) as connection:
        connection.executescript(damage.replace("FAR", str(FAR)))
    refused = []
    for arguments in COMMANDS:
        name = " ".join(arguments)
        code, _, err = await command(
            *[dead["event_id"] if each == "ID" else each for each in arguments], "-c", str(config)
        )
        unknown_route = exit_codes.USAGE  # no row that can be read has it any more
        assert code in {exit_codes.OK, exit_codes.FAILURE, exit_codes.OUTBOX_DAMAGED, unknown_route}, (name, err)
        if code == exit_codes.OUTBOX_DAMAGED:
            refused.append(name)
            assert err.count("\n") == 1, name
            assert "the file is damaged" in err, name
    assert damaged in refused


@pytest.mark.parametrize("reason", ["'from a later version'", "NULL"])
async def test_an_unknown_reason_is_a_text_and_accounted_for(config: Path, reason: str) -> None:
    await fill(config)
    with closing(sqlite3.connect(config.with_name("outbox.db"))) as connection:
        connection.executescript(
            f"UPDATE deliveries SET status = 'skipped', reason = {reason} WHERE status = 'dead'"  # noqa: S608 - ours
        )
    code, out, _ = await command("audit", "-c", str(config))
    assert code == exit_codes.OK, out
    assert ("unknown 1" if reason == "NULL" else "from a later version 1") in out
