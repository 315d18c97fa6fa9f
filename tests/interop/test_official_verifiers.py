"""What we sign is taken by the official receivers, in Python and in Node.js, and what was changed is not."""

import base64
import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace
from standardwebhooks import Webhook, WebhookVerificationError

from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.destinations.content import Format, raw
from forwarder.core.destinations.request import Renderer
from forwarder.core.destinations.signing import PrivateKey, StandardSigning, decode_key
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.retry import NAMED_POLICIES
from forwarder.core.event import decode_event
from forwarder.destinations.formats.compression import Compressed, Compression
from forwarder.emulator.receiver import Action, Answer, Received, Receiver
from tests.support.lanes import AT_ONCE, destination, running
from tests.support.node import FOLDER, why_no_node
from tests.support.paths import EVENTS

EXAMPLES = {path.stem: path.read_bytes() for path in EVENTS.glob("*.json")}
BODIES = {
    **{name: body for name, body in EXAMPLES.items() if not name.startswith("public-sse")},
    "non-ASCII": '{"source":"x","mid":"1","sid":"2","timestamp":1,"payload":{"text":"ключ 鍵 🗝 \u2028"}}'.encode(),
    "200 KB": b'{"source":"x","mid":"1","sid":"2","timestamp":1,"payload":{"text":"%s"}}' % (b"a" * 200_000),
    "nearly empty": b'{"source":"x","mid":"1","sid":"2","timestamp":1,"payload":{}}',
    "a surrogate": b'{"source":"x","mid":"1","sid":"2","timestamp":1,"payload":{"text":"\\ud83d"}}',
    "white space": b'{ "source": "x",\n\t"mid":1, "sid":2,\r\n "timestamp": 1.50, "payload": { } }',
}
OLD = "whsec_" + base64.b64encode(b"old" * 8).decode()
NEW = "whsec_" + base64.b64encode(bytes(range(64))).decode()
PRIVATE = PrivateKey(bytes(range(32)))
PUBLIC = "whpk_" + base64.b64encode(PRIVATE.public).decode()

Verify = Callable[[str, dict[str, str], bytes], str | None]
"""Takes the receiver's key, headers and body; returns why it refuses them."""


def in_python(key: str, headers: dict[str, str], body: bytes) -> str | None:
    if not key.startswith("whpk_"):
        try:
            Webhook(key).verify(body, headers, json_parse=False)
        except (WebhookVerificationError, UnicodeDecodeError) as error:
            return str(error)
        return None
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for one in headers["webhook-signature"].split(" "):
        if one.startswith("v1a,"):
            try:
                public.verify(base64.b64decode(one.removeprefix("v1a,")), signed)
            except InvalidSignature:
                continue
            return None
    return "No matching signature found"


