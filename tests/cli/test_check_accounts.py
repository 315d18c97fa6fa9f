"""What `check --connect` says of the accounts in the rules, with a real list of tracked accounts."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from forwarder.cli import exit_codes
from forwarder.core.ledger import LedgerEntry
from forwarder.emulator.server import Emulator
from forwarder.outbox.open import open_outbox
from tests.support.outbox import EVENTS, NOW
from tests.support.process import KEY, command


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(api_key=KEY) as emulator:
        emulator.history.track("1", "NovaDesk")
        emulator.history.track("2", "other")
        yield emulator


def write(folder: Path, emulator: Emulator, match: str, *, key: str = KEY) -> Path:
    config = folder / "config.yaml"
    config.write_text(
        f"streams: [{{url: '{emulator.ws_url}', api_key: {key}}}]\noutbox: {{url: 'sqlite:outbox.db'}}\n"
        f"destinations: {{bot: {{url: 'http://127.0.0.1:9/'}}}}\nroutes: [{{name: whales, to: bot, match: {match}}}]\n",
        encoding="utf-8",
    )
    return config


async def said(config: Path) -> list[str]:
    """Return what is said after the state of the stream."""
    code, out, err = await command("check", "--connect", "-c", str(config))
    assert code == exit_codes.OK, out + err
    _, stream, *lines = out.splitlines()
    assert stream == "stream main: connected"
    return lines


async def test_accounts_that_are_not_tracked_and_those_that_no_rule_names_are_listed(
    tmp_path: Path, emulator: Emulator
) -> None:
    config = write(tmp_path, emulator, "{author: [novadesk, '@whalealert'], sid: '7'}")
    assert await said(config) == [
        "not tracked at scrape.st, so no post comes of: whalealert (whales), 7 (whales). Track them there, or correct the names",
        "tracked at scrape.st, and no rule names: other",
    ]


async def test_an_id_is_known_by_the_handle_of_the_events_in_the_outbox(tmp_path: Path, emulator: Emulator) -> None:
    event = EVENTS[1]  # of novadesk
    config = write(tmp_path, emulator, f"{{any: [{{sid: '{event.sid}'}}, {{author: other}}]}}")
    async with open_outbox(tmp_path / "outbox.db") as outbox:
        outbox.enqueue(event, outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=NOW, read_at=0.0)
    assert await said(config) == ["2 X accounts named in rules: all tracked at scrape.st"]


async def test_nothing_is_said_where_rules_name_nobody(tmp_path: Path, emulator: Emulator) -> None:
    assert await said(write(tmp_path, emulator, "{text: {word: btc}}")) == []


async def test_a_list_that_cannot_be_had_is_a_note(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator.history, "list_tracked", lambda: web.Response(status=404))
    (line,) = await said(write(tmp_path, emulator, "{author: novadesk}"))
    assert line.startswith(
        "note: it is not known which X accounts are tracked (stream main: the history at 127.0.0.1 answers with"
    )


async def test_the_result_as_json_has_the_streams_and_the_accounts(tmp_path: Path, emulator: Emulator) -> None:
    config = write(tmp_path, emulator, "{author: [novadesk, other]}")
    code, out, err = await command("check", "--connect", "--json", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    found = json.loads(out)
    assert found["ok"]
    assert found["streams"] == [{"stream": "main", "connected": True, "fault": None}]
    assert found["accounts"] == ["2 X accounts named in rules: all tracked at scrape.st"]
    assert "diff" not in found
    config = write(tmp_path, emulator, "{author: novadesk}", key="wrong")
    code, out, err = await command("check", "--connect", "--json", "-c", str(config))
    assert (code, err) == (exit_codes.FAILURE, "")
    found = json.loads(out)
    (stream,) = found["streams"]
    assert (found["ok"], found["accounts"], stream["connected"]) == (True, [], False)
    assert "401" in stream["fault"]
