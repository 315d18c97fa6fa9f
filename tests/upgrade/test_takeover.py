"""What a new process does before it takes over."""

from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.outbox.sqlite.file.lock import locked
from forwarder.upgrade.takeover import SHORTEST_WINDOW, TakeoverError, announce

GRACE = timedelta(seconds=10)


def test_without_a_daemon_and_with_a_free_outbox_there_is_nothing_to_take_over(tmp_path: Path) -> None:
    found = announce(tmp_path / "outbox.db", tmp_path / "sock", dedupe_window=SHORTEST_WINDOW + GRACE, grace=GRACE)
    assert found is None


def test_a_window_too_short_to_recognise_duplicates_is_refused(tmp_path: Path) -> None:
    short = SHORTEST_WINDOW + GRACE - timedelta(seconds=1)
    with pytest.raises(TakeoverError, match=r"needs an outbox\.dedupe_window of at least 70 s"):
        announce(tmp_path / "outbox.db", tmp_path / "sock", dedupe_window=short, grace=GRACE)


def test_an_outbox_that_is_in_use_without_a_daemon_at_the_socket_is_refused_with_a_hint(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox.db"
    with locked(outbox), pytest.raises(TakeoverError, match=r"is admin\.socket set to another path"):
        announce(outbox, tmp_path / "sock", dedupe_window=SHORTEST_WINDOW + GRACE, grace=GRACE)
