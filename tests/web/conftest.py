"""The API on a port of its own, before a real outbox."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.history import CONFIG, fill
from tests.support.web import Served, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Yield the API of a daemon that has four events: delivered, dead after two attempts, pending, and unmatched."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    await fill(config)
    async with serving(config) as found:
        yield found
