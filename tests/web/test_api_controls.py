"""What a person does with a destination or a stream over HTTP."""

from forwarder.core.commands import PauseChange, Reconnect, SendCanary
from forwarder.web.person_changes import PERSON
from tests.support.web import Served


async def test_a_pause_says_who_and_why_and_until_when(served: Served) -> None:
    done = await served.post("/destinations/bot/pause", {"why": "repair", "for_s": 60})
    assert (done["paused"], done["changed"]) == (True, True)
    ((request, person),) = served.asked
    assert isinstance(request, PauseChange)
    assert (request.verb, request.destination, request.why, person) == ("pause", "bot", "repair", PERSON)
    assert request.until_ms == request.now_ms + 60_000
    assert (await served.post("/destinations/bot/resume"))["paused"] is False


async def test_a_stream_reconnects_and_a_canary_is_sent(served: Served) -> None:
    assert await served.post("/streams/main/reconnect") == {"streams": ["main"]}
    assert await served.post("/destinations/bot/canary") == {"destination": "bot"}
    assert [request for request, _ in served.asked] == [Reconnect(stream="main"), SendCanary(destination="bot")]


async def test_what_names_nothing_is_refused(served: Served) -> None:
    for path in ("/destinations/no/pause", "/destinations/no/canary", "/streams/no/reconnect"):
        assert "there is no such" in (await served.post(path, status=404))["error"]
    assert "is over" in (await served.post("/destinations/bot/pause", {"until_ms": 1}, status=400))["error"]
    assert served.asked == []
