"""The stores that have to pass the contracts. A new store is one more parameter."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forwarder.outbox.store import OutboxStore
from tests.contracts.support import Store


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return an empty outbox of each kind."""
    assert request.param == "sqlite"
    return Store(f"sqlite://{tmp_path / 'state' / 'outbox.db'}")


@pytest.fixture
async def outbox(store: Store) -> AsyncIterator[OutboxStore]:
    """Return that outbox, opened as the daemon opens it."""
    async with store.open() as opened:
        yield opened
