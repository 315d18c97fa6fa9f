"""`forwarder gaps`, and how recovered events are shown, beside whoever holds the outbox and without."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from forwarder.cli import exit_codes, main
from forwarder.cli.gaps import write_length
from forwarder.core.gaps.gap import Gap, GapId, Repair
from forwarder.outbox.sqlite.file.connection import FileSettings
from forwarder.outbox.sqlite.opening import open_outbox
from forwarder.outbox.sqlite.outbox import SqliteOutbox
from tests.support.outbox import NOW, keep
from tests.support.process import command, look

CONFIG = """\
streams: [{url: 'ws://127.0.0.1:9', api_key: k}]
outbox: {url: 'sqlite:outbox.db'}
destinations: {bot: {url: 'http://127.0.0.1:9/'}}
routes: [{name: all, to: bot}]
"""
_RECENT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def note(outbox: SqliteOutbox, began: datetime, *, stream: str = "main", lasts: bool = False, **fields: object) -> Gap:
    gap = Gap(
        id=outbox.gaps.new_gap_id(),
        stream=stream,
        began=began,
        noticed=began + timedelta(seconds=1),
        ended=None if lasts else began + timedelta(seconds=2.53),
        reason="the connection was reset",
    )
    gap = replace(gap, **fields)
    outbox.gaps.note_gap(gap)
    return gap


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture(params=[True, False], ids=["beside a daemon", "on the file alone"])
async def listed(request: pytest.FixtureRequest, config: Path) -> AsyncIterator[Path]:
    """Three gaps and one recovered event."""
    async with AsyncExitStack() as stack:
        outbox = await stack.enter_async_context(open_outbox(FileSettings(path=config.with_name("outbox.db"))))
        note(outbox, NOW, is_covered=True, repair=Repair.NOT_NEEDED)
        note(outbox, _RECENT, repair=Repair.PARTIAL, found=7, recovered=5, note="account 12 is gone")
        note(outbox, _RECENT + timedelta(minutes=1), stream="second\x1b[2J", lasts=True, reason="no answer")
        keep(outbox, 0, gap=GapId(2))
        keep(outbox, 1)
        await outbox.settle()
        if not request.param:
            await stack.aclose()
        yield config


async def test_gaps_are_listed_the_last_to_begin_first(listed: Path) -> None:
    code, out, err = await command("gaps", "-c", str(listed), "--all")
    assert (code, err) == (exit_codes.OK, "")
    names, lasts, partial, covered = out.splitlines()
    assert re.fullmatch(r"BEGAN \([^)]+\) +LENGTH +STREAM +REPAIR +RECOVERED +REASON", names)
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"  second\\x1b\[…  .*  ongoing: ", lasts)
    assert "  5 of 7  " in partial
    assert "  not needed  " in covered
    code, out, err = await command("gaps", "-c", str(listed), "--all", "--wide")
    names, lasts, partial, covered = out.splitlines()
    assert re.sub(r" \([^)]+\)", "", names).split() == [
        "BEGAN",
        "ENDED",
        "LENGTH",
        "STREAM",
        "COVERED",
        "REPAIR",
        "FOUND",
        "RECOVERED",
        "REASON",
    ]
    assert "  ongoing  " in lasts
    assert "  second\\x1b[2J  no  " in lasts
    assert partial.endswith("the connection was reset; repair: account 12 is gone")
    assert "  2s500ms  main" in partial
    assert partial.split()[6:10] == ["no", "partial", "7", "5"]
    assert "  yes      not needed  " in covered

    code, out, err = await command("gaps", "-c", str(listed), "--json", "--since", "1d", "--stream", "main")
    assert (code, err) == (exit_codes.OK, "")
    assert json.loads(out) == {
        "gap_id": 2,
        "stream": "main",
        "began_at": _RECENT.isoformat(timespec="milliseconds"),
        "noticed_at": (_RECENT + timedelta(seconds=1)).isoformat(timespec="milliseconds"),
        "ended_at": (_RECENT + timedelta(seconds=2.53)).isoformat(timespec="milliseconds"),
        "length_s": 2.53,
        "covered": False,
        "reason": "the connection was reset",
        "repair": "partial",
        "found": 7,
        "recovered": 5,
        "note": "account 12 is gone",
    }


async def test_a_recovered_event_is_reported(listed: Path) -> None:
    code, out, _ = await command("events", "-c", str(listed), "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == exit_codes.OK
    assert [(event["recovered"], event["gap_id"]) for event in events] == [(False, None), (True, 2)]
    assert [event["deliveries"][0]["recovered"] for event in events] == [False, True]
    _, out, _ = await command("events", "show", events[1]["event_id"], "-c", str(listed))
    assert "recovered: no stream brought it; the repair of gap 2 fetched it" in out


async def test_the_lists_are_narrowed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_outbox(FileSettings(path=config.with_name("outbox.db"))) as outbox:
        for minute in range(25):
            note(outbox, NOW + timedelta(minutes=minute))
        note(outbox, NOW, lasts=True)

    def ids(*arguments: str) -> list[int]:
        assert main(["gaps", "-c", str(config), "--json", *arguments]) == exit_codes.OK
        return [json.loads(line)["gap_id"] for line in capsys.readouterr().out.splitlines()]

    assert ids() == list(range(25, 5, -1))
    assert ids("--all") == [*range(25, 1, -1), 26, 1]
    assert ids("--open") == [26]
    assert ids("--since", "2026-01-01T00:23:01Z") == [25, 24, 26]  # what lasts is of every time since
    assert ids("--until", "2026-01-01T00:01:00Z") == [26, 1]
    config.write_text(CONFIG.replace("{url: 'ws", "{name: other, url: 'ws"), encoding="utf-8")
    assert ids("--stream", "other") == []


async def test_where_there_are_none_a_sentence_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        assert main(["gaps", "-c", str(config), *arguments]) == exit_codes.OK
        return capsys.readouterr().out

    path = config.with_name("outbox.db")
    assert main(["gaps", "-c", str(config)]) == exit_codes.NO_OUTBOX
    capsys.readouterr()
    async with open_outbox(FileSettings(path=path)) as outbox:
        pass
    assert said().startswith("No gaps: no stream has been open yet")
    assert said("--json") == ""
    async with open_outbox(FileSettings(path=path)) as outbox:
        outbox.gaps.note_heard(NOW)
    assert said().startswith("No gaps: no stream was away")
    assert "last known to be open" in said()
    async with open_outbox(FileSettings(path=path)) as outbox:
        note(outbox, NOW)
    assert said("--open").startswith("No ongoing gaps: ")
    assert main(["gaps", "-c", str(config), "--stream", "mian"]) == exit_codes.USAGE
    assert capsys.readouterr() == ("", 'no stream is called "mian"; did you mean "main"? There are: main\n')
    config.write_text(CONFIG.replace("{url: 'ws", "{name: other, url: 'ws"), encoding="utf-8")
    assert "streams with gaps: main" in said("--stream", "other")
    assert "without --since" in said("--since", "1m")


async def test_a_backup_an_export_and_a_check_have_them_too(listed: Path) -> None:
    copy = listed.with_name("copy.db")
    assert (await command("outbox", "backup", str(copy), "-c", str(listed)))[0] == exit_codes.OK
    assert look(copy, "SELECT count(*) FROM gaps") == [(3,)]
    assert look(copy, "SELECT event_seq, gap_id FROM recovered_events") == [(1, 2)]
    _, out, _ = await command("outbox", "export", "-c", str(listed))
    assert [json.loads(line)["gap_id"] for line in out.splitlines()] == [None, 2]
    code, out, _ = await command("outbox", "check", "-c", str(listed))
    assert (code, out.endswith(": sound, and everything is accounted for\n")) == (exit_codes.OK, True)
    assert (await command("audit", "-c", str(listed)))[0] == exit_codes.OK


async def test_a_mark_without_its_event_is_found_by_the_check(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config.with_name("outbox.db")
    async with open_outbox(FileSettings(path=path)):
        pass
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("INSERT INTO recovered_events VALUES (9, 1)")
    assert main(["outbox", "check", "-c", str(config)]) == exit_codes.FAILURE
    assert "a row of recovered_events belongs to no row of events" in capsys.readouterr().out


def test_lengths_are_as_exact_as_they_are_useful() -> None:
    lengths = [timedelta(seconds=each) for each in (-1, 0.0002, 0.054, 0.9999, 1.26, 9.96, 75.6, 7200)]
    assert [write_length(length) for length in lengths] == ["0s", "0s", "54ms", "1s", "1s300ms", "10s", "1m16s", "2h"]
