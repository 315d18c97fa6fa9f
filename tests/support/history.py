"""An outbox with a history, and commands that read and change it without a daemon."""

import json
from pathlib import Path
from typing import Any

from forwarder.core.delivery import DeliveryStatus
from forwarder.outbox.open import open_outbox
from tests.support.outbox import attempt, keep, keep_unmatched
from tests.support.process import command

CONFIG = """\
streams: [{url: 'ws://127.0.0.1:9', api_key: k}]
outbox: {url: 'sqlite:outbox.db'}
destinations: {bot: {url: 'http://127.0.0.1:9/'}, other: {url: 'http://127.0.0.1:9/'}}
routes: [{name: all, to: bot}]
"""


async def fill(config: Path) -> None:
    """Store four events: delivered, dead after two attempts, pending, and unmatched."""
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        outbox.complete(keep(outbox, 0), attempt(200))
        dead = keep(outbox, 1)
        outbox.reschedule(dead, attempt(503), at=dead.accepted_at, keep=True)
        outbox.bury(dead, attempt(500, 2), reason="HTTP 500: no")
        keep(outbox, 2, DeliveryStatus.PENDING)
        keep_unmatched(outbox, 3)


async def records(config: Path, *arguments: str) -> list[dict[str, Any]]:
    """Return what a command prints with `--json`; it has to succeed."""
    code, out, err = await command(*arguments, "-c", str(config), "--json")
    assert (code, err) == (0, ""), out + err
    return [json.loads(line) for line in out.splitlines()]
