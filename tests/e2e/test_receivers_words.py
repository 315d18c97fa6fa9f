"""What a receiver says about an error reaches the operator, everywhere, and without the secrets that it repeats."""

import json
from pathlib import Path

from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.delivery import status_text
from tests.support.process import KEY, command, forwarder, write_config

SECRET = "canary-9d2e-token"


async def test_status_the_log_the_dead_letters_and_the_notices_have_them(tmp_path: Path) -> None:
    said = {"ok": False, "description": f"no such\nroom: /hook/{SECRET} {'x' * 300}"}
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver, Receiver() as alerts:
        receiver.respond = lambda _received: Answer(status=422, body=json.dumps(said).encode())
        destinations = {
            "bot": f"{receiver.url}/{SECRET}\n    on_failure: {{to: alerts, after: 1s}}",
            "alerts": alerts.url,
        }
        config = write_config(tmp_path, stream=emulator.ws_url, destinations=destinations)
        config.write_text(config.read_text(encoding="utf-8").replace("to: [bot, alerts]", "to: bot"), encoding="utf-8")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(packaged_events()[0])
            line = await daemon.wait_for("delivery.dead")
            await alerts.wait_for(1)
            status = await status_text(config)
            _, dead, _ = await command("dead", "list", "--wide", "-c", str(config))
            receiver.respond = lambda _received: Answer(status=500, body=b"database is locked")
            await emulator.send(packaged_events()[1])
            await daemon.wait_for("destination.down")
            failing = await status_text(config)
            await alerts.wait_for(2)
    words = "HTTP 422: the receiver will not take this request: no such room: ***"
    assert str(line["reason"]).startswith(words)
    assert words in dead
    assert "ok; the last attempt failed: HTTP 422: no such room: ***" in status
    notice, failure = (json.loads(request.body)["payload"] for request in alerts.requests)
    assert (notice["kind"], failure["kind"]) == ("dead", "failing")
    assert words in notice["text"]
    assert "HTTP 500: database is locked" in failure["text"]
    assert "HTTP 500: database is locked" in failing
    (down,) = [each for each in daemon.lines if each["event"] == "destination.down"]
    assert down["reason"] == "HTTP 500: database is locked"
    for text in (line["reason"], notice["text"], dead):
        assert "x" * 190 not in text  # they are cut
    assert SECRET not in f"{daemon.lines} {status} {dead} {failing} {notice} {failure}"
