"""The factory of the outbox: which store and which file a location names."""

from pathlib import Path

import pytest

from forwarder.core.history import Query
from forwarder.outbox.open import (
    UnknownStoreError,
    count_waiting,
    maintenance_of,
    open_for_change,
    open_history,
    open_outbox,
    require_openable,
    require_unused,
)
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError


@pytest.mark.parametrize("form", ["{path}", "sqlite://{path}", "sqlite:///{path}", "sqlite:outbox.db"])
async def test_a_url_and_a_path_name_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "outbox.db"
    location: Path | str = path if form == "{path}" else form.format(path=path)
    async with open_outbox(location, max_size=1 << 26) as outbox:
        assert path.exists()
        assert outbox.trouble is None
        with pytest.raises(OutboxUnusableError) as caught:
            require_unused(location)
        assert caught.value.problem is OutboxProblem.IN_USE
        assert count_waiting(location) == {}
    require_unused(location)
    require_openable(location)
    with open_history(location) as history:
        assert list(history.events(Query())) == []
        assert history.audit()[0].is_balanced
    with open_for_change(location):
        pass
    assert maintenance_of(location).size() > 0


@pytest.mark.parametrize("location", ["postgres://host/outbox", "nats://host", "outbox.db"])
def test_a_store_that_is_not_there_is_said(location: str) -> None:
    with pytest.raises(UnknownStoreError, match="no outbox of the kind"):
        require_openable(location)


def test_what_is_read_or_changed_has_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    for open_ in (open_history, open_for_change):
        with pytest.raises(OutboxUnusableError) as caught, open_(path):
            pass
        assert caught.value.problem is OutboxProblem.MISSING
    require_openable(path)
    assert count_waiting(path) == {}
