"""How what people did is worded."""

import pytest

from forwarder.core.actions import Action, action_of, canary_of, edit_of, reconnect_of, start_of
from forwarder.core.commands import Change, DeadLetterChange, Forget, PauseChange, Replay, Resend

NOON_MS = 1_767_268_800_000


@pytest.mark.parametrize(
    ("change", "verb", "what"),
    [
        (PauseChange(verb="pause", destination="bot", now_ms=1), "pause", "bot"),
        (
            PauseChange(verb="pause", destination="bot", why="deploy", now_ms=1, until_ms=NOON_MS),
            "pause",
            "bot until 2026-01-01 12:00:00 UTC: deploy",
        ),
        (PauseChange(verb="resume", destination="bot", now_ms=1), "resume", "bot"),
        (
            Replay(
                to="bot", since_ms=NOON_MS, until_ms=NOON_MS, route="r", source="x", missing=True, start_ms=1, rate=1.0
            ),
            "replay",
            "to bot of route r of source x since 2026-01-01 12:00:00 UTC, only what is missing",
        ),
        (Replay(to="bot", since_ms=0, until_ms=1, start_ms=1, rate=1.0), "replay", "to bot"),
        (DeadLetterChange(verb="dead_drop", since_ms=0, until_ms=1, start_ms=1, rate=1.0), "dead drop", "all"),
        (
            DeadLetterChange(verb="dead_replay", destination="bot", since_ms=0, until_ms=1, start_ms=1, rate=1.0),
            "dead replay",
            "to bot",
        ),
        (
            DeadLetterChange(verb="dead_replay", keys=((1, "bot"),), since_ms=0, until_ms=1, start_ms=1, rate=1.0),
            "dead replay",
            "by their ids",
        ),
        (
            DeadLetterChange(
                verb="dead_drop",
                keys=((1, "bot"),),
                destination="bot",
                reason="HTTP 500" + "!" * 200,
                since_ms=0,
                until_ms=1,
                start_ms=1,
                rate=1.0,
            ),
            "dead drop",
            "to bot that died of: HTTP 500" + "!" * 112,
        ),
        (
            DeadLetterChange(verb="dead_drop", reason="", since_ms=0, until_ms=1, start_ms=1, rate=1.0),
            "dead drop",
            "that died of: no reason",
        ),
        (Resend(keys=((1, "b"), (2, "a"), (3, "b")), now_ms=1), "resend", "to a, b"),
        (Forget(seqs=(1,), now_ms=1), "forget", "events of one author"),
    ],
)
def test_a_change_is_said_in_words(change: Change, verb: str, what: str) -> None:
    action = action_of(change, person="ann")
    assert (action.person, action.verb, action.what) == ("ann", verb, what)


def test_an_edit_names_its_config_and_how_much_it_changes() -> None:
    assert edit_of("abc", ("one", "two"), person="ann") == Action(
        person="ann", verb="edit", what="config abc: one; two"
    )
    assert start_of("abc") == Action(person="(start)", verb="edit", what="config abc: edited before this start")
    assert edit_of("abc", ("1", "2", "3", "4", "5"), person="ann").what == "config abc: 1; 2; 3; and 2 more"


def test_a_reconnect_and_a_canary_name_what_they_were_for() -> None:
    assert reconnect_of(["main", "backup"], person="ann") == Action(person="ann", verb="reconnect", what="main, backup")
    assert canary_of("bot", person="ann") == Action(person="ann", verb="canary", what="bot")
