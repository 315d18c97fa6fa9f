"""The statements that meet a backlog go by an index."""

import re
from pathlib import Path

import pytest

from forwarder.outbox.sqlite.file.connection import FileSettings, connection_to
from forwarder.outbox.sqlite.statements import SQL


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("next_due", "deliveries_due"),
        ("next_due_normal", "deliveries_due"),
        ("next_due_high", "deliveries_high"),
        ("high_order_keys", "deliveries_high"),
        ("next_early", "deliveries_due"),
        ("expedite", "deliveries_due"),
        ("next_in_order", "deliveries_in_order"),
        ("order_keys", "deliveries_in_order"),
        ("expedite_in_order", "deliveries_in_order"),
        ("is_ordered", "deliveries_in_order"),
        ("is_pending", "deliveries_due"),
        ("waiting", "deliveries_due"),
        ("release_all", "deliveries_in_flight"),
        ("recent_events", "events_by_age"),
        ("posts_after", "events_by_age"),
        ("gaps_to_repair", "gaps_open"),
        ("unended_gaps", "gaps_open"),
    ],
)
async def test_statements_that_meet_a_backlog_go_by_an_index(path: Path, statement: str, index: str) -> None:
    path.parent.mkdir()
    connection = connection_to(FileSettings(path=path, durability="full"))
    await connection.open()
    try:
        names = (
            "destination",
            "now_ms",
            "offset_ms",
            "limit",
            "least",
            "most",
            "since_ms",
            "until_ms",
            "order_key",
            "accepted_ms",
            "source",
            "mid",
            "sid",
            "id",
        )
        explain = f"EXPLAIN QUERY PLAN {SQL[statement]}"
        plan = await connection.run(
            lambda plain: [row[3] for row in plain.execute(explain, dict.fromkeys(names, 1)).fetchall()]
        )
    finally:
        await connection.close()
    assert any(index in step for step in plan), plan
    assert not any(re.match(r"SCAN (events|deliveries|attempts|books)(?!.* INDEX )", step) for step in plan), plan
