"""The request of an attempt: headers, signatures, ids."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.event import decode_event
from forwarder.core.matching import EVERYTHING, NOTHING, Condition
from forwarder.core.retry import NAMED_POLICIES, RetryPolicy
from forwarder.core.routing import Route, Router
from forwarder.core.signing import decode_secret, sign
from forwarder.core.webhook import Renderer
from forwarder.emulator.script import packaged_events

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = decode_event(packaged_events()[0])
BOT = DestinationName("bot")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def headers(attempts: int = 0, *, own: dict[str, str] | None = None, keys: list[bytes] | None = None) -> dict[str, str]:
    delivery = replace(new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW), attempts=attempts)
    renderer = Renderer(headers=own or {}, signing_keys=keys or [], policy=NAMED_POLICIES["live"])
    request = renderer.render(delivery, now=NOW)
    assert renderer.render(delivery, now=NOW).fixed is request.fixed
    assert request.body is EVENT.body
    return request.headers


def test_what_a_receiver_is_told() -> None:
    assert headers() == {
        "Content-Type": "application/json",
        "User-Agent": "forwarder/0.1.0",
        "Accept-Encoding": "identity",
        "x-forwarder-attempt": "1",
        "x-forwarder-trigger": "first",
        "x-forwarder-retry-in": "0.5",
        "webhook-id": new_delivery(EVENT, BOT, (), event_seq=1, accepted_at=NOW).id,
        "webhook-timestamp": str(int(NOW.timestamp())),
    }
    last = headers(attempts=11)
    assert (last["x-forwarder-attempt"], last["x-forwarder-trigger"]) == ("12", "retry")
    assert "x-forwarder-retry-in" not in last


def test_the_users_headers_stand_above_ours_but_not_above_the_webhook_ones() -> None:
    found = headers(own={"content-type": "text/x", "Authorization": "Bearer t", "webhook-id": "mine"})
    assert found["content-type"] == "text/x"
    assert "Content-Type" not in found
    assert found["Authorization"] == "Bearer t"
    assert found["webhook-id"].startswith("msg_")


def test_the_id_depends_on_the_destination_and_the_event_and_has_no_dot() -> None:
    other = decode_event(packaged_events()[1])
    ids = {
        new_delivery(event, DestinationName(name), ("r",), event_seq=1, accepted_at=NOW).id
        for event in (EVENT, other)
        for name in ("a", "b")
    }
    assert len(ids) == 4
    assert not any("." in id_ for id_ in ids)
    assert new_delivery(EVENT, BOT, ("x",), event_seq=2, accepted_at=NOW + timedelta(1)).id == headers()["webhook-id"]


def test_each_key_signs_id_timestamp_and_body() -> None:
    keys = [decode_secret(SECRET), b"k" * 24]
    found = headers(keys=keys)
    signed = f"{found['webhook-id']}.{found['webhook-timestamp']}.".encode() + EVENT.body
    expected = ["v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    assert found["webhook-signature"].split(" ") == expected


def test_a_signature_is_that_of_the_official_library() -> None:
    found = sign(
        [decode_secret(SECRET)],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", [SECRET, SECRET.removeprefix("whsec_"), "whsec_" + "QUJD" * 8])
def test_secrets_are_base64_with_or_without_their_prefix(text: str) -> None:
    assert 24 <= len(decode_secret(text)) <= 64


@pytest.mark.parametrize("text", ["whsec_short", "whsec_***", "", "whsec_" + "QUJD" * 30])
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_secret(text)


def route(name: str, condition: Condition, *to: str, stop: bool = False) -> Route:
    return Route(name=name, condition=condition, to=tuple(DestinationName(name) for name in to), stop=stop)


def test_every_matching_route_delivers_once_to_each_destination_until_one_stops() -> None:
    router = Router(
        routes=[
            route("a", EVERYTHING, "x", "y"),
            route("b", NOTHING, "z"),
            route("c", EVERYTHING, "y", stop=True),
            route("d", EVERYTHING, "z"),
        ]
    )
    assert router.choose(EVENT) == {"x": ("a",), "y": ("a", "c")}


def test_what_no_route_wants_is_dropped_or_goes_where_the_config_says() -> None:
    assert Router(routes=[route("b", NOTHING, "z")]).choose(EVENT) == {}
    assert Router(routes=[], unmatched=BOT).choose(EVENT) == {"bot": ("unmatched",)}


def test_a_policy_of_one_delay_makes_two_attempts() -> None:
    assert RetryPolicy(delays=(timedelta(seconds=1),)).max_attempts == 2
