"""What a person asks for over HTTP goes to the daemon in the person's name."""

import pytest

from forwarder.core.commands import Reconnect
from forwarder.web.person_changes import PERSON
from tests.support.web import Served


@pytest.mark.parametrize(("path", "status"), [("/streams/main/reconnect?force=1", 400), ("/reload?now", 400)])
async def test_a_change_takes_no_parameters(served: Served, path: str, status: int) -> None:
    assert "error" in await served.post(path, status=status)
    assert served.asked == []


async def test_the_person_is_said(served: Served) -> None:
    await served.post("/streams/main/reconnect", {})
    assert served.asked == [(Reconnect(stream="main"), PERSON)]
