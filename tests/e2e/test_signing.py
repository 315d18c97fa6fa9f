"""Signatures as a receiver of the real daemon sees them: over retries, and over a change of keys."""

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from standardwebhooks import Webhook

from forwarder.core.destinations.signing import PlainSigning, decode_secret
from forwarder.core.destinations.verification import PlainVerifier, StandardVerifier, VerificationResult
from forwarder.emulator.receiver import Answer, Received, Receiver
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.process import KEY, forwarder, write_config

OLD, NEW = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEw"


async def test_each_retry_is_signed_again_at_its_own_time_under_the_same_id(tmp_path: Path) -> None:
    frame = packaged_events()[0]
    verifier = StandardVerifier((decode_secret(NEW),))
    verdicts: list[VerificationResult] = []

    def respond(received: Received) -> Answer:
        verdicts.append(verifier.verify(received.headers, received.body, now=datetime.now(UTC)))
        return Answer(status=200 if len(verdicts) > 2 else 503)

    async with Emulator(api_key=KEY) as emulator, Receiver(respond=respond) as receiver:
        extra = f"\n    retry: {{delays: [1300ms, 1300ms]}}\n    signing: {{secret: {NEW}}}"
        config = write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url + extra})
        async with forwarder(config):
            await emulator.wait_connected()
            await emulator.send(frame)
            await receiver.wait_for(1)
    assert verdicts == [VerificationResult.VALID] * 3
    headers = [request.headers for request in receiver.requests]
    assert len({one["webhook-id"] for one in headers}) == 1
    assert len({one["webhook-timestamp"] for one in headers}) == 3
    assert len({one["webhook-signature"] for one in headers}) == 3
    for request in receiver.requests:
        assert Webhook(NEW).verify(request.body, dict(request.headers)) == json.loads(frame)


async def test_an_attempt_is_signed_with_the_keys_active_when_it_is_made(tmp_path: Path) -> None:
    frame = packaged_events()[0]
    verdicts: list[tuple[bool, bool]] = []

    def respond(received: Received) -> Answer:
        now = datetime.now(UTC)
        holds = [
            StandardVerifier((decode_secret(secret),)).verify(received.headers, received.body, now=now)
            is VerificationResult.VALID
            for secret in (OLD, NEW)
        ]
        verdicts.append((holds[0], holds[1]))
        return Answer(status=200 if len(verdicts) > 2 else 503)

    def configure(secrets: list[str]) -> Path:
        secret_file.write_text("\n".join(secrets))
        extra = "\n    retry: {delays: [2s, 2s]}\n    signing: {secret_file: secrets}"
        return write_config(tmp_path, stream=emulator.ws_url, destinations={"bot": receiver.url + extra})

    secret_file = tmp_path / "secrets"
    secret_file.touch(mode=0o600)
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=respond) as receiver:
        async with forwarder(configure([OLD])) as daemon:
            await emulator.wait_connected()
            await emulator.send(frame)
            # A changed destination is probed at once with what waits, which is not counted as one of its attempts.
            for count, said, secrets in (
                (1, "delivery.retry_scheduled", [NEW, OLD]),
                (2, "delivery.postponed", [NEW]),
            ):
                await daemon.wait_for(said)
                configure(secrets)
                daemon.send(signal.SIGHUP)
                await daemon.wait_for("reload.done", count=count)
            await receiver.wait_for(1)
            await daemon.wait_for("delivery.delivered")
        said = json.dumps(daemon.lines)
    assert verdicts == [(True, False), (True, True), (False, True)]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    for secret in (OLD, NEW):
        assert secret.removeprefix("whsec_") not in said


async def test_a_plain_signature_is_made_for_every_delivery(
    tmp_path: Path,
) -> None:
    frames = list(dict.fromkeys(packaged_events()))[:20]
    github = PlainSigning(keys=(b"It's a secret",), header="X-Hub-Signature-256", prefix="sha256=")
    stripe = PlainSigning(keys=(b"new", b"old"), header="Stripe-Signature", is_timestamped=True)
    async with Emulator(api_key=KEY) as emulator, Receiver() as one, Receiver() as other:
        destinations = {
            "github": f'{one.url}\n    signing: {{scheme: hmac, secret: "It\'s a secret"}}',
            "stripe": f"{other.url}\n    signing: {{scheme: hmac, timestamped: true, secret: [new, old]}}",
        }
        config = write_config(tmp_path, stream=emulator.ws_url, destinations=destinations)
        async with forwarder(config):
            await emulator.wait_connected()
            for frame in frames:
                await emulator.send(frame)
            await one.wait_for(len(frames))
            await other.wait_for(len(frames))
    now = datetime.now(UTC)
    for form, receiver in ((github, one), (stripe, other)):
        for request in receiver.requests:
            assert PlainVerifier(form).verify(request.headers, request.body, now=now) is VerificationResult.VALID
            assert request.headers["webhook-id"].startswith("msg_")
            assert abs(now - datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)) < timedelta(
                minutes=1
            )
            assert "webhook-signature" not in request.headers