@pytest.fixture(scope="module", params=["python", "node"])
def verify(request: pytest.FixtureRequest) -> Iterator[Verify]:
    if request.param == "python":
        yield in_python
        return
    if (why := why_no_node()) is not None:
        pytest.skip(why)
    with subprocess.Popen(
        ["node", "verify.mjs", str(FOLDER)],  # noqa: S607 - whichever node there is
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:

        def in_node(key: str, headers: dict[str, str], body: bytes) -> str | None:
            assert process.stdin is not None
            assert process.stdout is not None
            asked = {"key": key, "headers": headers, "body": base64.b64encode(body).decode()}
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
            error: str | None = json.loads(process.stdout.readline())["error"]
            return error

        yield in_node


def signed(
    body: bytes, *keys: str, age: timedelta = timedelta(), attempts: int = 0, format_: Format = raw
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of an attempt, as a lane would have them rendered."""
    signing = StandardSigning(tuple(PRIVATE if key == PUBLIC else decode_key(key) for key in keys))
    renderer = Renderer(headers={}, signing=signing, policy=NAMED_POLICIES["live"], format_=format_)
    now = datetime.now(UTC) - age
    delivery = new_delivery(decode_event(body), DestinationName("bot"), ("r",), event_seq=1, accepted_at=now)
    request = renderer.render(replace(delivery, attempts=attempts), now=now)
    return request.headers, request.body


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("key", [NEW, PUBLIC])
def test_every_body_is_taken_as_it_is_and_refused_when_changed(verify: Verify, key: str, name: str) -> None:
    headers, body = signed(BODIES[name], key)
    assert body == BODIES[name]
    assert verify(key, headers, body) is None
    assert verify(key, headers, body + b" ") == "No matching signature found"
    assert verify(key, headers, body.replace(b"x", b"y", 1) + b"\n") == "No matching signature found"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_compressed_body_cannot_be_verified_by_the_packages_as_the_docs_say(
    verify: Verify, compression: Compression
) -> None:
    format_ = Compressed(format_=raw, compression=compression, from_bytes=8 * 1024)
    headers, body = signed(BODIES["200 KB"], NEW, format_=format_)
    assert headers["Content-Encoding"] == compression
    assert verify(NEW, headers, body) is not None
    headers, body = signed(BODIES["nearly empty"], NEW, format_=format_)
    assert verify(NEW, headers, body) is None  # too small to be compressed


@pytest.mark.parametrize("key", [NEW, PUBLIC])
def test_a_changed_id_or_time_and_another_key_are_refused(verify: Verify, key: str) -> None:
    headers, body = signed(BODIES["non-ASCII"], key)
    other = OLD if key == NEW else "whpk_" + base64.b64encode(PrivateKey(b"o" * 32).public).decode()
    later = str(int(headers["webhook-timestamp"]) + 1)
    for wrong in (headers | {"webhook-id": headers["webhook-id"] + "0"}, headers | {"webhook-timestamp": later}):
        assert verify(key, wrong, body) == "No matching signature found"
    assert verify(other, headers, body) == "No matching signature found"
    assert verify(key, headers | {"webhook-signature": "v1,AAAA v1a,AAAA"}, body) is not None


def test_a_time_ten_minutes_off_is_refused_and_a_retry_then_is_signed_again(verify: Verify) -> None:
    old, body = signed(BODIES["nearly empty"], NEW, age=timedelta(minutes=10))
    assert verify(NEW, old, body) == "Message timestamp too old"
    retry, _ = signed(BODIES["nearly empty"], NEW, attempts=5)
    assert verify(NEW, retry, body) is None
    assert retry["webhook-id"] == old["webhook-id"]


def test_while_keys_are_changed_receivers_with_any_of_them_take_it(verify: Verify) -> None:
    headers, body = signed(BODIES["non-ASCII"], NEW, PUBLIC, OLD)
    for key in (OLD, NEW, PUBLIC):
        assert verify(key, headers, body) is None
    headers, body = signed(BODIES["non-ASCII"], NEW, PUBLIC)
    assert verify(OLD, headers, body) == "No matching signature found"


def test_a_secret_without_its_prefix_or_padding_is_the_same_to_them(verify: Verify) -> None:
    padded = base64.b64encode(b"k" * 25).decode()
    headers, body = signed(BODIES["nearly empty"], padded.rstrip("="))
    for key in (padded, "whsec_" + padded):
        assert verify(key, headers, body) is None


FAULTS = [
    Answer(status=500),
    Answer(status=429, headers={"Retry-After": "0.2"}),
    Answer(status=503, delay_s=0.05),
    Answer(action=Action.RESET),
    Answer(action=Action.CLOSE),
    Answer(action=Action.HANG),
]


async def test_under_every_fault_each_request_verifies_as_it_arrives(verify: Verify, tmp_path: Path) -> None:
    """Attempts are answered by each fault in turn before one is taken; what a receiver sees of all of them is right."""
    refused: list[str | None] = []
    seen: defaultdict[str, int] = defaultdict(int)
    bodies: defaultdict[str, set[bytes]] = defaultdict(set)

    def respond(received: Received) -> Answer:
        headers = {name.lower(): value for name, value in received.headers.items()}
        id_ = headers["webhook-id"]
        refused.append(verify(NEW, headers, received.body))
        assert abs(int(headers["webhook-timestamp"]) - time.time()) <= 60
        seen[id_] += 1
        bodies[id_].add(received.body)
        return FAULTS[seen[id_] - 1] if seen[id_] <= len(FAULTS) else Answer(action=Action.CLOSE_AFTER)

    async with Receiver(respond=respond) as receiver:
        target = destination(
            receiver.url,
            signing=StandardSigning((decode_key(OLD), decode_key(NEW))),
            retry=AT_ONCE,
            breaker=BreakerPolicy(is_on=False),
            timeout=timedelta(seconds=0.5),
        )
        async with running(tmp_path / "outbox.db", target) as scene:
            events = [decode_event(body) for body in BODIES.values()]
            scene.bring(events)
            await receiver.wait_until(lambda receiver: receiver.accepted == len(events), timeout=90)
    assert len(refused) >= len(events) * (len(FAULTS) + 1)
    assert set(refused) == {None}
    assert {len(each) for each in bodies.values()} == {1}
