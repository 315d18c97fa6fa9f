"""Where the files are that tests read, wherever the test itself is."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
TESTS = ROOT / "tests"
DATA = TESTS / "data"
EVENTS = DATA / "events"
"""Real payloads."""
DOCS = ROOT / "docs"
