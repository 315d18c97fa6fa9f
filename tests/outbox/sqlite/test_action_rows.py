"""The rows of what people did."""

import sqlite3
from contextlib import closing

from forwarder.core.actions import Action
from forwarder.outbox.sqlite.action_rows import actions, note_action, note_config


def test_a_file_without_the_table_has_none_and_gets_it_with_the_first_entry() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert list(actions(connection, since_ms=0, until_ms=9, limit=-1)) == []
        slices = [Action(person="ann", verb="replay", what="to bot", group="replay 1")] * 2
        for action in (*slices, Action(person="bob\udcff", verb="edit", what="config a")):
            note_action(connection, action, changed=500, now_ms=5)
        note_action(connection, slices[0], changed=1, now_ms=6)  # another entry lies between
        note_action(
            connection, Action(person="bob", verb="replay", what="to bot", group="replay 1"), changed=2, now_ms=7
        )
        assert list(actions(connection, since_ms=5, until_ms=7, limit=-1)) == [
            (6, "ann", "replay", "to bot", 1),
            (5, "bob?", "edit", "config a", 500),
            (5, "ann", "replay", "to bot", 1000),
        ]


def test_a_config_is_an_edit_only_if_another_one_was_active_before(connection: sqlite3.Connection) -> None:
    for now_ms, digest in enumerate(("00ff", "00ff", "ffffffffffff", "00ff")):
        edit = Action(person="(start)", verb="edit", what=digest)
        note_config(connection, digest, edit, now_ms=now_ms)
    assert [(at_ms, what) for at_ms, _, _, what, _ in actions(connection, since_ms=0, until_ms=9, limit=-1)] == [
        (3, "00ff"),
        (2, "ffffffffffff"),
    ]
