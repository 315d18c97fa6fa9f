"""A config with an outbox beside it, for commands that need no daemon."""

from pathlib import Path

import pytest

from tests.support.history import CONFIG


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a config with two destinations and an outbox that is not there yet."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path
