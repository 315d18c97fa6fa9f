"""What several tests of dispatch share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forwarder.emulator.receiver import Receiver


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the outbox of a test is."""
    return tmp_path / "outbox.db"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Give a webhook receiver on a free port."""
    async with Receiver() as receiver:
        yield receiver
