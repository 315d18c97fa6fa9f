"""`forwarder replay` without a daemon: what is queued, and what is left alone."""

from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.ledger import SkipReason
from forwarder.outbox.open import open_outbox
from tests.support.history import fill, records
from tests.support.outbox import keep
from tests.support.process import command

ALL = ("replay", "--since", "2025-01-01")


async def test_a_dry_run_counts_and_queues_nothing(config: Path) -> None:
    await fill(config)
    for _ in range(2):
        assert await records(config, *ALL, "--to", "other", "--dry-run") == [{"would_queue": 4}]


async def test_what_waits_or_was_delivered_is_left_alone(config: Path) -> None:
    await fill(config)
    assert await records(config, *ALL, "--to", "bot", "--missing") == [{"queued": 2, "left_alone": 2}]
    assert await records(config, *ALL, "--to", "other", "--route", "r") == [{"queued": 3, "left_alone": 0}]
    code, out, _ = await command(*ALL, "--to", "other", "-c", str(config))
    assert code == exit_codes.OK
    assert out.startswith("1 delivery to other queued at ")
    (audit,) = await records(config, "audit")
    assert (audit["balanced"], audit["deliveries"]["replayed"]) == (True, 5)


@pytest.mark.parametrize("missing", [(), ("--missing",)])
async def test_a_dry_run_counts_what_would_be_queued_whatever_the_outcomes_were(
    config: Path, missing: tuple[str, ...]
) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        ends = (*(status for status in DeliveryStatus if status != DeliveryStatus.SKIPPED), *SkipReason)
        for number, end in enumerate(ends):
            keep(outbox, number, end)
    (dry,) = await records(config, *ALL, "--to", "bot", *missing, "--dry-run")
    (done,) = await records(config, *ALL, "--to", "bot", *missing)
    assert dry["would_queue"] == done["queued"]
    assert 0 < done["queued"] < len(ends)


async def test_an_unknown_destination_is_refused_with_the_known_ones(config: Path) -> None:
    await fill(config)
    code, out, err = await command(*ALL, "--to", "bto", "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert 'called "bto"; did you mean "bot"? There are: bot, other' in err


async def test_waiting_for_a_replay_needs_a_daemon(config: Path) -> None:
    await fill(config)
    code, _, err = await command(*ALL, "--to", "bot", "--wait", "-c", str(config))
    assert code == exit_codes.NO_DAEMON
    assert "outbox.db.sock" in err
    assert len(await records(config, "deliveries", "--status", "pending")) == 1


async def test_a_speed_is_said_and_goes_with_no_rate(config: Path) -> None:
    await fill(config)
    code, out, _ = await command(*ALL, "--to", "other", "--speed", "60x", "-c", str(config))
    assert (code, out.partition(";")[0]) == (
        exit_codes.OK,
        "4 deliveries to other queued at 60x the speed at which they came",
    )
    code, out, _ = await command(*ALL, "--to", "bot", "--speed", "max", "-c", str(config))
    assert (code, out.partition(";")[0]) == (
        exit_codes.OK,
        "3 deliveries to bot queued to be sent as fast as they can be",
    )
    code, _, err = await command(*ALL, "--to", "bot", "--speed", "1x", "--rate", "5/s", "-c", str(config))
    assert (code, "not allowed with argument" in err) == (exit_codes.USAGE, True)
