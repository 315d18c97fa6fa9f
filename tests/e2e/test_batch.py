"""`batch` through the real daemon: one request for several events, each of which is accounted for by itself."""

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from forwarder.cli import exit_codes
from forwarder.core.destinations.verification import StandardVerifier, VerificationResult, decode_verifying_key
from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.server import Emulator
from tests.support.paths import EVENTS
from tests.support.process import KEY, command, forwarder

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
FRAMES = [(EVENTS / f"{name}.json").read_bytes() for name in ("x-plain", "x-quote", "telegram-text", "discord-text")]


def write(folder: Path, stream: str, url: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"""
streams: [{{url: {stream}, api_key: {KEY}}}]
outbox: {{url: "sqlite:outbox.db"}}
destinations:
  bot: {{url: {url}, batch: {{count: 4, within: 60s}}, signing: {{secret: {SECRET}}}, retry: {{delays: [1s, 1s], statuses: {{400: dead}}}}}}
routes: [{{to: bot}}]
""",
        encoding="utf-8",
    )
    return path


async def test_events_arrive_as_an_array_and_a_refused_one_is_the_only_dead_letter(tmp_path: Path) -> None:
    bad = FRAMES[1]

    def respond(request: Received) -> Answer:
        return Answer(status=400 if bad in request.body else 200)

    async with Emulator(api_key=KEY) as emulator, Receiver(respond=respond) as receiver:
        config = write(tmp_path, emulator.ws_url, receiver.url)
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for frame in FRAMES:
                await emulator.send(frame)
            await receiver.wait_for(3)
            await daemon.wait_for("delivery.dead")
            daemon.send(signal.SIGTERM)
            await daemon.ended()
        first, *rest = receiver.requests
    assert first.body == b"[" + b",".join(FRAMES) + b"]"
    assert first.headers["x-forwarder-batch"] == "4"
    assert len(first.headers["x-forwarder-batch-ids"].split(",")) == 4
    assert [each.body for each in rest] == [b"[" + frame + b"]" for frame in FRAMES]
    verifier = StandardVerifier((decode_verifying_key(SECRET),))
    for each in receiver.requests:
        assert verifier.verify(each.headers, each.body, now=datetime.now(UTC)) is VerificationResult.VALID
    code, out, _ = await command("audit", "-c", str(config), "--json")
    assert code == exit_codes.OK
    said = json.loads(out)["deliveries"]
    assert (said["planned"], said["delivered"], said["dead"]) == (4, 3, 1)


async def test_a_batch_that_fails_is_retried(tmp_path: Path) -> None:
    answers = [Answer(status=503)]
    async with (
        Emulator(api_key=KEY) as emulator,
        Receiver(respond=lambda _: answers.pop() if answers else Answer()) as receiver,
    ):
        config = write(tmp_path, emulator.ws_url, receiver.url)
        config.write_text(config.read_text().replace("60s", "2s"), encoding="utf-8")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            for frame in FRAMES:
                await emulator.send(frame)
            await daemon.wait_for("delivery.delivered", count=4)
        code, out, _ = await command("send", "bot", "-c", str(config))
    assert code == exit_codes.OK, out
    first, *later, test = receiver.requests
    assert len(json.loads(first.body)) == 4
    assert sorted(json.dumps(each) for request in later for each in json.loads(request.body)) == sorted(
        json.dumps(json.loads(frame)) for frame in FRAMES
    )
    assert test.headers["x-forwarder-batch"] == "1"


async def test_a_rate_limit_is_one_of_requests(tmp_path: Path) -> None:
    frames = [FRAMES[0].replace(b'"mid":"', b'"mid":"%d' % number, 1) for number in range(1, 13)]
    assert len(set(frames)) == 12
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config = write(tmp_path, emulator.ws_url, receiver.url)
        text = config.read_text(encoding="utf-8").replace("within: 60s}", "within: 2s}, rate_limit: 5/s")
        config.write_text(text, encoding="utf-8")
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            began = monotonic()
            for frame in frames:
                await emulator.send(frame)
            await receiver.wait_until(lambda bot: sum(len(json.loads(each.body)) for each in bot.requests) == 12)
            daemon.send(signal.SIGTERM)
            await daemon.ended()
    requests = receiver.requests
    assert 3 <= len(requests) <= 6  # 3, unless events come slowly; with a limit of events they would be 12
    assert all(each.at - began >= 0.2 * number - 0.015 for number, each in enumerate(requests))
