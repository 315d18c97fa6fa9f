"""`forwarder send`: what the receiver gets, what the person sees, and what nobody sees."""

import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import exit_codes
from forwarder.core.delivery import DestinationName, delivery_id
from forwarder.core.destinations.signing import PrivateKey, decode_key
from forwarder.core.destinations.verification import (
    PublicKey,
    StandardVerifier,
    VerificationResult,
    decode_verifying_key,
)
from forwarder.core.event import decode_event
from forwarder.emulator.receiver import Answer, Received, Receiver
from tests.support.paths import EVENTS
from tests.support.process import command, write_config

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
PRIVATE = "whsk_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def config(folder: Path, url: str, extra: str = "") -> Path:
    return write_config(folder, stream="ws://127.0.0.1:9/ws", destinations={"bot": url + extra})


async def send(path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, err = await command("send", "bot", "-c", str(path), "--json", *arguments)
    assert err == ""
    said: dict[str, Any] = json.loads(out)
    return code, said


async def test_a_test_event_is_what_the_daemon_would_send_but_for_its_label_and_stays_out_of_the_outbox(
    tmp_path: Path,
) -> None:
    async with Receiver() as receiver:
        path = config(tmp_path, receiver.url, f"\n    signing: {{secret: [{SECRET}, {PRIVATE}]}}")
        code, said = await send(path)
        await send(path)
    first, second = receiver.requests
    assert code == exit_codes.OK
    assert said["delivered"]
    assert said["outcome"].startswith("delivered: HTTP 200")
    assert said["answer"]["status"] == 200
    event = decode_event(first.body)
    assert event.source == "forwarder"
    assert "test" in str(event.payload)
    assert first.headers["x-forwarder-trigger"] == "test"
    assert "x-forwarder-retry-in" not in first.headers
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    private = decode_key(PRIVATE)
    assert isinstance(private, PrivateKey)
    for key in (decode_verifying_key(SECRET), PublicKey(private.public)):
        assert (
            StandardVerifier((key,)).verify(first.headers, first.body, now=datetime.now(UTC))
            is VerificationResult.VALID
        )
    assert [found.name for found in tmp_path.iterdir()] == ["config.yaml"]


async def test_an_event_of_a_file_is_sent_byte_for_byte_under_the_id_that_the_daemon_gives_it(tmp_path: Path) -> None:
    file = EVENTS / "fast-x-unicode.json"
    body = file.read_bytes()
    (tmp_path / "event.json").write_bytes(b"\n " + body + b"\n")
    async with Receiver() as receiver:
        code, said = await send(config(tmp_path, receiver.url), "--event", str(tmp_path / "event.json"))
    (request,) = receiver.requests
    assert code == exit_codes.OK
    assert request.body == body.strip()
    assert request.headers["webhook-id"] == delivery_id(decode_event(body.strip()).id, DestinationName("bot"))
    assert said["request"]["body"] == body.strip().decode()


def echo(received: Received) -> Answer:
    """Answer with everything that came, as a receiver may that is being debugged."""
    headers = "\n".join(f"{name}: {value}" for name, value in received.headers.items())
    return Answer(
        status=418,
        headers={"X-Echo": received.path, "Set-Cookie": "session=canary-cookie", "X-Bad": "a\x9bb"},
        body=f"{received.path}\n{headers}\n\x1b[2J".encode() + received.body,
    )


@pytest.mark.parametrize("as_json", [False, True])
async def test_the_exchange_is_shown_and_nothing_secret_in_it_even_if_the_receiver_echoes_it(
    tmp_path: Path, as_json: bool
) -> None:
    async with Receiver(respond=echo) as receiver:
        url = receiver.url.replace("http://", "http://canary-user:canary-pass@").replace(
            "/hook", "/api/webhooks/1234/canary-canary-path?token=canary-query"
        )
        extra = (
            "\n    headers: {X-Key: canary-header, X-Two: Bearer canary-word-long}"
            f"\n    signing: {{secret: {SECRET}}}\n    timeout: 10s"
        )
        arguments = ("send", "bot", "-c", str(config(tmp_path, url, extra)), *(["--json"] if as_json else []))
        code, out, err = await command(*arguments)
    (request,) = receiver.requests
    assert code == exit_codes.FAILURE
    assert err == ""
    for shown in ("127.0.0.1", "418", "X-Key", "webhook-id", request.headers["webhook-id"], "X-Echo", "not delivered"):
        assert shown in out
    signature = request.headers["webhook-signature"]
    for unwanted in ("canary", signature, signature[3:], SECRET, "\x1b", "\x9b"):
        assert unwanted not in (out if not as_json else json.dumps(json.loads(out)["answer"]) + out)
    assert request.headers["authorization"].split()[1] not in out
    assert signature[:9] in out
    if not as_json:
        assert "> X-Key: ***" in out.splitlines()


async def test_a_status_that_is_no_2xx_and_a_receiver_that_is_not_there_give_exit_code_1(tmp_path: Path) -> None:
    async with Receiver(
        respond=lambda _: Answer(status=302, headers={"Location": "https://b.example/canary"})
    ) as moved:
        code, said = await send(config(tmp_path, moved.url))
    assert code == exit_codes.FAILURE
    assert "a redirect to https://b.example, not followed" in said["outcome"]
    assert "canary" not in str(said)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        code, said = await send(config(tmp_path, url))
    assert code == exit_codes.FAILURE
    assert (said["answer"], said["fault"]) == (None, "refused")
    assert said["request"]["url"] == url


async def test_what_a_person_gets_wrong_is_reported_in_a_sentence(tmp_path: Path) -> None:
    path = config(tmp_path, "http://127.0.0.1:9/", "\n  off:\n    url: http://127.0.0.1:9/\n    enabled: false")
    (tmp_path / "half.json").write_text('{"source": "x"}')
    for arguments, expected in (
        (["bto"], 'no destination is called "bto"; did you mean "bot"?'),
        (["zzzzz"], 'no destination is called "zzzzz"; there are "bot", "off"'),
        (["off"], '"off" is disabled; set enabled: true'),
        (["bot", "--event", str(tmp_path / "none.json")], "none.json' cannot be read: No such file"),
        (["bot", "--event", str(tmp_path)], "cannot be read: Is a directory"),
        (["bot", "--event", str(tmp_path / "half.json")], "is not an event (without mid, sid, timestamp, payload)"),
        (["bot", "--event", "-"], "standard input is not an event (not valid JSON)"),
    ):
        code, out, err = await command("send", *arguments, "-c", str(path))
        assert (code, out) == (exit_codes.USAGE, "")
        assert expected in err
        assert len(err.splitlines()) == 1
    path.write_text("streams: 7")
    code, _, err = await command("send", "bot", "-c", str(path))
    assert code == exit_codes.BAD_CONFIG
    assert "streams" in err
