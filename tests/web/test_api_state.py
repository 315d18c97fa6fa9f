"""What the API tells of this moment."""

from tests.support.web import Served


async def test_the_status_has_the_verdict(served: Served) -> None:
    found = await served.get("/status")
    assert found["verdict"] == {"level": "OK", "line": "OK", "advice": "", "concerns": []}
    assert found["status"]["streams"]["main"]["condition"] == "open"
    assert found["backlog"]["waiting"] == {"bot": 1}
    assert (await served.get("/streams"))["streams"].keys() == {"main"}
    destinations = await served.get("/destinations")
    assert destinations["destinations"].keys() == {"bot", "other"}
    assert (destinations["waiting"], destinations["dead"]) == ({"bot": 1}, {"bot": 1})
