"""These tests run in both loops."""

from tests.support.loops import pytest_asyncio_loop_factories  # noqa: F401 - found here by its name
