"""`forwarder dead`: lists, replays and drops dead letters, and drops none that is not named."""

from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from tests.support.history import fill, records
from tests.support.process import command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("drop",), "--all"),
        (("replay",), "--all"),
        (("drop", "nonsense"), "neither a webhook-id"),
        (("drop", "f" * 31), "neither"),
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


async def test_a_replayed_letter_waits_again(config: Path) -> None:
    await fill(config)
    (dead,) = await records(config, "dead", "list")
    code, out, _ = await command("dead", "replay", dead["delivery_id"], "-c", str(config))
    assert (code, out) == (exit_codes.OK, "1 queued for delivery.\n")
    assert [each["trigger"] for each in await records(config, "deliveries", "--status", "pending")] == [
        "first",
        "manual",
    ]
    code, out, _ = await command("dead", "replay", dead["delivery_id"], "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "0 queued for delivery.\n")
