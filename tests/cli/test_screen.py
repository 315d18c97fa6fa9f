"""What commands say fits a terminal of 80 columns, with all of its words."""

from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.cli.listing import columns_of
from forwarder.core.config.routing_only import load_routing
from forwarder.outbox.open import open_outbox
from tests.support.history import CONFIG, fill, records
from tests.support.outbox import NOW, keep
from tests.support.process import command
from tests.support.terminal import on_terminal

LONG = "a destination with a rather long name that is still a good one"
_ROUTES = f"""
routes:
- name: the route with the longest name of all that there are here
  match: {{text: {{contains: [{", ".join(f"word{number}" for number in range(40))}, btc]}}}}
  to: ['{LONG}', bot]
- {{name: all, to: bot}}
"""
TEXT = CONFIG.replace("other:", f"'{LONG}':").replace("routes: [{name: all, to: bot}]", _ROUTES)


async def fill_with_long_names(config: Path) -> str:
    """Store events of a config with long names, and edit it; return the id of an event."""
    routing = load_routing(TEXT.encode(), name="config.yaml", env={}, read_list=lambda _name: "")
    await fill(config)
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        outbox.note_revision(routing.revision, now=NOW)
        keep(outbox, 0, at=NOW + timedelta(minutes=1))
    config.write_text(TEXT.replace("btc]", "btc, eth]"), encoding="utf-8")
    event_id: str = (await records(config, "events"))[0]["event_id"]
    return event_id


@pytest.mark.parametrize(
    "line",
    [
        "audit",
        "gaps",
        "backtest",
        "explain --id ID",
        "explain --id ID --all",
        "deliveries",
        "dead list",
        "forget --author novadesk --dry-run",
    ],
)
async def test_a_line_has_at_most_80_columns_and_no_word_is_lost(config: Path, line: str) -> None:
    event_id = await fill_with_long_names(config)
    words = line.replace("ID", event_id).split()
    said = await on_terminal(*words, config=config)
    assert said
    assert max(map(columns_of, said)) <= 80, max(said, key=columns_of)
    _, out, _ = await command(*words, cwd=config.parent)
    assert [each.rstrip() for each in "\n".join(said).split()] == out.split()


async def test_wide_shows_all_of_a_backtest(config: Path) -> None:
    await fill_with_long_names(config)
    assert not any(LONG in line for line in (await on_terminal("backtest", config=config)) if "[" in line)
    wide = await on_terminal("backtest", "--wide", config=config)
    assert any(LONG in line for line in wide)
    assert max(map(columns_of, wide)) > 80
    (found,) = await records(config, "backtest")
    text = found["destinations"][LONG]["would_get"][0]["text"]
    assert any(text in line for line in wide)
