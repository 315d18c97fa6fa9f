"""The config over HTTP, and rules that are tried."""

from tests.support.web import Served


async def test_the_config_is_shown_without_secrets(served: Served) -> None:
    assert (await served.get("/config"))["settings"]["destinations"]["bot"]["url"] == "***"


async def test_rules_are_tried_and_compared_and_nothing_is_changed(served: Served) -> None:
    event = '{"mid": "1", "sid": "2", "source": "x", "timestamp": 1, "payload": {"text": "hello"}}'
    tried = await served.post("/rules/try", {"event": event, "rules": "- {to: other}"})
    assert tried["explanation"]["chosen"].keys() == {"other"}
    compared = await served.post("/rules/backtest", {"rules": "- {to: other}"})
    assert compared["result"]["changed"] is True
    assert served.asked == []
