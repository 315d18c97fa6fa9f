"""The request of an attempt: headers, signatures, ids."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from forwarder.core.content import Content
from forwarder.core.delivery import DestinationName, Trigger, new_delivery
from forwarder.core.event import decode_event
from forwarder.core.matching import EVERYTHING, NOTHING, Condition
from forwarder.core.retry import NAMED_POLICIES, RetryPolicy
from forwarder.core.routing import Route, Router
from forwarder.core.signing import PlainSigning, SecretKey, Signing, StandardSigning
from forwarder.core.webhook import Renderer
from forwarder.emulator.script import packaged_events

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = decode_event(packaged_events()[0])
BOT = DestinationName("bot")
STANDARD = StandardSigning((SecretKey(b"k" * 24),))


def headers(attempts: int = 0, *, own: dict[str, str] | None = None, signing: Signing | None = None) -> dict[str, str]:
    delivery = replace(new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW), attempts=attempts)
    renderer = Renderer(headers=own or {}, signing=signing, policy=NAMED_POLICIES["live"])
    request = renderer.render(delivery, now=NOW)
    assert renderer.render(delivery, now=NOW).fixed is request.fixed
    assert request.body is EVENT.body
    return request.headers


def test_every_attempt_of_a_canary_says_that_it_is_one() -> None:
    delivery = new_delivery(EVENT, BOT, ("canary",), event_seq=1, accepted_at=NOW, trigger=Trigger.CANARY)
    renderer = Renderer(headers={}, signing=None, policy=NAMED_POLICIES["live"])
    for attempts in range(3):
        request = renderer.render(replace(delivery, attempts=attempts), now=NOW)
        assert (request.headers["x-forwarder-trigger"], request.headers["x-forwarder-attempt"]) == (
            "canary",
            str(attempts + 1),
        )


def test_every_attempt_of_a_recovered_event_says_so_and_the_first_one_was_made_for_that() -> None:
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW, is_recovered=True)
    renderer = Renderer(headers={}, signing=STANDARD, policy=NAMED_POLICIES["live"])
    told = []
    for each in (delivery, replace(delivery, attempts=1), replace(delivery, trigger=Trigger.REPLAY)):
        request = renderer.render(each, now=NOW)
        assert renderer.render(each, now=NOW).fixed is request.fixed
        told.append((request.headers["x-forwarder-trigger"], request.headers["x-forwarder-recovered"]))
    assert told == [("recovered", "true"), ("retry", "true"), ("replay", "true")]
    assert "x-forwarder-recovered" not in headers()
    own = Renderer(headers={"X-Forwarder-Recovered": "mine"}, signing=None, policy=NAMED_POLICIES["live"])
    assert own.render(delivery, now=NOW).headers["X-Forwarder-Recovered"] == "mine"
    assert "x-forwarder-recovered" not in own.render(delivery, now=NOW).headers


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


def test_neither_the_users_headers_nor_a_format_nor_ours_stand_above_a_signature() -> None:
    for header in ("Webhook-Signature", "X-Hub-Signature-256", "x-forwarder-trigger", "Content-Encoding"):
        signing = STANDARD if header == "Webhook-Signature" else PlainSigning(keys=(b"k",), header=header)
        delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
        renderer = Renderer(
            headers={header.upper(): "mine"},
            signing=signing,
            policy=NAMED_POLICIES["live"],
            format_=lambda delivery: Content(
                body=delivery.body, headers={"content-encoding": "gzip", "WEBHOOK-ID": "x"}
            ),
        )
        request = renderer.render(delivery, now=NOW)
        assert not request.fixed.keys() & request.own.keys()
        named = [value for name, value in request.headers.items() if name.lower() == header.lower()]
        expected = signing.headers(message_id=delivery.id, timestamp=int(NOW.timestamp()), body=EVENT.body)
        assert named == list(expected.values())
        assert [value for name, value in request.headers.items() if name.lower() == "webhook-id"] == [delivery.id]


def test_each_attempt_is_signed_at_its_own_moment_under_one_id() -> None:
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
    renderer = Renderer(headers={}, signing=STANDARD, policy=NAMED_POLICIES["live"])
    first = renderer.render(delivery, now=NOW).headers
    second = renderer.render(replace(delivery, attempts=1), now=NOW + timedelta(hours=10)).headers
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 36_000
    assert first["webhook-signature"] != second["webhook-signature"]


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
    assert router.select(EVENT, NOW).chosen == {"x": ("a",), "y": ("a", "c")}


def test_what_no_route_wants_is_dropped_or_goes_where_the_config_says() -> None:
    assert Router(routes=[route("b", NOTHING, "z")]).select(EVENT, NOW).chosen == {}
    assert Router(routes=[], unmatched=BOT).select(EVENT, NOW).chosen == {"bot": ("unmatched",)}


def test_a_policy_of_one_delay_makes_two_attempts() -> None:
    assert RetryPolicy(delays=(timedelta(seconds=1),)).max_attempts == 2
