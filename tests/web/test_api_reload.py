"""The config is read again over HTTP."""

from forwarder.core.commands import Reload
from forwarder.web.person_changes import PERSON
from tests.support.web import Served


async def test_the_config_is_read_again(served: Served) -> None:
    done = await served.post("/reload")
    assert (done["applied"], done["changed"], done["problems"]) == (True, False, [])
    assert served.asked == [(Reload(), PERSON)]
