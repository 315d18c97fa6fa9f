"""`forwarder pause` and `forwarder resume` without a daemon."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from tests.support.history import fill, records
from tests.support.process import command, look


async def test_a_pause_is_stored_with_its_reason_until_it_is_resumed(config: Path) -> None:
    await fill(config)
    assert await records(config, "pause", "bot", "--why", "x" * 600) == [
        {"destination": "bot", "paused": True, "changed": True, "waiting": 1}
    ]
    assert look(config.with_name("outbox.db"), "SELECT length(paused_why) FROM destinations") == [(500,)]
    for verb, said in (
        ("pause", "bot is paused already; 1 delivery waits for it.\n"),
        ("resume", "bot is resumed; 1 delivery waits for it.\n"),
        ("resume", "bot is resumed already; 1 delivery waits for it.\n"),
    ):
        assert await command(verb, "bot", "-c", str(config)) == (exit_codes.OK, said, "")


async def test_a_pause_for_a_time_says_its_end_and_can_get_another_one(config: Path) -> None:
    await fill(config)
    (first,) = await records(config, "pause", "bot", "--for", "2h")
    length = datetime.fromisoformat(str(first["until"])) - datetime.now(UTC)
    assert timedelta(hours=1, minutes=50) < length <= timedelta(hours=2)
    assert first["changed"] is True
    (second,) = await records(config, "pause", "bot", "--for", "3h")
    assert (second["changed"], second["until"] > first["until"]) == (True, True)
    code, out, err = await command("pause", "bot", "--for", "30m", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert re.fullmatch(r"bot is paused until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+; 1 delivery waits for it\.\n", out)
    (without,) = await records(config, "pause", "bot")
    assert (without["changed"], "until" in without) == (True, False)
    assert look(config.with_name("outbox.db"), "SELECT * FROM state WHERE name LIKE 'paused until%'") == []


@pytest.mark.parametrize(
    ("length", "said"),
    [
        ("0s", "must be more than zero"),
        ("soon", "'soon' is no duration: whole numbers with units (s, m, h, d or w), such as 90s, 30m, 1h30m, 1d, 1w"),
        ("2", "'2' is no duration: whole numbers with units"),
        ("400d", "at most 365d; leave out --for"),
        ("53w", "at most 365d; leave out --for"),
        ("99999w999999d", "at most 365d; leave out --for"),
    ],
)
async def test_a_time_that_is_none_is_refused(config: Path, length: str, said: str) -> None:
    code, _, err = await command("pause", "bot", "--for", length, "-c", str(config))
    assert code == exit_codes.USAGE
    assert said in err


async def test_an_unknown_destination_is_refused(config: Path) -> None:
    await fill(config)
    for verb in ("pause", "resume"):
        code, out, err = await command(verb, "bott", "-c", str(config))
        assert (code, out) == (exit_codes.USAGE, "")
        assert err == 'no enabled destination is called "bott"; did you mean "bot"? There are: bot, other\n'
