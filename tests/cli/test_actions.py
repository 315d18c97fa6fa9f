"""`forwarder actions`: what people did, through a daemon and on the file alone."""

import re
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.control.person import this_person
from forwarder.core.actions import Action
from forwarder.core.commands import Resend
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.history import Query
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from forwarder.outbox.open import open_for_change, open_history, open_outbox
from tests.support.crash import until
from tests.support.delivery import configure, stopped
from tests.support.history import fill, records
from tests.support.outbox import NOW, keep
from tests.support.process import KEY, command, forwarder


async def test_an_outbox_in_which_nobody_did_anything_says_so(config: Path) -> None:
    await fill(config)
    code, out, err = await command("actions", "-c", str(config))
    assert (code, out, err) == (exit_codes.OK, "Nobody has changed anything in the time that is kept.\n", "")
    assert await records(config, "actions") == []


async def test_what_a_person_did_without_a_daemon_is_kept(config: Path) -> None:
    await fill(config)
    await command("pause", "bot", "-c", str(config))
    await command("pause", "bot", "-c", str(config))  # changes nothing
    await command("dead", "replay", "--all", "-c", str(config))
    await command("replay", "--since", "2025-01-01T00:00Z", "--to", "other", "-c", str(config))
    found = await records(config, "actions")
    assert [(each["person"], each["verb"], each["changed"], each["what"]) for each in found] == [
        (this_person(), "replay", 4, "to other since 2025-01-01 00:00:00 UTC"),
        (this_person(), "dead replay", 1, "all"),
        (this_person(), "pause", 1, "bot"),
    ]
    assert await records(config, "actions", "--limit", "1") == found[:1]
    assert await records(config, "actions", "--until", "1h") == []
    code, out, _ = await command("actions", "-c", str(config))
    assert code == exit_codes.OK
    assert re.fullmatch(r"AT \([^)]+\) +USER +ACTION +CHANGED +WHAT", out.splitlines()[0])
    assert max(map(len, out.splitlines())) <= 80


async def test_the_slices_of_one_command_are_one_entry(config: Path) -> None:
    outbox_file = config.with_name("outbox.db")
    async with open_outbox(outbox_file) as outbox:
        for number in range(3):
            keep(outbox, number, DeliveryStatus.DELIVERED)
    with open_for_change(outbox_file) as editor:
        for seq in (1, 2, 3):
            editor.apply(Resend(keys=((seq, "bot"),), now_ms=7 if seq < 3 else 8), person="ann")
        editor.apply(Resend(keys=((1, "bot"),), now_ms=9))  # of nobody
    with open_history(outbox_file) as history:
        assert [(each["verb"], each["changed"]) for each in history.actions(Query())] == [("resend", 1), ("resend", 2)]


async def test_only_the_newest_are_kept(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.outbox.sqlite.action_rows._MOST", 3)
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        for number in range(6):
            outbox.note_config(str(number), Action(person="ann", verb="edit", what=str(number)), now=NOW)
    assert [each["what"] for each in await records(config, "actions")] == ["5", "4", "3"]


async def test_an_edit_while_no_daemon_ran_is_noted_at_the_start(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        for edit in ("", "", "\nunmatched: bot\n"):
            config.write_text(config.read_text(encoding="utf-8") + edit, encoding="utf-8")
            async with forwarder(config) as daemon:
                await emulator.wait_connected()
                await stopped(daemon)
        (found,) = await records(config, "actions")
    assert (found["person"], found["verb"], found["changed"]) == ("(start)", "edit", 1)
    assert re.fullmatch(r"config [0-9a-f]{12}: edited before this start", found["what"])


async def test_a_daemon_keeps_who_asked_for_what_and_which_edits_became_active(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            assert (await command("pause", "bot", "-c", str(config)))[0] == exit_codes.OK
            config.write_text(config.read_text(encoding="utf-8") + "\nunmatched: bot\n", encoding="utf-8")
            assert (await command("reload", "-c", str(config)))[0] == exit_codes.OK
            await until(lambda: len(_rows(tmp_path)) == 2, limit_s=60, what="two entries")
            edit, pause = await records(config, "actions")
            assert (pause["verb"], pause["person"]) == ("pause", this_person())
            assert edit["verb"] == "edit"
            assert edit["person"] in {this_person(), "(save)"}  # the daemon may have noticed the edit first
            await stopped(daemon)


def _rows(folder: Path) -> list[object]:
    with open_history(folder / "outbox.db") as history:
        return list(history.actions(Query()))
