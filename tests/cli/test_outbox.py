"""`forwarder outbox` without a daemon: check, vacuum, back up, export."""

import json
from pathlib import Path
from typing import Any

from forwarder.cli import exit_codes
from tests.support.history import fill, records
from tests.support.process import command, look


async def test_a_sound_file_is_copied_once_and_privately(config: Path) -> None:
    await fill(config)
    copy = config.with_name("copy.db")
    (check,) = await records(config, "outbox", "check")
    assert (check["sound"], check["findings"]) == (True, [])
    assert await records(config, "outbox", "backup", str(copy)) == [{"path": str(copy), "bytes": copy.stat().st_size}]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert len(look(copy, "SELECT * FROM deliveries")) == 3
    code, _, err = await command("outbox", "backup", str(copy), "-c", str(config))
    assert (code, "exists already" in err) == (exit_codes.USAGE, True)
    code, _, err = await command("outbox", "backup", str(config.parent / "nowhere" / "copy.db"), "-c", str(config))
    assert (code, err.count("\n")) == (exit_codes.OUTBOX_UNWRITABLE, 1)


async def test_a_vacuum_gives_free_pages_back(config: Path) -> None:
    await fill(config)
    (sizes,) = await records(config, "outbox", "vacuum")
    assert sizes["bytes_after"] <= sizes["bytes_before"]
    code, out, _ = await command("outbox", "vacuum", "-c", str(config))
    assert code == exit_codes.OK
    assert " MB before, " in out


async def test_an_export_has_every_event_with_its_attempts(config: Path) -> None:
    await fill(config)
    found = await records_of_export(config)
    assert len(found) == 4
    assert [len(each["attempts"]) for event in found for each in event["deliveries"]] == [0, 2, 1]


async def records_of_export(config: Path) -> list[dict[str, Any]]:
    code, out, _ = await command("outbox", "export", "-c", str(config))
    assert code == exit_codes.OK
    return [json.loads(line) for line in out.splitlines()]


async def test_without_an_outbox_every_command_says_so_and_makes_none(config: Path) -> None:
    for words in (("audit",), ("events",), ("outbox", "check"), ("dead", "drop", "--all"), ("outbox", "vacuum")):
        code, out, err = await command(*words, "-c", str(config))
        assert (code, out) == (exit_codes.NO_OUTBOX, "")
        assert err.count("\n") == 1
    assert [path.name for path in config.parent.iterdir()] == ["config.yaml"]
