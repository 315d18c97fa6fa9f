"""`forwarder pause` and `forwarder resume` without a daemon."""

from pathlib import Path

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


async def test_an_unknown_destination_is_refused(config: Path) -> None:
    await fill(config)
    for verb in ("pause", "resume"):
        code, out, err = await command(verb, "bott", "-c", str(config))
        assert (code, out) == (exit_codes.USAGE, "")
        assert err == 'no enabled destination is called "bott"; did you mean "bot"? There are: bot, other\n'
