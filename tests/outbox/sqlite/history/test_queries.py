"""The statements of the history: none reads every body to answer."""

import re
from pathlib import Path

import pytest

from forwarder.outbox.sqlite import commands
from forwarder.outbox.sqlite.access import writing
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.history import queries, records, search
from forwarder.outbox.sqlite.opening import open_outbox

_NAMES = (
    *(
        "since_ms",
        "until_ms",
        "source",
        "destination",
        "route",
        "status",
        "failed",
        "reason",
        "unmatched",
        "after_ms",
        "after_seq",
        "after_destination",
        "limit",
        "low",
        "high",
        "ids",
        "to",
        "left_alone",
    ),
    *(
        "since_minute",
        "after_seq",
        "event_seq",
        "key_destination",
        "mid",
        "author",
        "text",
        "link",
        "due_ms",
        "expedited",
        "trigger",
    ),
)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("events", "events_by_age"),
        ("deliveries", "events_by_age"),
        ("event", "events_by_age"),
        ("dead_of", "events_by_age"),
        ("dead", "deliveries_dead"),
        ("dead_count", "deliveries_dead"),
        ("dead_groups", "deliveries_dead"),
        ("kept_events", "events_by_age"),
        ("queues", "deliveries_due"),
        ("queues", "deliveries_in_order"),
        ("queues", "deliveries_in_flight"),
        ("replaying", "deliveries_due"),
        ("changes replayable", "INTEGER PRIMARY KEY"),
        ("changes first_seq_since", "events_by_age"),
        ("changes dead", "deliveries_dead"),
        ("changes dead_one", "PRIMARY KEY"),
        ("changes resendable", "INTEGER PRIMARY KEY"),
        ("changes bring_forward", "PRIMARY KEY"),
    ],
)
async def test_lists_go_by_an_index(tmp_path: Path, statement: str, index: str) -> None:
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)):
        pass
    of_changes, _, name = statement.rpartition(" ")
    sql = (commands._SQL if of_changes else records.SQL)[name]
    with writing(path) as connection:
        search.register(connection)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(_NAMES, 1))]
    assert any(index in step for step in plan), plan
    assert not any(re.match(r"SCAN (events|deliveries|attempts|books)(?!.* INDEX )", step) for step in plan), plan


async def test_a_wal_that_a_killed_daemon_left_is_read(tmp_path: Path) -> None:
    """As root or not, and nothing is left behind that its user could not open."""
    path = tmp_path / "outbox.db"
    async with open_outbox(FileSettings(path=path)):
        copies = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != "outbox.db.lock"}
    for name, content in copies.items():
        (tmp_path / name).write_bytes(content)
    assert (tmp_path / "outbox.db-wal").exists()
    with queries.open_history(path) as history:
        assert history.audit()[0].is_balanced
    assert sorted(file.name for file in tmp_path.iterdir()) == ["outbox.db", "outbox.db.lock", "outbox.db.reserve"]
