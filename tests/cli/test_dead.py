"""`forwarder dead`: lists, replays and drops dead letters, and drops none that is not named."""

import re
from pathlib import Path

import msgspec
import pytest

from forwarder.cli import exit_codes
from forwarder.core.event import EventId
from forwarder.core.ledger import LedgerEntry
from forwarder.outbox.open import open_outbox
from tests.support.history import fill, records
from tests.support.outbox import EVENTS, NOW, attempt, keep
from tests.support.process import command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("drop",), "--all"),
        (("replay",), "--all"),
        (("drop", "nonsense"), "neither a webhook-id"),
        (("drop", "f" * 31), "no id in the outbox begins with"),
        (("drop", "f" * 3), "the beginning of one (at least 4)"),
        (("drop", "f" * 33), "neither"),
    ],
    ids=str,
)
async def test_only_dead_letters_that_are_named_are_changed(config: Path, words: tuple[str, ...], said: str) -> None:
    await fill(config)
    code, out, err = await command("dead", *words, "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert said in err
    assert len(await records(config, "dead", "list")) == 1


async def test_a_dropped_letter_keeps_its_attempts(config: Path) -> None:
    await fill(config)
    assert await records(config, "dead", "drop", "--destination", "other") == [{"changed": 0}]
    assert await records(config, "dead", "drop", "--all") == [{"changed": 1}]
    (dropped,) = await records(config, "deliveries", "--status", "skipped")
    assert (dropped["reason"], dropped["http_status"]) == ("dropped", None)
    (shown,) = await records(config, "deliveries", "show", dropped["delivery_id"])
    assert [each["reason"] for each in shown["attempts"]] == ["HTTP 503: no", "HTTP 500: no"]


@pytest.mark.parametrize("verb", ["replay", "drop"])
async def test_the_short_id_of_a_list_names_a_dead_letter(config: Path, verb: str) -> None:
    await fill(config)
    _, out, _ = await command("dead", "list", "--details", "-c", str(config))
    short = re.split("  +", out.splitlines()[1])[1]
    assert len(short) == 8
    assert await records(config, "dead", verb, short) == [{"changed": 1}]


async def test_a_short_id_that_several_events_have_changes_nothing(config: Path) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        events = [msgspec.structs.replace(EVENTS[number], id=EventId(f"abcd{number}" + "0" * 27)) for number in (0, 1)]
        for event in events:
            outbox.enqueue(event, outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=NOW, read_at=0.0)
    code, out, err = await command("dead", "replay", "abcd", "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert err == f"'abcd' is the beginning of several ids: {events[0].id}, {events[1].id}. Write more of it\n"


async def test_a_replayed_letter_waits_again(config: Path) -> None:
    await fill(config)
    (dead,) = await records(config, "dead", "list")
    code, out, _ = await command("dead", "replay", dead["delivery_id"], "-c", str(config))
    assert (code, out) == (exit_codes.OK, "1 queued for delivery.\n")
    assert [each["trigger"] for each in await records(config, "deliveries", "--status", "pending")] == [
        "first",
        "manual",
    ]
    code, out, err = await command("dead", "replay", dead["delivery_id"], "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "0 queued for delivery.\n")
    assert err == f"not dead: forwarder deliveries show {dead['delivery_id']} says how it is\n"


async def test_a_list_counts_by_destination_and_reason_and_shows_each_where_that_is_asked(config: Path) -> None:
    await fill_with_dead(config)
    code, out, err = await command("dead", "list", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    names, *rows = out.split("\n\n")[0].splitlines()
    assert re.fullmatch(r"DESTINATION  COUNT  STATUS  LAST \([^)]+\) +REASON", names)
    assert [(row.split()[:3], row.split("  ")[-1]) for row in rows] == [
        (["bot", "1", "dead"], "HTTP 400"),
        (["bot", "3", "dead"], "HTTP 500"),
    ]
    assert "--details lists each" in out
    code, out, _ = await command("dead", "list", "--details", "-c", str(config))
    assert len(out.splitlines()) == 5
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = await command("dead", "list", "--wide", "-c", str(config))
    assert re.match(r"DESTINATION  COUNT  STATUS  FIRST \([^)]+\) +LAST \([^)]+\) +REASON", out)
    assert len(await records(config, "dead", "list")) == 4
    groups = await records(config, "dead", "list", "--groups")
    assert [(group["count"], group["reason"]) for group in groups] == [(1, "HTTP 400"), (3, "HTTP 500")]
    assert [group["count"] for group in await records(config, "dead", "list", "--groups", "--limit", "1")] == [1]
    assert await records(config, "dead", "list", "--groups", "--destination", "other") == []
    code, out, _ = await command("dead", "list", "--destination", "other", "-c", str(config))
    assert (code, "--details" in out) == (exit_codes.OK, False)


async def test_a_dry_run_shows_why_they_died_and_changes_nothing(config: Path) -> None:
    await fill_with_dead(config)
    letters = await records(config, "dead", "list")
    for verb, what in (("replay", "queued for delivery"), ("drop", "dropped")):
        code, out, err = await command("dead", verb, "--all", "--dry-run", "-c", str(config))
        assert (code, err) == (exit_codes.OK, "")
        assert f"4 dead letters would be {what}." in out
        assert "HTTP 500" in out
        assert await records(config, "dead", verb, "--route", "r", "--dry-run") == [{"would_change": 4}]
        code, out, _ = await command("dead", verb, letters[0]["delivery_id"], "--dry-run", "-c", str(config))
        assert (code, letters[0]["event_id"][:8] in out) == (exit_codes.OK, True)
        assert f"1 dead letter would be {what}." in out
        code, _, _ = await command("dead", verb, "f" * 32, "--dry-run", "-c", str(config))
        assert code == exit_codes.FAILURE
    assert await records(config, "dead", "list") == letters


async def test_a_route_selects_dead_letters(config: Path) -> None:
    await fill_with_dead(config)
    code, out, err = await command("dead", "replay", "--route", "typo", "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert 'no route is called "typo"; there are: all' in err
    assert await records(config, "dead", "replay", "--route", "all") == [{"changed": 0}]
    assert await records(config, "dead", "drop", "--route", "r", "--since", "2025-01-01") == [{"changed": 4}]


async def test_waiting_for_dead_letters_needs_a_daemon(config: Path) -> None:
    await fill_with_dead(config)
    code, out, err = await command("dead", "replay", "--all", "--wait", "-c", str(config))
    assert (code, out) == (exit_codes.NO_DAEMON, "")
    assert "outbox.db.sock" in err
    assert len(await records(config, "dead", "list")) == 4


async def fill_with_dead(config: Path) -> None:
    """Store three events that died of one reason, and one that died of another."""
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        for number, status in enumerate((500, 500, 500, 400)):
            outbox.bury(keep(outbox, number), attempt(status), reason=f"HTTP {status}")
